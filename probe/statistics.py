"""Intervals and summary numbers over numpy arrays, shared by a running audit and a verifier without torch."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probe import special
from probe.errors import DataError, ShapeError

Floats = NDArray[np.float64]
Reduce = Callable[[Floats], float]
DRAWN = 2**16  # rows of draws of a bootstrap that are held at once


class Estimate(NamedTuple):
    """A number with its 95 % interval and the examples behind it."""

    value: float
    low: float
    high: float
    n: int


def proportion(hits: NDArray[Any]) -> Estimate:
    """The share of True (or 1) with Wilson's interval."""
    low, high = wilson(hits.sum(), len(hits))
    return Estimate(float(hits.mean()), float(low), float(high), len(hits))


def wilson(successes: ArrayLike, trials: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson score interval of a proportion (Wilson 1927), elementwise; NaN without trials."""
    k, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    z = special.ndtri(0.5 + level / 2)
    safe = np.where(n > 0, n, np.nan)
    p = k / safe
    centre = (p + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z / (1 + z**2 / safe) * np.sqrt(p * (1 - p) / safe + z**2 / (4 * safe**2))
    # At 0 and n the bound is exactly 0 and 1; rounding would give 1e-17.
    low = np.where(k == 0, np.where(n > 0, 0.0, np.nan), centre - half)
    high = np.where(k == n, np.where(n > 0, 1.0, np.nan), centre + half)
    return low, high


def clopper_pearson_low(successes: ArrayLike, trials: int, alpha: float) -> Floats:
    """The exact lower bound of a proportion (Clopper and Pearson 1934): above the truth with probability alpha at most.

    Example:
        >>> float(clopper_pearson_low([10], 10, 0.05).round(3)[0])  # 0.05 ** (1 / 10)
        0.741
    """
    k = np.asarray(successes, dtype=float)
    return np.where(k == 0, 0.0, special.betaincinv(np.maximum(k, 1), trials - k + 1, alpha))


def normal_quantile(probability: ArrayLike) -> Floats:
    """The quantile of the standard normal distribution."""
    return np.asarray(special.ndtri(np.asarray(probability, dtype=float)))


def binomial_quantile(probability: NDArray[Any], trials: NDArray[Any], rate: float | Floats) -> Floats:
    """The quantile of the binomial distribution."""
    below = np.maximum(np.rint(special.bdtrik(probability, trials, rate)) - 1, 0)  # scipy's inverse is slightly off
    more = [special.bdtr(below + at, trials, rate) < probability for at in (0, 1)]
    return np.asarray(below + more[0] + more[1])


def ranks(values: ArrayLike) -> Floats:
    """The rank of each value along the last axis, from 1, with mean ranks for ties; all NaN if one is.

    Example:
        >>> ranks([10, 30, 20, 20]).tolist()
        [1.0, 4.0, 2.5, 2.5]
    """
    numbers = np.asarray(values)
    if numbers.ndim > 1:
        return np.array([ranks(row) for row in numbers]).reshape(numbers.shape)
    if np.isnan(numbers).any():
        return np.full(numbers.shape, np.nan)
    _, kind, count = np.unique(numbers, return_inverse=True, return_counts=True)
    return np.asarray((count.cumsum() - (count - 1) / 2)[kind])


def rank_correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Spearman's rank correlation of two lists of values, in [-1, 1]; NaN if one of them is constant or holds NaN.

    Example:
        >>> rank_correlation([1, 2, 3], [10, 30, 20])
        0.5
    """
    a, b = (ranks(each) - ranks(each).mean() for each in (one, other))
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float(a @ b) / size if size else float("nan")


def ranking(values: ArrayLike, errors: ArrayLike) -> tuple[NDArray[np.int64], Floats]:
    """Features by absolute value, largest first, and the confidence that each is larger than the next.

    Estimates are taken as normal and independent of each other. The last, which has no next, has NaN.

    Args:
        values: one estimate per feature.
        errors: their standard errors; 0 where a value is exact.

    Example:
        >>> order, confidence = ranking([0.5, -2.0, 1.9], [0.1, 0.05, 0.05])
        >>> order.tolist(), confidence.round(3).tolist()
        ([1, 2, 0], [0.921, 1.0, nan])
    """
    sizes, spread = np.abs(np.asarray(values, dtype=float)), np.asarray(errors, dtype=float)
    order = np.argsort(-sizes, kind="stable")
    sizes, spread = sizes[order], spread[order]
    return order, np.append(_above(sizes[:-1], sizes[1:], spread[:-1], spread[1:]), np.nan)[: len(sizes)]


def top_confidence(values: ArrayLike, errors: ArrayLike, top: int) -> float:
    """A lower bound of the confidence that the `top` features with the largest absolute values are those.

    It is 1 less the sum of the doubts about each of them against each other feature.

    Example:
        >>> round(top_confidence([0.5, -2.0, 1.9], [0.1, 0.05, 0.05], 1), 3)
        0.921
    """
    order, spread = ranking(values, errors)[0], np.asarray(errors, dtype=float)
    sizes, (inside, outside) = np.abs(np.asarray(values, dtype=float)), (order[:top, None], order[None, top:])
    doubts = 1 - _above(sizes[inside], sizes[outside], spread[inside], spread[outside])
    return max(0.0, 1 - float(doubts.sum()))


def _above(one: Floats, other: Floats, error: Floats, other_error: Floats) -> Floats:
    """The confidence that one number is above another; 1/2 where both are exact and equal."""
    spread = np.hypot(error, other_error)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = special.ndtr((one - other) / spread)
    return np.where(spread == 0, (np.sign(one - other) + 1) / 2, found)


def mean(evidence: Floats) -> float:
    """The mean as a float."""
    return float(evidence.mean())


def bootstrap(
    evidence: Floats,
    reduce: Reduce = mean,
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of `reduce(evidence)` over rows; NaN for fewer than two rows.

    Percentiles of few rows are too near the middle: of ten, 95 % of draws hold the mean 88 times in 100. They are
    expanded as far as a t interval is wider than that of draws (Hesterberg 2015, doi:10.1080/00031305.2015.1089789).
    """
    n = len(evidence)
    if n < 2:
        return float("nan"), float("nan")
    values = [_each(reduce, evidence, rows) for rows in _drawn(n, draws, seed)]
    return _percentiles(np.concatenate(values), level, n)


def bootstrapped(evidence: Floats, reduce: Reduce, *, seed: int, draws: int = 1000) -> Estimate:
    """`reduce(evidence)` with a percentile bootstrap interval over rows."""
    return Estimate(reduce(evidence), *bootstrap(evidence, reduce, seed=seed, draws=draws), len(evidence))


def paired(
    one: Floats, other: Floats, reduce: Reduce = mean, *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> Estimate:
    """`reduce(one) - reduce(other)` of the same rows, with a percentile bootstrap interval that draws rows of both."""
    n, value = len(one), reduce(one) - reduce(other)
    if n < 2:
        return Estimate(value, float("nan"), float("nan"), n)
    gaps = np.concatenate([_each(reduce, one, r) - _each(reduce, other, r) for r in _drawn(n, draws, seed)])
    return Estimate(value, *_percentiles(gaps, level, n), n)


class Discordant(NamedTuple):
    """How often each of two was right alone on the same rows, and McNemar's exact p-value of no difference."""

    first: int
    second: int
    p: float


def mcnemar(one: ArrayLike, other: ArrayLike) -> Discordant:
    """McNemar's exact test of two shares over the same rows (McNemar 1947): the two-sided binomial test.

    Only rows where the two differ tell them apart; without a difference each is as likely to be right alone.

    Args:
        one: (rows,), 0 or 1, such as whether one model was right.
        other: (rows,), the same of the other.

    Raises:
        ShapeError: if they are not as long as each other.
        DataError: if one holds other numbers than 0 and 1.

    Example:
        >>> mcnemar([1, 1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0, 1, 1])  # 2 * (1 + 7) / 2**7
        Discordant(first=6, second=1, p=0.125)
    """
    mine, theirs = _yes_or_no(one, other)
    first, second = int((mine & ~theirs).sum()), int((theirs & ~mine).sum())
    few = float(special.bdtr(min(first, second), first + second, 0.5)) if first + second else 1.0
    return Discordant(first, second, min(1.0, 2 * few))


def paired_shares(one: ArrayLike, other: ArrayLike, *, level: float = 0.95) -> Estimate:
    """The difference of two shares over the same rows, the first minus the second, in [-1, 1].

    The interval is Newcombe's (1998, method 10), lengthened to 0 where McNemar's exact test tells the two not apart:
    of few rows that differ, a bootstrap would say too soon that one is better.

    Raises:
        ShapeError: if they are not as long as each other.
        DataError: if one holds other numbers than 0 and 1, or there is no row.

    Example:
        >>> found = paired_shares([1] * 5 + [0] * 95, [0] * 100)  # five rows may be chance: p = 0.0625
        >>> [round(number, 3) for number in found]
        [0.05, 0.0, 0.112, 100]
    """
    mine, theirs = _yes_or_no(one, other)
    n = len(mine)
    if n == 0:
        raise DataError("there is no row to take a difference of; give one at least")
    both, first, second = int((mine & theirs).sum()), int((mine & ~theirs).sum()), int((theirs & ~mine).sum())
    none = n - both - first - second
    p, q = (both + first) / n, (both + second) / n
    (low, high), (least, most) = wilson(both + first, n, level), wilson(both + second, n, level)
    product = both * none - first * second
    corrected = max(product - n / 2, 0.0) if product > 0 else float(product)
    size = np.sqrt(float((both + first) * (second + none)) * float((both + second) * (first + none)))
    phi = corrected / size if size else 0.0
    down = np.sqrt((p - low) ** 2 - 2 * phi * (p - low) * (most - q) + (most - q) ** 2)
    up = np.sqrt((high - p) ** 2 - 2 * phi * (high - p) * (q - least) + (q - least) ** 2)
    ends = float(p - q - down), float(p - q + up)
    if mcnemar(mine, theirs).p >= 1 - level:
        ends = min(ends[0], 0.0), max(ends[1], 0.0)
    return Estimate((first - second) / n, max(-1.0, ends[0]), min(1.0, ends[1]), n)


def _yes_or_no(one: ArrayLike, other: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    mine, theirs = np.asarray(one), np.asarray(other)
    if mine.ndim != 1 or mine.shape != theirs.shape:
        raise ShapeError(f"a paired difference is of the same rows, (rows,) each; got {mine.shape} and {theirs.shape}")
    for each in (mine, theirs):
        if not np.isin(each, (0, 1)).all():
            raise DataError("expected 0 or 1 for each row, whether it was right, and found other numbers")
    return mine.astype(bool), theirs.astype(bool)


def _drawn(n: int, draws: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Rows drawn with replacement, (some of the draws, n) at a time."""
    generator, together = np.random.default_rng(seed), max(1, DRAWN // n)
    for first in range(0, draws, together):
        yield generator.integers(n, size=(min(together, draws - first), n))


def _each(reduce: Reduce, evidence: Floats, rows: NDArray[np.int64]) -> Floats:
    """`reduce` of each draw of rows; a mean of numbers takes one call for all."""
    if reduce is mean and evidence.ndim == 1:
        return np.asarray(evidence[rows].mean(1))
    return np.array([reduce(evidence[drawn]) for drawn in rows])


def calibration_error(confidence: Floats, correct: Floats, bins: int = 15) -> float:
    """Expected calibration error over equally wide confidence bins (arXiv:1706.04599), in [0, 1]; lower is better."""
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(bin_of, weights=confidence - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def calibration_interval(
    evidence: Floats, bins: int = 15, *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Interval of the calibration error of (confidence, correct) rows, given their confidences.

    The error is a norm: the sum of the absolute gaps of the bins. The estimate therefore differs by at most the norm of
    the noise of the gaps, whose quantile is simulated from the accuracy of each bin, shrunk towards 1/2 so that a bin
    without errors still has noise. A percentile bootstrap would be biased upwards.
    """
    confidence, correct = evidence.T
    estimate = calibration_error(confidence, correct, bins)
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = np.bincount(bin_of, minlength=bins)
    accuracy = (np.bincount(bin_of, weights=correct, minlength=bins) + 0.5) / (rows + 1)
    hits = np.random.default_rng(seed).binomial(rows, accuracy, size=(draws, bins))
    noise = np.quantile(np.abs(hits - rows * accuracy).sum(1) / len(evidence), level)
    return max(0.0, estimate - float(noise)), min(1.0, estimate + float(noise))


def area_under_roc(scores: Floats, positive: NDArray[Any]) -> float:
    """Probability that a positive ranks above a negative, ties counting half; NaN if a class is absent."""
    positive = np.asarray(positive, dtype=bool)
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if n1 == 0 or n0 == 0:
        return float("nan")
    above = ranks(scores)[positive].sum()
    return float((above - n1 * (n1 + 1) / 2) / (n1 * n0))


def area_under_roc_interval(
    scores: Floats, positive: NDArray[Any], *, level: float = 0.95, draws: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the area over rows, as `bootstrap` draws them; NaN if undefined.

    Scores are sorted once: a draw only changes how often each row counts. Percentiles are expanded as for a mean of as
    many rows as there are of the rarer kind.
    """
    positive, n = np.asarray(positive, dtype=bool), len(scores)
    if n < 2:
        return float("nan"), float("nan")
    order = np.argsort(scores, kind="stable")
    first = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)  # of the rows with one score
    ups, generator, areas = positive[order], np.random.default_rng(seed), []
    for _ in range(draws):
        times = np.bincount(generator.integers(n, size=n), minlength=n)[order]
        above, below = (np.add.reduceat(times * of, first) for of in (ups, ~ups))
        outranked = (above * (np.cumsum(below) - below / 2)).sum()
        pairs = float(above.sum()) * float(below.sum())
        areas.append(outranked / pairs if pairs else np.nan)
    return _percentiles(np.array(areas), level, min(int(positive.sum()), int((~positive).sum())))


def _percentiles(values: Floats, level: float, n: int) -> tuple[float, float]:
    """The expanded central interval of defined values, each of n rows; NaN if there are none."""
    defined = values[~np.isnan(values)]
    if len(defined) == 0:
        return float("nan"), float("nan")
    reach = special.stdtrit(max(n - 1, 1), (1 - level) / 2) * (n / max(n - 1, 1)) ** 0.5
    tail = float(special.ndtr(reach))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
