"""The audit of predictions by group, and its report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from probe import fragments
from probe.bias.conclusions import conclude
from probe.bias.counts import Outcomes, Table, tabulate
from probe.bias.disparities import measure
from probe.bias.pairs import compare
from probe.bias.rates import describe, describe_scores
from probe.bias.settings import DRAWS, MIN_GROUP_SIZE, ORDER, THRESHOLDS, Settings
from probe.bias.shortages import COLUMNS, shortages
from probe.bias.validation import Favourable, aligned, attributes, numbers, outcomes, probabilities
from probe.errors import DataError
from probe.finding import Finding


@dataclass(frozen=True, eq=False)
class BiasReport:
    """The results of a bias audit. Undefined numbers are NaN, never 0.

    Attributes:
        groups: a row per group of each attribute and of each intersection of attributes. Intervals of rates are
            Wilson's, each of its own. Those of `impact_ratio`, to the group that is truly the most selected of those
            large enough, hold at once for all groups of the attribute
        disparities: a row per attribute and headline metric. The end of the interval that proves a gap holds for all
            pairs of all groups at once; the other is that of the widest pair. `status` is *fail* where a gap beyond the
            threshold is shown between groups of any size, and *pass* only where none is left possible between any.
            `would_fail` is the true gap (or ratio) of the smallest group compared that would have failed with power
            0.8, `pass_chance` how often such a sample passes with equal rates, `p_value` of permutations of group
            membership
        pairs: a row per attribute, rate and pair of groups, with an interval for that pair alone, `p_value` of the
            pooled z or Fisher's exact test, and `p_adjusted` by Holm's method over the attribute
        small_groups: a row per group and rate with too few rows, positives or negatives: what they prove, and which gap
            would have failed
        findings: a finding per headline metric (one over all intersections where these are many), and one on all
            groups that are too small
        row_accounting: a row per attribute: rows = used + unknown + not_run, where an attribute of too many groups is
            not run; `like_unknown` of those used are in groups whose name suggests an unknown; `notice` is a remark
        favourable: the outcome that counts as favourable, and whether it is assumed; None where numbers are
            compared, whose tables have means in place of rates
        notices: what a reader should know of the data first, in sentences

    >>> import pandas as pd
    >>> from probe import bias
    >>> groups = pd.DataFrame({"sex": ["f"] * 100 + ["m"] * 100})
    >>> report = bias.audit(None, [1] * 30 + [0] * 70 + [1] * 60 + [0] * 40, groups)
    >>> report.groups[["group", "n", "selection_rate"]].values.tolist()
    [['f', 100, 0.3], ['m', 100, 0.6]]
    >>> [finding.check for finding in report.findings if finding.status == "fail"]
    ['demographic parity difference by sex', 'demographic parity ratio by sex']
    """

    groups: pd.DataFrame
    disparities: pd.DataFrame
    pairs: pd.DataFrame
    findings: list[Finding]
    row_accounting: pd.DataFrame
    small_groups: pd.DataFrame
    favourable: Favourable | None = None
    notices: list[str] = field(default_factory=list)

    def _repr_html_(self) -> str:
        """Plain tables, without scripts; names of groups are escaped."""
        parts = {"Findings": fragments.findings(self.findings), "Disparities": self.disparities, "Groups": self.groups}
        parts |= {"Groups with too few rows to be reliable": self.small_groups, "Rows": self.row_accounting}
        tables = (fragments.scrolling(fragments.table(frame, title, rows=200)) for title, frame in parts.items())
        return fragments.told(("Bias report", *self.notices)) + "".join(tables)

    def to_json(self) -> dict[str, Any]:
        """Every table as a list of rows, and the findings."""
        names = ("groups", "disparities", "pairs", "small_groups", "row_accounting")
        tables = {name: getattr(self, name) for name in names}
        return {
            "favourable": self.favourable and {"value": self.favourable.value, "assumed": self.favourable.assumed},
            "notices": self.notices,
            **{name: frame.to_dict("records") for name, frame in tables.items()},
            "findings": [finding.to_json() for finding in self.findings],
        }


def audit(  # noqa: PLR0913 - data, then settings by name, each with a default
    labels: ArrayLike | None,
    predictions: ArrayLike,
    groups: pd.DataFrame,
    scores: ArrayLike | None = None,
    *,
    log_odds: ArrayLike | None = None,
    favourable: object = None,
    order: int = ORDER,
    merge_spellings: bool = False,
    missing: Sequence[str] = (),
    thresholds: Mapping[str, float] = THRESHOLDS,
    min_group_size: int = MIN_GROUP_SIZE,
    level: float = 0.95,
    seed: int = 0,
    draws: int = DRAWS,
) -> BiasReport:
    """Compare a binary classifier, or any decisions, between groups: each attribute, then intersections of attributes.

    Args:
        labels: true outcome of each row; None where there are none, and then only selection is compared
        predictions: predicted outcome, or decision, of each row
        groups: a column per attribute; a row whose value is missing or empty is counted as unknown and left out there
        scores: predicted probability of the favourable outcome; adds AUC and calibration error of each group
        log_odds: of the scores, which order rows for AUC where scores round to 0 or 1; by default the scores do
        favourable: which of the two values of labels and predictions is the favourable one, such as 1, "yes" or False.
            Without it they are 0 and 1, and 1 is assumed
        order: how many attributes an intersection crosses at most
        merge_spellings: count groups whose names differ only by case, spaces or encoding as one; they are refused else
        missing: names of groups that mean unknown, such as "?"; an empty one always does
        thresholds: by metric, in place of those of `THRESHOLDS`; engineering thresholds, not law
        min_group_size: fewest rows behind a rate for its group to be trusted; an engineering threshold, not law.
            With 1 every group is, and the most selected one of any size is the reference of impact ratios
        level: of the intervals
        seed: of the permutations
        draws: number of permutations

    Returns:
        Rates, gaps and findings. They say what was measured, not whether it is right.

    Raises:
        DataError: the data are not what they should be, such as a third label, or rows that do not match

    >>> import pandas as pd
    >>> from probe import bias
    >>> groups = pd.DataFrame({"sex": ["f"] * 100 + ["m"] * 100})
    >>> decided = ["yes"] * 30 + ["no"] * 70 + ["yes"] * 60 + ["no"] * 40
    >>> report = bias.audit(None, decided, groups, favourable="yes")
    >>> gap = report.disparities.set_index("metric").loc["demographic_parity_difference"]
    >>> round(gap["estimate"], 2), gap["status"]
    (np.float64(0.3), 'fail')
    """
    settings = settings_of(
        missing, thresholds=thresholds, min_group_size=min_group_size, level=level, seed=seed, draws=draws,
        order=order, merge_spellings=merge_spellings,
    )  # fmt: skip
    frame = attributes(groups)
    y, predicted, named = outcomes(labels, predictions, favourable)
    given = {"labels": labels, "predictions": predictions, "groups": groups, "scores": scores, "log_odds": log_odds}
    aligned(**{name: values for name, values in given.items() if values is not None})
    if scores is not None and y is None:
        raise DataError(
            "scores were given without labels, and their metrics need both; pass labels, or leave scores out"
        )
    if log_odds is not None and scores is None:
        raise DataError("log_odds were given without scores; pass the probabilities as scores")
    tables = tabulate(Outcomes(y, predicted), frame, settings)
    rates = [describe(table, level, min_group_size) for table in tables]
    if scores is not None and y is not None:
        confidence = probabilities(scores, "scores")
        order_by = confidence if log_odds is None else numbers(log_odds, "log_odds")
        rates = [_beside(r, describe_scores(t, y, confidence, order_by)) for r, t in zip(rates, tables, strict=True)]
    disparities = [row for table in tables for row in measure(table, settings)]
    small = pd.DataFrame([row for table in tables for row in shortages(table, settings)], columns=COLUMNS)
    return BiasReport(
        groups=_named(stack(rates), named),
        disparities=_named(pd.DataFrame([asdict(row) for row in disparities]), named),
        pairs=_named(compare(tables, level), named),
        findings=conclude(tables, disparities, small, named, settings),
        row_accounting=pd.DataFrame([table.row_accounting() for table in tables]),
        small_groups=_named(small, named),
        favourable=named,
        notices=_notices(tables, named),
    )


def settings_of(
    missing: Sequence[str] | str,
    **given: Any,
) -> Settings:
    """The settings of an audit, with a single name of what is missing taken as one."""
    return Settings(missing=(missing,) if isinstance(missing, str) else tuple(map(str, missing)), **given)


def _notices(tables: Sequence[Table], favourable: Favourable) -> list[str]:
    said = []
    if favourable.assumed:
        said.append(f"no favourable outcome was named; {favourable.value} is assumed")
    if not tables[0].labelled:
        said.append("there are no labels: selection rates are compared, errors (equalized odds) are not")
    return said + [f"{table.attribute}: {table.notice}" for table in tables if table.notice]


def _named(frame: pd.DataFrame, favourable: Favourable) -> pd.DataFrame:
    """With the favourable outcome beside the attribute, so that no table can be read the other way round."""
    named = frame.copy()
    named.insert(1, "favourable", str(favourable))
    return named


def _beside(rates: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rates, scored], axis=1)


def stack(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; an attribute without rows adds none, and must not blur the types of the others."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]
