"""Simultaneous intervals for the largest gap, the smallest ratio and the ratios to the highest rate.

A percentile bootstrap of max minus min can never reach down to 0, so it misses the truth whenever groups are equal.
Here every pair gets an interval at a Bonferroni-adjusted level. When all of them hold, which happens with at least
the asked probability, the largest gap lies between the largest lower and the largest upper bound of any pair.

The pairs use limits with continuity correction. Without it two equal groups of 100 are covered 94.4 % of the time
instead of 95 %, and Katz's (1978) interval of a ratio, at rates near 1, as little as 90.5 %.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from probe.bias.gate import Floats

Stratum = tuple[ArrayLike, ArrayLike]  # successes and trials of each group, along the last axis


def largest_gap(strata: Sequence[Stratum]) -> Floats:
    """The largest of max - min over groups, over the strata; leading axes are a batch."""
    rates = [np.asarray(k, dtype=float) / np.asarray(n, dtype=float) for k, n in strata]
    return np.asarray(np.max([rate.max(-1) - rate.min(-1) for rate in rates], axis=0))


def largest_gap_interval(strata: Sequence[Stratum], level: float) -> tuple[Floats, Floats]:
    """Interval of `largest_gap`, from `difference_interval` of all pairs in all strata."""
    share = bonferroni(level, sum(pairs(np.shape(n)[-1])[0].size for _, n in strata))
    bounds = [difference_interval(*_paired(k, n), share) for k, n in strata]
    low, high = (np.concatenate(side, axis=-1) for side in zip(*bounds, strict=True))
    return _absolute(low, high)


def smallest_ratio_interval(k: ArrayLike, n: ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Interval of the lowest over the highest rate, from `ratio_interval` of all pairs; NaN when all rates are 0."""
    k, n = np.asarray(k, dtype=float), np.asarray(n, dtype=float)
    low, high = ratio_interval(*_paired(k, n), bonferroni(level, pairs(n.shape[-1])[0].size))
    with np.errstate(divide="ignore"):  # a ratio that may be 0 is infinitely far from 1, which exp(-inf) gives back
        nearest, farthest = _absolute(np.log(low), np.log(high))
    nothing = (k == 0).all(-1)
    return np.where(nothing, np.nan, np.exp(-farthest)), np.where(nothing, np.nan, np.exp(-nearest))


def highest_ratio_interval(k: ArrayLike, n: ArrayLike, eligible: ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Interval of each group's rate over the truly highest rate of the eligible groups, all at once.

    Whose rate looks highest was chosen from the data, so the group that truly is highest may be another. When the
    `ratio_interval` of every pair with an eligible group holds, the ratio to the highest is at most the least upper
    bound over eligible groups, 1 for the group itself among them, and at least the least lower bound over those that
    no other is sure to exceed. So the interval of an eligible group ends at 1 where it cannot be told from the top.
    """
    k, n, eligible = np.asarray(k, dtype=float), np.asarray(n, dtype=float), np.asarray(eligible, dtype=bool)
    groups, chosen = n.shape[-1], int(eligible.sum())
    compared = pairs(groups)[0].size - pairs(groups - chosen)[0].size
    share = bonferroni(level, max(compared, 1))
    low, high = ratio_interval(k[..., :, None], n[..., :, None], k[..., None, :], n[..., None, :], share)
    itself = np.eye(groups, dtype=bool)
    low, high = np.where(itself, 1.0, low), np.where(eligible, np.where(itself, 1.0, high), np.inf)
    most = high.min(-1)
    perhaps_highest = eligible & (most >= 1)
    return np.where(perhaps_highest[..., None, :], low, np.inf).min(-1), most


def difference_interval(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, level: float
) -> tuple[Floats, Floats]:
    """Interval of p1 - p2 with continuity correction (Newcombe 1998, method 11), elementwise; NaN without trials."""
    (p1, low1, high1), (p2, low2, high2) = _corrected(k1, n1, level), _corrected(k2, n2, level)
    below, above = np.hypot(p1 - low1, high2 - p2), np.hypot(high1 - p1, p2 - low2)
    return p1 - p2 - below, p1 - p2 + above


def ratio_interval(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Interval of p1 / p2 from the limits of each (Donner and Zou 2012), elementwise; [0, inf] when both may be 0."""
    (p1, low1, high1), (p2, low2, high2) = _corrected(k1, n1, level), _corrected(k2, n2, level)
    product = p1 * p2
    # The bounds are roots of b x^2 - 2 product x + c, written so that no difference of near equals is a divisor.
    b, c = high2 * (2 * p2 - high2), low1 * (2 * p1 - low1)
    root = product + np.sqrt(np.maximum(product**2 - b * c, 0))
    low = np.divide(c, root, out=np.zeros_like(root), where=(p1 > 0) & (root > 0))
    b, c = low2 * (2 * p2 - low2), high1 * (2 * p1 - high1)
    root = product + np.sqrt(np.maximum(product**2 - b * c, 0))
    high = np.divide(root, b, out=np.full_like(root, np.inf), where=b > 0)
    return low, high


def _corrected(k: ArrayLike, n: ArrayLike, level: float) -> tuple[Floats, Floats, Floats]:
    """A proportion and its Wilson limits with continuity correction (Newcombe 1998, method 4)."""
    k, n = np.asarray(k, dtype=float), np.asarray(n, dtype=float)
    n = np.where(n > 0, n, np.nan)
    z, p = stats.norm.ppf(0.5 + level / 2), k / n
    below = z * np.sqrt(np.maximum(z**2 - 2 - 1 / n + 4 * p * (n * (1 - p) + 1), 0))
    above = z * np.sqrt(np.maximum(z**2 + 2 - 1 / n + 4 * p * (n * (1 - p) - 1), 0))
    low = np.where(k == 0, 0.0, np.maximum(0.0, (2 * k + z**2 - 1 - below) / (2 * (n + z**2))))
    high = np.where(k == n, 1.0, np.minimum(1.0, (2 * k + z**2 + 1 + above) / (2 * (n + z**2))))
    return p, low, high


def pairs(groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the first and second group of every pair."""
    first, second = np.triu_indices(groups, 1)
    return first, second


def bonferroni(level: float, tests: int) -> float:
    """The level each of so many intervals needs for all to hold at once with probability `level`."""
    return 1 - (1 - level) / tests


def _paired(k: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    k, n = np.asarray(k, dtype=float), np.asarray(n, dtype=float)
    first, second = pairs(n.shape[-1])
    return k[..., first], n[..., first], k[..., second], n[..., second]


def _absolute(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Bounds of the largest absolute value when each signed value lies in its own interval."""
    nearest, farthest = np.maximum(0.0, np.maximum(low, -high)), np.maximum(-low, high)
    return np.asarray(nearest.max(-1)), np.asarray(farthest.max(-1))
