"""Intervals for the largest gap, the smallest ratio and the ratios to the highest rate.

A percentile bootstrap of max minus min can never reach down to 0, so it misses the truth whenever groups are equal.
Here every pair of groups has an interval, and each end of the headline interval combines them in its own way.

- The end that can prove a gap holds for all pairs at once (Bonferroni): the largest lower bound of any pair. Pairs of
  groups so small that no outcome could show a gap do not count (Tarone 1990).
- The end that can rule a gap out needs no correction (intersection-union): the largest gap is that of one pair, so it
  is larger than the largest upper bound of any pair only if it is larger than that pair's own.

Limits of a single rate are Wilson's with continuity correction. Those are too short in the far tail and for a handful
of rows: a group of 5 beside 5,000 misses 3.4 times as often as it may at a level of 99.5 %. So groups under `FEW`, and
all groups in what proves a gap among several, have exact limits (Clopper and Pearson 1934).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probe import special
from probe.bias.validation import Floats, Ints

Stratum = tuple[ArrayLike, ArrayLike]  # successes and trials of each group, along the last axis
Limits = Sequence[Floats]  # a rate, its lower and its upper limit

FEW = 30
# A pair whose most extreme outcome shows less than this takes no part in what proves a gap.
SHOWABLE = 0.1


def largest_gap(strata: Sequence[Stratum]) -> Floats:
    """The largest of max - min over groups, over the strata; leading axes are a batch."""
    rates = [np.asarray(k, dtype=float) / np.asarray(n, dtype=float) for k, n in strata]
    return np.asarray(np.max([rate.max(-1) - rate.min(-1) for rate in rates], axis=0))


def largest_gap_interval(strata: Sequence[Stratum], level: float) -> tuple[Floats, Floats]:
    """Interval of `largest_gap`: its low end holds for all pairs at once, its high end needs no correction."""
    alpha = alpha_of_a_pair([n for _, n in strata], level)
    lows = [shown_gaps(k, n, alpha, level).max(-1) for k, n in strata]
    highs = [possible_gaps(k, n, level).max(-1) for k, n in strata]
    return np.asarray(np.max(lows, axis=0)), np.asarray(np.max(highs, axis=0))


def smallest_ratio_interval(k: ArrayLike, n: ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Interval of the lowest over the highest rate, NaN when all rates are 0.

    Its high end, which proves a ratio to be small, holds for all pairs at once; its low end needs no correction.
    """
    alpha = alpha_of_a_pair([n], level)
    high, low = shown_ratios(k, n, alpha, level).min(-1), possible_ratios(k, n, level).min(-1)
    nothing = (np.asarray(k) == 0).all(-1)
    return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def shown_gaps(k: ArrayLike, n: ArrayLike, alpha: float, level: float) -> Floats:
    """Lower bounds of |p1 - p2| for every pair, simultaneous if `alpha` is that of `alpha_of_a_pair`."""
    low, high = difference_of(*_paired(k, n, alpha, exact=alpha < 1 - level))
    return np.where(could_show(*_sizes(n), alpha), np.maximum(0.0, np.maximum(low, -high)), 0.0)


def possible_gaps(k: ArrayLike, n: ArrayLike, level: float) -> Floats:
    """Upper bounds of |p1 - p2| for every pair."""
    low, high = difference_of(*_paired(k, n, 1 - level))
    return np.asarray(np.maximum(-low, high))


def shown_ratios(k: ArrayLike, n: ArrayLike, alpha: float, level: float) -> Floats:
    """Upper bounds of min(p1 / p2, p2 / p1) for every pair, simultaneous if `alpha` is that of `alpha_of_a_pair`."""
    low, high = ratio_of(*_paired(k, n, alpha, exact=alpha < 1 - level))
    most = np.minimum(high, np.divide(1, low, out=np.full_like(low, np.inf), where=low > 0))
    return np.where(could_show(*_sizes(n), alpha), np.minimum(1.0, most), 1.0)


