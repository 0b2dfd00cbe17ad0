"""The headline gaps of one attribute: estimate, interval, p-value, power and status."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from probe.bias.counts import Table
from probe.bias.intervals import (
    alpha_of_a_pair,
    largest_gap,
    possible_gaps,
    possible_ratios,
    shown_gaps,
    shown_ratios,
)
from probe.bias.permutation import permutation_p
from probe.bias.power import Question, chance_of_pass, failing
from probe.bias.rates import Quantity
from probe.bias.settings import Settings
from probe.bias.strata import METRICS, Metric, Stratum, metrics_of, strata_of
from probe.bias.validation import Floats, Ints
from probe.finding import Direction, Status, judge

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Disparity:
    """One row of `BiasReport.disparities`; NaN is undefined."""

    attribute: str
    metric: str
    estimate: float = NAN
    low: float = NAN
    high: float = NAN
    p_value: float = NAN  # of a permutation test of equal rates; the same for difference and ratio
    would_fail: float = NAN  # the smallest true gap (largest true ratio) that would have failed; NaN: none
    pass_chance: float = NAN  # the probability that such a sample passes if all rates are equal
    smallest_group: str | None = None
    n: int
    threshold: float
    direction: Direction
    status: Status
    lowest: str | None = None  # the group that gets the favourable outcome least often
    highest: str | None = None
    rate: str | None = None  # the one with the widest gap
    compared: str = ""  # "all groups", or "groups of 30 or more"
    left_out: str = ""  # groups too small for a rate of the metric
    not_covered: str = ""  # the groups compared in words, with the rows of the smallest
    estimate_all_groups: float = NAN  # the estimate with these groups, and its interval
    low_all_groups: float = NAN
    high_all_groups: float = NAN
    reason: str = ""  # why it was not run, or is undefined


def measure(table: Table, settings: Settings) -> list[Disparity]:
    """The headlines of a table."""
    known: dict[tuple[Any, ...], float] = {}
    return [_Rates(table, name, settings, known).row() for name in metrics_of(table)]


@runtime_checkable
class Groups(Protocol):
    """The groups that one quantity compares: a `Stratum` of rates, or `Means`."""

    @property
    def rate(self) -> Quantity:
        """What is compared."""

    @property
    def names(self) -> Sequence[str]:
        """Of the groups."""

    @property
    def trials(self) -> Ints:
        """The rows behind the quantity of each."""

    @property
    def shares(self) -> Floats:
        """The quantity of each."""

    def with_at_least(self, smallest: int) -> Any:
        """Only the groups with at least this many rows behind the quantity."""


G = TypeVar("G", bound=Groups)


class Headline(ABC, Generic[G]):
    """One metric of one table, over all groups and over those with enough rows."""

    most = float("inf")  # the largest gap that is possible with groups without trials

    def __init__(self, table: Table, name: str, settings: Settings, full: list[G], threshold: float) -> None:
        self.table, self.name, self.settings, self.threshold, self.full = table, name, settings, threshold, full
        self.metric: Metric = METRICS[name]
        self.all = [groups.with_at_least(1) for groups in full]
        self.large = [groups.with_at_least(settings.min_group_size) for groups in full]

    @abstractmethod
    def _estimate(self, strata: Sequence[G]) -> float:
        """The widest gap; NaN with fewer than two groups."""

    @abstractmethod
    def _interval(self, strata: Sequence[G]) -> tuple[float, float]:
        """The interval; the end that can prove a gap is simultaneous over all pairs of all groups."""

    @abstractmethod
    def _p_value(self, scope: Sequence[G]) -> float:
        """The p-value of permutations of group membership."""

    @abstractmethod
    def _would_fail(self, scope: Sequence[G]) -> float:
        """The smallest true gap of the smallest group compared that would have failed."""

    @abstractmethod
    def _pass_chance(self) -> float:
        """The probability that such a sample passes if groups are equal."""

    def row(self) -> Disparity:
        """Estimate, interval, p-value, power and status, or the reason why there are none."""
        reason = _obstacle(self.table, self.all)
        low, high = self._interval(self.all) if not self.table.obstacle else (NAN, NAN)
        if any(len(stratum.names) < len(self.table.names) for stratum in self.all):
            # The rate of a group without trials can be anything; a ratio is of rows, which every group has.
            high = self.most
        status = judge(low, high, self.threshold, self.metric.direction)
        common: dict[str, Any] = {
            "attribute": self.table.attribute,
            "metric": self.name,
            "threshold": self.threshold,
            "direction": self.metric.direction,
            "left_out": ", ".join(self._left_out()),
            "not_covered": self._not_covered(),
            "estimate_all_groups": self._estimate(self.all),
            "low_all_groups": low,
            "high_all_groups": high,
        }
        if reason and status != "fail":
            return Disparity(**common, n=_trials(self.large), status="not run", reason=reason)
        scope = self._scope(status)
        if scope is self.large:
            low, high = self._interval(self.large)
        return Disparity(
            **common,
            estimate=self._estimate(scope),
            low=low,
            high=high,
            n=_trials(scope),
            p_value=self._p_value(scope),
            would_fail=self._would_fail(scope),
            pass_chance=self._pass_chance(),
            smallest_group=_smallest(scope),
            status=status,
            compared="all groups" if scope is self.all else f"groups of {self.settings.min_group_size} or more",
            reason="no row was selected, so the ratio is undefined" if np.isnan(low) else "",
            **_extremes(scope),
        )

    def _scope(self, status: Status) -> list[G]:
        """The groups of the estimate: those with enough rows if there are two, unless only small groups prove a gap."""
        if not self._left_out() or any(len(stratum.names) < 2 for stratum in self.large):
            return self.all
        if status == "fail" and judge(*self._interval(self.large), self.threshold, self.metric.direction) != "fail":
            return self.all
        return self.large

    def _left_out(self) -> list[str]:
        kept = set.intersection(*(set(stratum.names) for stratum in self.large))
        return [name for name in self.full[0].names if name not in kept]

    def _not_covered(self) -> str:
        short = [
            (int(trials), stratum.rate)
            for stratum in self.full
            for trials in stratum.trials[stratum.trials < self.settings.min_group_size]
        ]
        if not short:
            return ""
        least, rate = min(short, key=lambda pair: pair[0])
        count = len(self._left_out())
        return f"1 group ({rate.count(least)})" if count == 1 else f"{count} groups (the smallest: {rate.count(least)})"


class _Rates(Headline[Stratum]):
    """Of rates: demographic parity and equalized odds."""

    most = 1.0

    def __init__(self, table: Table, name: str, settings: Settings, known: dict[tuple[Any, ...], float]) -> None:
        super().__init__(table, name, settings, strata_of(table, METRICS[name].rates), settings.thresholds[name])
        self.known = known
        usable = [stratum.counts for stratum in self.all if len(stratum.names) > 1]
        self.alpha = alpha_of_a_pair([n for _, n in usable], settings.level) if usable else 1 - settings.level

    def _estimate(self, strata: Sequence[Stratum]) -> float:
        if any(len(stratum.names) < 2 for stratum in strata):
            return NAN
        if not self.metric.ratio:
            return float(largest_gap([stratum.counts for stratum in strata]))
        rates = strata[0].shares
        return float(rates.min() / rates.max()) if rates.max() > 0 else NAN

    def _interval(self, strata: Sequence[Stratum]) -> tuple[float, float]:
        level = self.settings.level
        counts = [stratum.counts for stratum in strata if len(stratum.names) > 1]
        if not counts or (self.metric.ratio and not counts[0][0].any()):
            return NAN, NAN
        if self.metric.ratio:
            low, high = possible_ratios(*counts[0], level).min(), shown_ratios(*counts[0], self.alpha, level).min()
        else:
            low = max(shown_gaps(*pair, self.alpha, level).max() for pair in counts)
            high = max(possible_gaps(*pair, level).max() for pair in counts)
        return float(low), float(high)

    def _p_value(self, scope: Sequence[Stratum]) -> float:
        counts = [stratum.counts for stratum in scope if len(stratum.names) > 1]
        key = tuple(part.tobytes() for pair in counts for part in pair)
        if key not in self.known:
            self.known[key] = permutation_p(counts, self.settings.draws, self.settings.seed)
        return self.known[key]

    def _question(self) -> Question:
        return Question(self.threshold, self.metric.ratio, self.alpha, self.settings.level)

    def _would_fail(self, scope: Sequence[Stratum]) -> float:
        """The detectable gap of the smallest group compared, over its rates."""
        found = [
            failing(*stratum.counts, int(stratum.trials.argmin()), self._question())
            for stratum in scope
            if len(stratum.names) > 1
        ]
        return float(np.max(found))

    def _pass_chance(self) -> float:
        return float(np.prod([chance_of_pass(*stratum.counts, self._question()) for stratum in self.full]))


def _obstacle(table: Table, strata: Sequence[Groups]) -> str:
    """Why nothing can be compared; empty if groups can be compared."""
    if table.obstacle:
        return table.obstacle
    if len(table.names) == 0:
        return "every row is unknown"
    if len(table.names) == 1:
        return f"{table.names[0]} is the only group, so there is nothing to compare it with"
    for stratum in strata:
        if len(stratum.names) < 2:
            count = len(stratum.names) or "none"
            return f"{count} of {len(table.names)} groups has {stratum.rate.unit}; two are needed"
    return ""


def _trials(strata: Sequence[Groups]) -> int:
    return int(sum(stratum.trials.sum() for stratum in strata))


def _smallest(strata: Sequence[Groups]) -> str:
    least = min(strata, key=lambda stratum: int(stratum.trials.min(initial=np.iinfo(np.int64).max)))
    at = int(least.trials.argmin())
    return f"{least.names[at]} ({least.rate.count(int(least.trials[at]))})"


def _extremes(strata: Sequence[Groups]) -> dict[str, Any]:
    """The two groups furthest apart, and their rate; no groups if none differ."""
    usable = [stratum for stratum in strata if len(stratum.names) > 1]
    widest = max(usable, key=lambda stratum: float(np.ptp(stratum.shares)))
    rates = widest.shares
    if rates.max() == rates.min():
        return {}
    lowest, highest = widest.names[int(rates.argmin())], widest.names[int(rates.argmax())]
    return {"lowest": lowest, "highest": highest, "rate": widest.rate.label}
