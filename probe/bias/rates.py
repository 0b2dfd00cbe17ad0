"""Rates of each group, with Wilson intervals and impact ratios."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from probe.bias.counts import Table
from probe.bias.intervals import highest_ratio_interval
from probe.bias.proportions import divide
from probe.bias.validation import Floats, Ints
from probe.statistics import area_under_roc, calibration_error, wilson


@dataclass(frozen=True)
class Quantity:
    """What is measured of each group."""

    label: str
    unit: str  # what the denominator counts

    def count(self, trials: int) -> str:
        """A number of trials in words, such as '1 positive'."""
        return f"{trials} {self.unit.removesuffix('s') if trials == 1 else self.unit}"


@dataclass(frozen=True)
class Rate(Quantity):
    """A proportion read off confusion counts `[group, label, prediction]`."""

    successes: Callable[[Ints], Ints]
    trials: Callable[[Ints], Ints]


RATES = {
    "selection_rate": Rate("selection rate", "rows", lambda c: c[:, :, 1].sum(1), lambda c: c.sum((1, 2))),
    "tpr": Rate("true positive rate", "positives", lambda c: c[:, 1, 1], lambda c: c[:, 1].sum(1)),
    "fpr": Rate("false positive rate", "negatives", lambda c: c[:, 0, 1], lambda c: c[:, 0].sum(1)),
    "ppv": Rate("precision", "selected rows", lambda c: c[:, 1, 1], lambda c: c[:, :, 1].sum(1)),
    "accuracy": Rate("accuracy", "rows", lambda c: c[:, 0, 0] + c[:, 1, 1], lambda c: c.sum((1, 2))),
}


COMPARED = ("selection_rate", "tpr", "fpr")


def rates_of(table: Table, among: Sequence[str] = tuple(RATES)) -> tuple[str, ...]:
    """The rates that the table allows: without labels only the selection rate."""
    return tuple(name for name in among if table.labelled or name == "selection_rate")


def describe(table: Table, level: float, min_group_size: int) -> pd.DataFrame:
    """A row per group: counts, rates with Wilson intervals, and the impact ratio with its interval."""
    counts = table.counts
    columns: dict[str, object] = {"attribute": table.attribute, "group": list(table.names), "n": counts.sum((1, 2))}
    if table.labelled:
        columns |= {"tn": counts[:, 0, 0], "fp": counts[:, 0, 1], "fn": counts[:, 1, 0], "tp": counts[:, 1, 1]}
    else:
        columns["selected"] = RATES["selection_rate"].successes(counts)
    for name in rates_of(table):
        rate = RATES[name]
        successes, trials = rate.successes(counts), rate.trials(counts)
        columns[name] = divide(successes, trials)
        columns[f"{name}_low"], columns[f"{name}_high"] = wilson(successes, trials, level)
    columns |= _impact(table, level, min_group_size)
    return pd.DataFrame(columns, index=range(len(table.names)))


def _impact(table: Table, level: float, min_group_size: int) -> dict[str, object]:
    """Selection rate divided by that of the most selected group; a group with too few rows is never the reference.

    The intervals are of the ratio to the group that is truly the most selected, which may not be the reference, so
    the reference has one too.
    """
    selected, n = RATES["selection_rate"].successes(table.counts), RATES["selection_rate"].trials(table.counts)
    undefined = np.full(len(n), np.nan)
    if not selected.any():
        return dict.fromkeys(("impact_ratio", "impact_ratio_low", "impact_ratio_high"), undefined) | {"reference": None}
    rate = selected / n
    large = n >= min_group_size
    trusted = large if selected[large].any() else np.ones_like(large)
    top = int(np.argmax(np.where(trusted, rate, -1.0)))
    low, high = highest_ratio_interval(selected, n, trusted, level)
    return {
        "impact_ratio": rate / rate[top],
        "impact_ratio_low": low,
        "impact_ratio_high": high,
        "reference": table.names[top],
    }


def describe_scores(table: Table, labels: Ints, scores: Floats, ordered: Floats) -> pd.DataFrame:
    """Area under the ROC curve, of rows in order, and expected calibration error of each group, by its names."""
    members = [table.codes == code for code in range(len(table.names))]
    return pd.DataFrame(
        {
            "auc": [area_under_roc(ordered[rows], labels[rows] == 1) for rows in members],
            "calibration_error": [calibration_error(scores[rows], labels[rows].astype(float)) for rows in members],
        },
        dtype=float,
    )
