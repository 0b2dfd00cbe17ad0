"""The power of a sample of this size: the smallest gap that would have failed, and the probability of a pass.

Both are about the check's status. A gap fails when its interval lies beyond the threshold, which takes a larger gap
than one that only differs from 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probe import special
from probe.bias.intervals import Limits, could_show, difference_of, limits_of, ratio_of
from probe.bias.validation import Floats, Ints
from probe.statistics import binomial_quantile

POWER = 0.8
DRAWN = 64  # samples of the other groups that a power is averaged over
TRIED = 2_000_000  # pairs of groups in the samples that are judged, of which there are 50 to 400
TABLED = 5_000  # a group of more has its limits computed where they are asked for
COMPARED = 20  # groups that the raised one is held against: the largest


@dataclass(frozen=True)
class Question:
    """The check of a pair: threshold, ratio or difference, and the alphas of the pair and of all pairs."""

    threshold: float
    ratio: bool
    alpha: float
    level: float


def failing(k: ArrayLike, n: ArrayLike, at: int, question: Question) -> float:
    """The smallest true gap (for a ratio: the largest true ratio) that would have failed with probability `POWER`.

    In hundredths.

    All other groups keep their common rate p, or (k + 1) / (n + 2) where that is 0 or 1. The rate of the group `at` is
    p + gap, or p - gap where p is over a half; p times the ratio for a ratio.

    Returns:
        The gap or ratio; NaN where none would have failed.
    """
    k, n = np.asarray(k, dtype=np.int64), np.asarray(n, dtype=np.int64)
    others = np.delete(np.arange(len(n)), at)
    base = _base(int(k[others].sum()), int(n[others].sum()))
    mirrored = not question.ratio and base > 0.5  # failures are as hard to tell apart as successes
    base = 1 - base if mirrored else base
    chosen = others[np.argsort(-n[others], kind="stable")][:COMPARED]
    drawn = _samples(n[chosen], base)
    exact = question.alpha < 1 - question.level
    limits = [part[..., None] for part in limits_of(drawn, n[chosen], question.alpha, exact=exact)]
    able = could_show(np.full(len(chosen), n[at]), n[chosen], question.alpha)
    edge = _edge(int(n[at]), limits, able, question)
    return _reached(edge, int(n[at]), base, ratio=question.ratio)


def _edge(size: int, others: Limits, able: np.ndarray, question: Question) -> Ints:
    """For each sample of the others, the smallest count (for a ratio the largest) of the group that fails."""
    exact = question.alpha < 1 - question.level
    known = limits_of(np.arange(size + 1), size, question.alpha, exact=exact) if size <= TABLED else None

    def fails(count: Ints) -> NDArray[np.bool_]:
        limits = limits_of(count, size, question.alpha, exact=exact) if known is None else [p[count] for p in known]
        own = [part[:, None, None] for part in limits]
        if question.ratio:
            shown = ratio_of(own, others)[1] < question.threshold
        else:
            shown = difference_of(own, others)[0] > question.threshold
        return np.asarray((shown[..., 0] & able).any(1))

    draws = len(others[0])
    # A count that fails, and one that does not; before the first step these are imaginary.
    failing, other = (
        np.full(draws, -1 if question.ratio else size + 1),
        np.full(draws, size + 1 if question.ratio else -1),
    )
    while (np.abs(failing - other) > 1).any():
        middle = (failing + other) // 2
        found = fails(np.clip(middle, 0, size))
        failing, other = np.where(found, middle, failing), np.where(found, other, middle)
    return failing


def _reached(edge: Ints, size: int, base: float, *, ratio: bool) -> float:
    """The gap or ratio at which the edges are reached with probability `POWER`."""

    def power(rate: float) -> float:
        if ratio:
            return float(np.where(edge < 0, 0.0, 1 - _at_least(edge + 1, size, rate)).mean())
        return float(_at_least(edge, size, rate).mean())

    # In hundredths, of a gap upwards and of a ratio downwards.
    rates = [base * (1 - at / 100) if ratio else min(base + at / 100, 1.0) for at in range(101)]
    near, far = 0, 100
    if power(rates[far]) < POWER:
        return float("nan")
    while far - near > 1:
        middle = (near + far) // 2
        near, far = (near, middle) if power(rates[middle]) >= POWER else (middle, far)
    return (100 - far if ratio else far) / 100


def _at_least(count: Ints, size: int, rate: float) -> Floats:
    """The probability of at least so many successes."""
    inside = np.clip(count, 1, size)
    chance = special.betainc(inside, size - inside + 1, rate)
    return np.where(count < 1, 1.0, np.where(count > size, 0.0, chance))


def failing_small(n: Ints, other: tuple[int, int], question: Question) -> Floats:
    """The smallest true gap of each small group to the `other` one that would have failed with probability `POWER`.

    The other group is taken at the rate that it showed, and the small ones lie on the side of it that has more room.
    """
    successes, trials = other
    base = _base(successes, trials)
    mirrored = base > 0.5
    base = 1 - base if mirrored else base
    counts, sizes = np.arange(int(n.max(initial=0)) + 1), n[:, None]
    exact = question.alpha < 1 - question.level
    shown = np.array([trials - successes if mirrored else successes])
    beside = limits_of(shown, trials, question.alpha, exact=exact)
    low, _ = difference_of(limits_of(np.minimum(counts, sizes), sizes, question.alpha, exact=exact), beside)
    able = could_show(n, np.full(len(n), trials), question.alpha)
    fails = (low > question.threshold) & (counts <= sizes) & able[:, None]
    edge = fails.argmax(1)
    # The chance of `edge` or more is a beta distribution's, so the rate at which it is POWER is its quantile.
    rate = special.betaincinv(np.maximum(edge, 1), np.maximum(n - edge + 1, 1), POWER)
    return np.where(fails.any(1), np.ceil(np.round(100 * np.maximum(rate - base, 0.0), 6)) / 100, np.nan)


def chance_of_pass(k: ArrayLike, n: ArrayLike, question: Question) -> float:
    """The probability that these groups would pass if all had their common rate."""
    k, n = np.asarray(k, dtype=np.int64), np.asarray(n, dtype=np.int64)
    if (n == 0).any():
        return 0.0
    base = _base(int(k.sum()), int(n.sum()))
    generator = np.random.default_rng(0)
    order = np.argsort(n, kind="stable")  # the smallest group decides most samples
    tried = int(np.clip(2 * TRIED // max(len(n) * (len(n) - 1), 1), 50, 400))
    drawn = generator.binomial(n[order], base, size=(tried, len(n)))
    limits = limits_of(drawn, n[order], 1 - question.level)
    left = np.ones(tried, dtype=bool)
    for at in range(len(n) - 1):
        own, rest = ([part[left, at:][:, side] for part in limits] for side in (slice(0, 1), slice(1, None)))
        left[left] = _passes(own, rest, question).all(1)
    return float(left.mean())


def _passes(own: Limits, rest: Limits, question: Question) -> NDArray[np.bool_]:
    low, high = (ratio_of if question.ratio else difference_of)(own, rest)
    if question.ratio:
        return np.asarray(np.minimum(low, 1 / high) >= question.threshold)
    return np.asarray(np.maximum(-low, high) <= question.threshold)


def _base(successes: int, trials: int) -> float:
    return successes / trials if 0 < successes < trials else (successes + 1) / (trials + 2)


def _samples(sizes: Ints, rate: float) -> Ints:
    """Samples whose quantiles are spread evenly in each group, in an order of its own."""
    generator = np.random.default_rng(0)
    middles = (np.arange(DRAWN) + 0.5) / DRAWN
    quantiles = np.stack([generator.permutation(middles) for _ in sizes], axis=1)
    return binomial_quantile(quantiles, sizes, rate).astype(np.int64)
