"""The headline gaps between means of groups, every pair of them, and the groups with too few rows."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from probe import special
from probe.bias.counts import Table
from probe.bias.disparities import NAN, Headline
from probe.bias.intervals import pairs
from probe.bias.means import MEANS, Means
from probe.bias.power import POWER
from probe.bias.proportions import holm
from probe.bias.settings import Settings
from probe.bias.validation import Floats, Ints
from probe.formatting import number

SHUFFLES = 999  # permutations of group membership
SHUFFLED = 400_000  # rows whose groups are drawn at once
SIMULATED = 400  # samples for the probability of a pass


class MeanGap(Headline[Means]):
    """The largest difference of two groups' means."""

    def __init__(self, table: Table, name: str, settings: Settings, means: Means, threshold: float) -> None:
        super().__init__(table, name, settings, [means], threshold)
        self.alpha = alpha_of_a_pair(means, settings.level)

    def _estimate(self, strata: Sequence[Means]) -> float:
        return float(np.ptp(strata[0].shares)) if len(strata[0].names) > 1 else NAN

    def _interval(self, strata: Sequence[Means]) -> tuple[float, float]:
        if len(strata[0].names) < 2:
            return NAN, NAN
        return largest_gap_interval(strata[0], self.alpha, self.settings.level)

    def _p_value(self, scope: Sequence[Means]) -> float:
        return permutation_p(scope[0], self.settings.draws, self.settings.seed)

    def _would_fail(self, scope: Sequence[Means]) -> float:
        """The detectable gap of the smallest group to the largest other one."""
        at, other = _smallest(scope[0])
        return would_fail(scope[0], at, other, self.alpha, self.threshold)

    def _pass_chance(self) -> float:
        (means,) = self.full
        a, b = pairs(len(means.names))
        _, own = means.gaps(1 - self.settings.level)
        if not np.isfinite(own).all():
            return 0.0
        error = means.spread.errors[means.at]
        drawn = np.random.default_rng(0).standard_normal((SIMULATED, len(error))) * error
        # The intervals are as long in each sample as in this one.
        return float((np.abs(drawn[:, a] - drawn[:, b]) + own <= self.threshold).all(1).mean())


def largest_gap_interval(means: Means, alpha: float, level: float) -> tuple[float, float]:
    """Interval of the largest gap: its low end holds for all pairs, each missing by alpha.

    Its high end is the widest pair's: the largest gap is that of one pair, so it is larger than the largest upper bound
    of any only if it is larger than that pair's own (intersection-union).
    """
    gap, sure = means.gaps(alpha)
    _, own = means.gaps(1 - level)
    return float(np.maximum(np.abs(gap) - sure, 0.0).max()), float((np.abs(gap) + own).max())


