"""The headline gaps of one attribute, over the groups that are large enough to be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from probe.bias.counts import Table
from probe.bias.gate import Ints
from probe.bias.intervals import bonferroni, largest_gap, largest_gap_interval, pairs, smallest_ratio_interval
from probe.bias.permutation import permutation_p
from probe.bias.power import detectable_gap
from probe.bias.proportions import divide
from probe.bias.rates import RATES, Rate
from probe.bias.settings import Settings
from probe.finding import Direction, Status, judge


@dataclass(frozen=True)
class Metric:
    """A headline: the rates it spans and the side of its threshold that is asked for."""

    label: str
    rates: tuple[str, ...]
    direction: Direction


METRICS = {
    "demographic_parity_difference": Metric("demographic parity difference", ("selection_rate",), "at most"),
    "demographic_parity_ratio": Metric("demographic parity ratio", ("selection_rate",), "at least"),
    "equalized_odds_difference": Metric("equalized odds difference", ("tpr", "fpr"), "at most"),
}
RATIOS = {"demographic_parity_ratio"}
NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Disparity:
    """One row of `BiasReport.disparities`; NaN is undefined."""

    attribute: str
    metric: str
    estimate: float = NAN
    low: float = NAN
    high: float = NAN
    p_value: float = NAN  # of permutations, that all rates are equal: the same for difference and ratio
    detectable: float = NAN  # NaN as well where no gap could have been shown
    smallest_group: str | None = None
    n: int
    threshold: float
    direction: Direction
    status: Status
    lowest: str | None = None
    highest: str | None = None
    rate: str | None = None  # the one with the widest gap
    left_out: str  # groups too small for a rate of the metric
    estimate_all_groups: float  # what it would be with them in
    reason: str = ""  # why it was not run


@dataclass(frozen=True, eq=False)
class Stratum:
    """Successes and trials of the groups that one rate compares."""

    rate: Rate
    names: Sequence[str]
    successes: Ints
    trials: Ints

    def above(self, smallest: int) -> "Stratum":
        """Only the groups with this many trials or more."""
        large = self.trials >= smallest
        names = [name for name, keep in zip(self.names, large, strict=True) if keep]
        return Stratum(self.rate, names, self.successes[large], self.trials[large])

    @property
    def counts(self) -> tuple[Ints, Ints]:
        return self.successes, self.trials


def strata_of(table: Table, rates: Sequence[str]) -> list[Stratum]:
    """One stratum per rate, with all groups."""
    read = [RATES[name] for name in rates]
    return [Stratum(r, table.names, r.successes(table.counts), r.trials(table.counts)) for r in read]


def measure(table: Table, metric: str, settings: Settings) -> Disparity:
    """Estimate, simultaneous interval, permutation p-value and detectable gap, or the reason why there are none."""
    full = strata_of(table, METRICS[metric].rates)
    strata = [stratum.above(settings.smallest) for stratum in full]
    common: dict[str, Any] = {
        "attribute": table.attribute,
        "metric": metric,
        "threshold": settings.thresholds[metric],
        "direction": METRICS[metric].direction,
        "n": int(sum(stratum.trials.sum() for stratum in strata)),
        "left_out": ", ".join(_left_out(full, strata)),
        "estimate_all_groups": _estimate(metric, [stratum.above(1) for stratum in full]),
    }
    reason = _obstacle(table, full, strata, settings.smallest)
    if reason:
        return Disparity(**common, status="not run", reason=reason)
    low, high = _interval(metric, strata, settings.level)
    return Disparity(
        **common,
        estimate=_estimate(metric, strata),
        low=low,
        high=high,
        p_value=permutation_p([stratum.counts for stratum in strata], settings.draws, settings.seed),
        detectable=_detectable(metric, strata, settings.level),
        smallest_group=_smallest(strata),
        status=judge(low, high, settings.thresholds[metric], METRICS[metric].direction),
        **_extremes(strata),
    )


def _left_out(full: Sequence[Stratum], strata: Sequence[Stratum]) -> list[str]:
    kept = set.intersection(*(set(stratum.names) for stratum in strata))
    return [name for name in full[0].names if name not in kept]


def _obstacle(table: Table, full: Sequence[Stratum], strata: Sequence[Stratum], smallest: int) -> str:
    """Why nothing can be compared; empty when it can."""
    groups = full[0].names
    if table.obstacle:
        return table.obstacle
    if len(groups) == 0:
        return "every row is unknown"
    if len(groups) == 1:
        return f"{groups[0]} is the only group, so there is nothing to compare it with"
    for stratum in strata:
        if len(stratum.names) < 2:
            count = len(stratum.names) or "none"
            least = stratum.rate.count(smallest)
            return f"{count} of {len(groups)} groups has at least {least}; two are needed"
    return ""


def _estimate(metric: str, strata: Sequence[Stratum]) -> float:
    if any(len(stratum.names) < 2 for stratum in strata):
        return NAN
    if metric not in RATIOS:
        return float(largest_gap([stratum.counts for stratum in strata]))
    rates = divide(*strata[0].counts)
    return float(rates.min() / rates.max()) if rates.max() > 0 else NAN


def _interval(metric: str, strata: Sequence[Stratum], level: float) -> tuple[float, float]:
    if metric in RATIOS:
        low, high = smallest_ratio_interval(*strata[0].counts, level)
    else:
        low, high = largest_gap_interval([stratum.counts for stratum in strata], level)
    return float(low), float(high)


def _detectable(metric: str, strata: Sequence[Stratum], level: float) -> float:
    """The gap that even the pair hardest to tell apart would have shown at the level of the simultaneous interval.

    NaN when that pair could have shown none. For a ratio: the ratio that such a gap leaves below the most selected
    group, NaN when it exceeds that rate.
    """
    alpha = 1 - bonferroni(level, sum(pairs(len(stratum.names))[0].size for stratum in strata))
    gap = max(float(_pairwise_gaps(stratum, alpha).max()) for stratum in strata)
    if metric not in RATIOS:
        return gap
    top = float(divide(*strata[0].counts).max())
    return 1 - gap / top if top > gap else NAN


def _pairwise_gaps(stratum: Stratum, alpha: float) -> np.ndarray:
    (k, n), (a, b) = stratum.counts, pairs(len(stratum.names))
    return detectable_gap(k[a], n[a], k[b], n[b], alpha=alpha)


def _smallest(strata: Sequence[Stratum]) -> str:
    least = min(strata, key=lambda stratum: int(stratum.trials.min()))
    at = int(least.trials.argmin())
    return f"{least.names[at]} ({least.rate.count(int(least.trials[at]))})"


def _extremes(strata: Sequence[Stratum]) -> dict[str, Any]:
    """The two groups furthest apart, and the rate in which they are."""
    widest = max(strata, key=lambda stratum: float(largest_gap([stratum.counts])))
    rates = divide(*widest.counts)
    lowest, highest = widest.names[int(rates.argmin())], widest.names[int(rates.argmax())]
    return {"lowest": lowest, "highest": highest, "rate": widest.rate.label}