def possible_ratios(k: ArrayLike, n: ArrayLike, level: float) -> Floats:
    """Lower bounds of min(p1 / p2, p2 / p1) for every pair."""
    low, high = ratio_of(*_paired(k, n, 1 - level))
    return np.asarray(np.minimum(low, 1 / high))


def alpha_of_a_pair(sizes: Sequence[ArrayLike], level: float) -> float:
    """The alpha of each pair for which the ends that can prove a gap hold simultaneously at `level`, over strata.

    Bonferroni over the pairs that could show a gap. How many those are depends on the alpha, so the least number is
    taken that is not exceeded by the pairs which could show one at its alpha (Tarone 1990). Only sizes count, never
    outcomes.
    """
    alpha, ends = 1 - level, [_sizes(n) for n in sizes]
    first, second = (np.concatenate(side) for side in zip(*ends, strict=True))

    def showing(tests: int) -> int:
        return int(could_show(first, second, alpha / tests).sum())

    low, high = 1, max(1, len(first))
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if showing(middle) <= middle else (middle + 1, high)
    return alpha / low


def _sizes(n: ArrayLike) -> tuple[Floats, Floats]:
    """The sizes of both groups of every pair, which are the same for the whole batch."""
    sizes = np.asarray(n, dtype=float)
    one = sizes.reshape(-1, sizes.shape[-1])[0]
    a, b = pairs(len(one))
    return one[a], one[b]


def could_show(n1: ArrayLike, n2: ArrayLike, alpha: float) -> NDArray[np.bool_]:
    """Whether the most extreme outcome of two groups of these sizes would show a gap at all, elementwise."""
    return _best(np.asarray(n1, dtype=float), np.asarray(n2, dtype=float), alpha) > SHOWABLE


def _best(n1: Floats, n2: Floats, alpha: float) -> Floats:
    """The lower bound of the most extreme outcome: all of one group succeed, and none of the other."""
    with np.errstate(divide="ignore"):
        short1, short2 = (1 - np.where(n > 0, (alpha / 2) ** (1 / n), 0.0) for n in (n1, n2))
    return np.asarray(1 - np.hypot(short1, short2))