def alpha_of_a_pair(means: Means, level: float) -> float:
    """The alpha of each pair for simultaneous intervals; a group of one can prove nothing, and does not count."""
    count = int((means.trials > 1).sum())
    return (1 - level) / max(count * (count - 1) // 2, 1)


def would_fail(means: Means, at: int, other: int, alpha: float, threshold: float) -> float:
    """The smallest true gap between two groups that fails with probability `POWER`; NaN if none does."""
    both = [at, other]
    half = float(np.hypot(*means.spread.halves(alpha)[means.at][both]))
    error = float(np.hypot(*means.spread.errors[means.at][both]))
    found = threshold + half + float(special.ndtri(POWER)) * error
    return found if np.isfinite(found) else NAN


def permutation_p(means: Means, draws: int, seed: int) -> float:
    """Permutation p-value of the widest gap, each pair in units of its standard error."""
    spread = means.spread
    kept = np.isin(spread.codes, means.at)
    values, codes = spread.values[kept], np.searchsorted(means.at, spread.codes[kept])
    generator, found = np.random.default_rng(seed), []
    step = max(1, SHUFFLED // max(len(codes), 1))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        shuffled = generator.permuted(np.tile(codes, (rows, 1)), axis=1)
        found.append(_widest(shuffled, values, means.trials))
    # The slack keeps draws equal to the observed groups from losing to rounding.
    seen = _widest(codes[None], values, means.trials)[0] - 1e-9 * float(np.abs(values).max(initial=0.0))
    return (1 + int((np.concatenate(found) >= seen).sum())) / (1 + draws)


def _widest(codes: Ints, values: Floats, sizes: Ints) -> Floats:
    """The widest gap between means for each permutation, in units of the standard errors of the pairs."""
    a, b = pairs(len(sizes))
    place = codes + len(sizes) * np.arange(len(codes))[:, None]
    sums = np.bincount(place.ravel(), np.tile(values, len(codes)), len(codes) * len(sizes))
    means = sums.reshape(len(codes), len(sizes)) / sizes
    return np.asarray((np.abs(means[:, a] - means[:, b]) / np.sqrt(1 / sizes[a] + 1 / sizes[b])).max(1))


def describe(table: Table, every: Sequence[tuple[str, Means]], labels: Floats | None, level: float) -> pd.DataFrame:
    """A row per group: its rows and means. The intervals of a mean hold for all groups of the attribute at once."""
    first = every[0][1]
    columns: dict[str, object] = {"attribute": table.attribute, "group": list(first.names), "n": first.trials}
    if labels is not None and table.names:
        known = table.codes >= 0
        columns["mean_label"] = np.bincount(table.codes[known], labels[known], len(first.names)) / first.trials
    alpha = (1 - level) / max(len(first.names), 1)
    for name, means in every:
        half = means.spread.halves(alpha)
        half = np.where(np.isfinite(half), half, NAN)  # of a group of one
        columns |= {name: means.shares, f"{name}_low": means.shares - half, f"{name}_high": means.shares + half}
    return pd.DataFrame(columns, index=range(len(first.names)))


def compare(table: Table, every: Sequence[tuple[str, Means]], level: float) -> pd.DataFrame:
    """A row per mean and pair of groups, small groups included; each interval holds for its own row only.

    `p_value` is Welch's, `p_adjusted` Holm's over all rows of the attribute; `lower` has the lower mean.
    """
    frames = []
    for name, means in every:
        a, b = pairs(len(means.names))
        names = np.array(means.names, dtype=object)
        gap, half = means.gaps(1 - level)
        lower = np.full(len(a), None, dtype=object)
        lower[gap < 0], lower[gap > 0] = names[a][gap < 0], names[b][gap > 0]
        frames.append(
            pd.DataFrame(
                {
                    "attribute": table.attribute, "a": names[a], "b": names[b], "metric": name, "difference": gap,
                    "low": gap - half, "high": gap + half, "p_value": _welch(means), "n_a": means.trials[a],
                    "n_b": means.trials[b], "lower": lower,
                },
                index=range(len(a)),
            )
        )  # fmt: skip
    frame = pd.concat(frames, ignore_index=True)
    frame.insert(list(frame.columns).index("p_value") + 1, "p_adjusted", holm(frame["p_value"].to_numpy(np.float64)))
    return frame


def _welch(means: Means) -> Floats:
    """Two-sided p-values of equal means (Welch 1947); NaN with a group of one."""
    a, b = pairs(len(means.names))
    variance, n = means.spread.errors[means.at] ** 2, means.trials
    both = variance[a] + variance[b]
    gap = np.abs(means.shares[a] - means.shares[b])
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of shares, as squares of variances leave the range of floats in other units.
        free = 1 / ((variance[a] / both) ** 2 / (n[a] - 1) + (variance[b] / both) ** 2 / (n[b] - 1))
        found = 2 * special.stdtr(free, -gap / np.sqrt(both))
    found = np.where((n[a] > 1) & (n[b] > 1), found, np.nan)
    return np.asarray(np.where(both > 0, found, np.where(gap > 0, 0.0, 1.0)))


def shortages(
    table: Table, every: Sequence[tuple[str, Means]], settings: Settings, thresholds: dict[str, float]
) -> Iterator[dict[str, Any]]:
    """A row per mean and group with fewer rows than `min_group_size`: what its rows prove, and its detectable gap.

    `gap` is the group's mean less that of `against`, the group from which it is most surely apart, else furthest.
    """
    for name, means in every:
        few = np.flatnonzero(means.trials < settings.min_group_size)
        if len(means.names) < 2 or not len(few):
            continue
        alpha = alpha_of_a_pair(means, settings.level)
        sure, own = (means.spread.halves(level)[means.at] for level in (alpha, 1 - settings.level))
        for at in few.tolist():
            gaps = means.shares[at] - means.shares
            shown = np.maximum(np.abs(gaps) - np.hypot(sure[at], sure), 0.0)
            order = np.lexsort((np.abs(gaps), shown))
            against = int(next(k for k in order[::-1] if k != at))
            failed = bool(shown[against] > thresholds[name])
            other = _largest_beside(means, at)
            row = {
                "attribute": table.attribute,
                "metric": name,
                "group": means.names[at],
                "n": int(means.trials[at]),
                "rate": float(means.shares[at]),
                "status": "fail" if failed else "not run" if means.trials[at] <= 1 else "inconclusive",
                "gap": float(gaps[against]),
                "low": float(shown[against]),
                "high": float(abs(gaps[against]) + np.hypot(own[at], own[against])),
                "against": means.names[against],
                "would_fail": would_fail(means, at, other, alpha, thresholds[name]),
            }
            yield row | {"what": _what(row, means, other)}


def _what(row: dict[str, Any], means: Means, other: int) -> str:
    label, count = MEANS[row["metric"]].label, f"{means.rate.count(row['n'])} in {row['group']}"
    if row["status"] == "fail":
        return (
            f"{count}: a gap in {label} of {number(abs(row['gap']))} to {row['against']} was shown, "
            f"{number(row['low'])} or more"
        )
    held = f"against the {means.trials[other]} of {means.names[other]}, power {POWER:.2g}"
    if np.isnan(row["would_fail"]):
        return f"{count}: no gap in {label} could have failed ({held})"
    return f"{count}: a gap in {label} of {number(row['would_fail'])} or more would have failed ({held})"


def _smallest(means: Means) -> tuple[int, int]:
    """The smallest group, and the largest other one."""
    at = int(means.trials.argmin())
    return at, _largest_beside(means, at)


def _largest_beside(means: Means, at: int) -> int:
    others = np.delete(np.arange(len(means.trials)), at)
    return int(others[means.trials[others].argmax()])
