"""Simultaneous intervals for the largest gap and the smallest ratio between any two groups.

A percentile bootstrap of max minus min can never reach down to 0, so it misses the truth whenever groups are equal.
Here every pair gets an interval at a Bonferroni-adjusted level. When all of them hold, which happens with at least
the asked probability, the largest gap lies between the largest lower and the largest upper bound of any pair.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from probe.bias.gate import Floats
from probe.statistics import newcombe

Stratum = tuple[ArrayLike, ArrayLike]  # successes and trials of each group, along the last axis


def largest_gap(strata: Sequence[Stratum]) -> Floats:
    """The largest of max - min over groups, over the strata; leading axes are a batch."""
    rates = [np.asarray(k, dtype=float) / np.asarray(n, dtype=float) for k, n in strata]
    return np.asarray(np.max([rate.max(-1) - rate.min(-1) for rate in rates], axis=0))


def largest_gap_interval(strata: Sequence[Stratum], level: float) -> tuple[Floats, Floats]:
    """Interval of `largest_gap`, from Newcombe intervals of all pairs in all strata."""
    share = bonferroni(level, sum(pairs(np.shape(n)[-1])[0].size for _, n in strata))
    bounds = [newcombe(*_paired(k, n), share) for k, n in strata]
    low, high = (np.concatenate(side, axis=-1) for side in zip(*bounds, strict=True))
    return _absolute(low, high)


def smallest_ratio_interval(k: ArrayLike, n: ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Interval of the lowest over the highest rate, from Katz intervals of all pairs; NaN when all rates are 0."""
    k, n = np.asarray(k, dtype=float), np.asarray(n, dtype=float)
    low, high = katz(*_paired(k, n), bonferroni(level, pairs(n.shape[-1])[0].size))
    low, high = np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), np.inf, high)  # neither selected: any ratio
    with np.errstate(divide="ignore"):  # a pair without upper bound is infinitely far apart, which exp(-inf) says
        nearest, farthest = _absolute(np.log(low), np.log(high))
    nothing = (k == 0).all(-1)
    return np.where(nothing, np.nan, np.exp(-farthest)), np.where(nothing, np.nan, np.exp(-nearest))


def katz(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Interval of p1 / p2 on the log scale (Katz 1978), elementwise; NaN where neither group has a success.

    The formula breaks where a count is 0 or full, so such a pair has half a success and half a failure added to both
    groups. With no success in the first group the ratio may be 0, with none in the second it has no upper bound.
    """
    k1, n1, k2, n2 = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (k1, n1, k2, n2)))
    edge = 0.5 * ((k1 == 0) | (k2 == 0) | (k1 == n1) | (k2 == n2))
    a, m, b, w = k1 + edge, n1 + 2 * edge, k2 + edge, n2 + 2 * edge
    ratio = (a / m) / (b / w)
    spread = np.exp(stats.norm.ppf(0.5 + level / 2) * np.sqrt(1 / a - 1 / m + 1 / b - 1 / w))
    low = np.where(k1 == 0, 0.0, ratio / spread)
    high = np.where(k2 == 0, np.inf, ratio * spread)
    neither = (k1 == 0) & (k2 == 0)
    return np.where(neither, np.nan, low), np.where(neither, np.nan, high)


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