def highest_ratio_interval(k: ArrayLike, n: ArrayLike, eligible: ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Interval of each group's rate over the truly highest rate of the eligible groups, all at once.

    Whose rate looks highest was chosen from the data, so the group that truly is highest may be another. When the
    `ratio_interval` of every pair with an eligible group holds, the ratio to the highest is at most the least upper
    bound over eligible groups, 1 for the group itself among them, and at least the least lower bound over those that
    no other is sure to exceed. So the interval of an eligible group ends at 1 where it cannot be told from the top.
    """
    k, n, eligible = np.asarray(k, dtype=float), np.asarray(n, dtype=float), np.asarray(eligible, dtype=bool)
    groups, chosen = n.shape[-1], int(eligible.sum())
    compared = max(1, pairs(groups)[0].size - pairs(groups - chosen)[0].size)
    limits = limits_of(k, n, (1 - level) / compared)
    low, high = ratio_of(*(tuple(np.expand_dims(part, axis) for part in limits) for axis in (-1, -2)))
    itself = np.eye(groups, dtype=bool)
    low, high = np.where(itself, 1.0, low), np.where(eligible, np.where(itself, 1.0, high), np.inf)
    most = high.min(-1)
    perhaps_highest = eligible & (most >= 1)
    return np.where(perhaps_highest[..., None, :], low, np.inf).min(-1), most


def difference_interval(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, level: float
) -> tuple[Floats, Floats]:
    """Interval of p1 - p2 from the limits of each (Newcombe 1998, method 11), elementwise; NaN without trials."""
    return difference_of(limits_of(k1, n1, 1 - level), limits_of(k2, n2, 1 - level))


def ratio_interval(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Interval of p1 / p2 from the limits of each, elementwise; [0, inf] when both may be 0."""
    return ratio_of(limits_of(k1, n1, 1 - level), limits_of(k2, n2, 1 - level))


def difference_of(first: Limits, second: Limits) -> tuple[Floats, Floats]:
    """Interval of the difference of two rates from the limits of each (Newcombe 1998)."""
    (p1, low1, high1), (p2, low2, high2) = first, second
    below, above = np.hypot(p1 - low1, high2 - p2), np.hypot(high1 - p1, p2 - low2)
    return p1 - p2 - below, p1 - p2 + above


def ratio_of(first: Limits, second: Limits) -> tuple[Floats, Floats]:
    """Interval of the ratio of two rates from the limits of each (Donner and Zou 2012)."""
    (p1, low1, high1), (p2, low2, high2) = first, second
    product = p1 * p2
    # The bounds are roots of b x^2 - 2 product x + c, written so that no difference of near equals is a divisor.
    b, c = high2 * (2 * p2 - high2), low1 * (2 * p1 - low1)
    root = product + np.sqrt(np.maximum(product**2 - b * c, 0))
    low = np.divide(c, root, out=np.zeros_like(root), where=root > 0)
    b, c = low2 * (2 * p2 - low2), high1 * (2 * p1 - high1)
    root = product + np.sqrt(np.maximum(product**2 - b * c, 0))
    high = np.divide(root, b, out=np.full_like(root, np.inf), where=b > 0)
    return low, high


def limits_of(k: ArrayLike, n: ArrayLike, alpha: float, *, exact: bool = False) -> Limits:
    """A rate with its limits at 1 - alpha: exact ones for fewer than `FEW` trials, or for all; NaN without trials."""
    k, n = np.asarray(k, dtype=float), np.asarray(n, dtype=float)
    n = np.where(n > 0, n, np.nan)
    k, n = np.broadcast_arrays(k, n)
    few = exact | (n < FEW)
    if few.all():
        return k / n, *_exact(k, n, alpha)
    p, low, high = _corrected(k, n, alpha)
    if few.any():
        low[few], high[few] = _exact(k[few], n[few], alpha)
    return p, low, high


def _exact(k: Floats, n: Floats, alpha: float) -> tuple[Floats, Floats]:
    low = np.where(k == 0, 0.0, special.betaincinv(np.maximum(k, 1), n - k + 1, alpha / 2))
    high = np.where(k == n, 1.0, special.betaincinv(k + 1, np.maximum(n - k, 1), 1 - alpha / 2))
    return low, high


def _corrected(k: Floats, n: Floats, alpha: float) -> Limits:
    """A proportion and its Wilson limits with continuity correction (Newcombe 1998, method 4)."""
    z = -special.ndtri(alpha / 2)
    some, short = np.maximum(k, 1) / n, np.minimum(k, n - 1) / n  # at no and at all successes there is no root
    below = z * np.sqrt(z**2 - 2 - 1 / n + 4 * some * (n * (1 - some) + 1))
    above = z * np.sqrt(z**2 + 2 - 1 / n + 4 * short * (n * (1 - short) - 1))
    low = np.where(k == 0, 0.0, (2 * k + z**2 - 1 - below) / (2 * (n + z**2)))
    high = np.where(k == n, 1.0, (2 * k + z**2 + 1 + above) / (2 * (n + z**2)))
    return k / n, low, high


def pairs(groups: int) -> tuple[Ints, Ints]:
    """Indices of the first and second group of every pair."""
    first, second = np.triu_indices(groups, 1)
    return first, second


def _paired(k: ArrayLike, n: ArrayLike, alpha: float, *, exact: bool = False) -> tuple[Limits, Limits]:
    """The limits of the first and of the second group of every pair."""
    p, low, high = limits_of(k, n, alpha, exact=exact)
    a, b = pairs(np.shape(n)[-1])
    return (p[..., a], low[..., a], high[..., a]), (p[..., b], low[..., b], high[..., b])
