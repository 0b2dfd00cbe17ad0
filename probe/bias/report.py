"""The audit of predictions by group, and its report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape

import pandas as pd
from numpy.typing import ArrayLike

from probe.bias.counts import tabulate
from probe.bias.disparities import METRICS, measure
from probe.bias.findings import conclude
from probe.bias.gate import aligned, attributes, binary, probabilities
from probe.bias.pairs import compare
from probe.bias.rates import describe, describe_scores
from probe.bias.settings import DRAWS, SMALLEST, THRESHOLDS, Settings
from probe.finding import Finding


@dataclass(frozen=True, eq=False)
class BiasReport:
    """What an audit measured. NaN is undefined, never 0.

    Attributes:
        groups: a row per group of each attribute and of each intersection of attributes. Intervals of rates are
            Wilson's, each of its own. Those of `impact_ratio`, to the group that is truly the most selected of those
            large enough, hold at once for all groups of the attribute
        disparities: a row per attribute and headline metric, with intervals that hold at once for all pairs, and
            `p_value` of permutations of group membership
        pairs: a row per attribute, rate and pair of groups, with the same interval for that pair alone, `p_value` of
            the pooled z or Fisher's exact test, and `p_adjusted` by Holm's method over the attribute
        findings: a finding per headline metric, and one per group too small to be compared
        ledger: a row per attribute: rows = used + unknown + not_run, where an attribute of too many groups is not run

    `detectable` is the gap that the sample could have shown by the test of `pairs` (power 0.8), at the level of the
    row's interval; NaN where no gap could have been.
    """

    groups: pd.DataFrame
    disparities: pd.DataFrame
    pairs: pd.DataFrame
    findings: list[Finding]
    ledger: pd.DataFrame

    def _repr_html_(self) -> str:
        """Plain tables, without scripts; names of groups are escaped."""
        listed = pd.DataFrame([finding.to_json() for finding in self.findings])
        parts = {"Findings": listed, "Disparities": self.disparities, "Groups": self.groups, "Rows": self.ledger}
        return "".join(f"<h4>{escape(title)}</h4>{_table(frame)}" for title, frame in parts.items())


def audit(  # noqa: PLR0913 - data, then settings by name, each with a default
    labels: ArrayLike,
    predictions: ArrayLike,
    groups: pd.DataFrame,
    scores: ArrayLike | None = None,
    *,
    thresholds: Mapping[str, float] = THRESHOLDS,
    smallest: int = SMALLEST,
    level: float = 0.95,
    seed: int = 0,
    draws: int = DRAWS,
) -> BiasReport:
    """Compare a binary classifier between groups, for each attribute and each intersection of attributes.

    Args:
        labels: true class of each row, 0 or 1, with 1 the favourable one
        predictions: predicted class of each row, 0 or 1
        groups: a column per attribute; a row whose value is missing is counted as unknown and left out there
        scores: predicted probability of class 1; adds AUC and calibration error of each group
        thresholds: by metric, in place of those of `THRESHOLDS`; engineering thresholds, not law
        smallest: fewest rows behind a rate for its group to enter a headline; an engineering threshold, not law
        level: of the intervals
        seed: of the permutations
        draws: number of permutations

    Returns:
        Rates, gaps and findings. They say what was measured, not whether it is right.

    Raises:
        DataError: the data are not what they should be, such as a label other than 0 and 1, or rows that do not match
    """
    settings = Settings(thresholds=thresholds, smallest=smallest, level=level, seed=seed, draws=draws)
    frame = attributes(groups)
    y, predicted = binary(labels, "labels"), binary(predictions, "predictions")
    given = {"labels": labels, "predictions": predictions, "groups": groups}
    aligned(**given if scores is None else given | {"scores": scores})
    tables = tabulate(y, predicted, frame)
    rates = [describe(table, level, smallest) for table in tables]
    if scores is not None:
        confidence = probabilities(scores, "scores")
        rates = [_beside(r, describe_scores(t, y, confidence)) for r, t in zip(rates, tables, strict=True)]
    disparities = [[measure(table, metric, settings) for metric in METRICS] for table in tables]
    return BiasReport(
        groups=_stack(rates),
        disparities=pd.DataFrame([asdict(row) for rows in disparities for row in rows]),
        pairs=_stack([compare(table, level) for table in tables]),
        findings=[f for t, rows in zip(tables, disparities, strict=True) for f in conclude(t, rows, settings)],
        ledger=pd.DataFrame([table.ledger() for table in tables]),
    )


def _beside(rates: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rates, scored], axis=1)


def _stack(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; an attribute without rows adds none, and must not blur the types of the others."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def _table(frame: pd.DataFrame) -> str:
    return frame.to_html(index=False, escape=True, na_rep="undefined", float_format="{:.4g}".format, border=0)
