"""How large a gap must be before a sample of this size could show it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from probe.bias.gate import Floats, Ints
from probe.bias.proportions import chances, rejected

POWER = 0.8
# Up to this many trials, or expected successes or failures, in the smaller group its outcomes are enumerated. Beyond,
# the normal formula leaves at least 0.785 of a power of 0.8.
FEW, EXPECTED = 40, 10
# Outcomes of a group with few expected successes that are enumerated; further ones are rejected by any test.
FARTHEST = 120


def detectable_gap(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, alpha: float = 0.05, power: float = POWER
) -> Floats:
    """Gap that the test of two proportions would have shown with this power, elementwise.

    The larger group, of two of one size that with the rate nearer a half, keeps its rate p, or (k + 1) / (n + 2) where
    that is 0 or 1, and the smaller one's is p + gap or p - gap. At the gap, and at any larger one that a rate in [0, 1]
    has room for, `two_proportions_p` is at most `alpha` with probability `power` or more. That probability is
    enumerated where the smaller group has few trials, or few expected successes or failures. Elsewhere it is that of
    the pooled z test when rates are unlike,

        Phi((gap - z(1 - alpha/2) sqrt(b (1 - b) (1/n + 1/m))) / sqrt(p (1 - p) / n + r (1 - r) / m)),

    for n trials at rate p, m at rate r = p +- gap, and b = (n p + m r) / (n + m).

    Returns:
        The gaps. NaN where no gap would have been shown, or a group has no trials.
    """
    given = np.broadcast_arrays(*(np.asarray(a, dtype=np.int64) for a in (k1, n1, k2, n2)))
    shape = given[0].shape
    k1, n1, k2, n2 = (a.ravel() for a in given)
    first = (n1 > n2) | ((n1 == n2) & (abs(2 * k1 - n1) <= abs(2 * k2 - n2)))
    k, n, m = np.where(first, k1, k2), np.where(first, n1, n2), np.where(first, n2, n1)
    k = np.minimum(k, n - k)  # failures are as hard to tell apart as successes
    p = np.where(k == 0, 1 / (n + 2), k / np.maximum(n, 1))
    few = (m > 0) & ((m <= FEW) | (m * p < EXPECTED))
    many = (m > 0) & ~few
    gaps = np.full(len(m), np.nan)
    gaps[many] = _normal(m[many], n[many], p[many], alpha, power)
    cases, back = np.unique(np.stack([m, n, k])[:, few], axis=1, return_inverse=True)
    rates = np.where(cases[2] == 0, 1 / (cases[1] + 2), cases[2] / cases[1])
    exact = [_exact(int(m), int(n), float(p), alpha, power) for (m, n, _), p in zip(cases.T, rates, strict=True)]
    gaps[few] = np.array(exact, dtype=float)[back]
    return gaps.reshape(shape)


def _normal(m: Ints, n: Ints, p: Floats, alpha: float, power: float) -> Floats:
    critical, sure = stats.norm.isf(alpha / 2), stats.norm.ppf(power)

    def reached(r: Floats) -> np.ndarray:
        pooled = (n * p + m * r) / (n + m)
        null = critical * np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        return np.asarray(np.abs(r - p) - null >= sure * np.sqrt(p * (1 - p) / n + r * (1 - r) / m))

    def nearest(farthest: Floats) -> Floats:
        low, high = p, farthest
        for _ in range(30):
            middle = (low + high) / 2
            enough = reached(middle)
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return np.where(reached(farthest), np.abs(high - p), np.nan)

    return _either_way(nearest(np.ones_like(p)), nearest(np.zeros_like(p)), p)


def _exact(m: int, n: int, p: float, alpha: float, power: float) -> float:
    smaller = np.arange(min(m, FARTHEST) + 1)
    likely = np.asarray(stats.binom.ppf([1e-6, 1 - 1e-6], n, p))
    larger = np.arange(likely[0], likely[1] + 1, dtype=np.int64)
    found = rejected(smaller, m, larger, n, alpha) @ chances(larger, n, np.array([p]))[0]

    def reached(r: Floats) -> Floats:
        beyond = special.bdtrc(smaller[-1], m, r) if m > FARTHEST else 0.0
        return np.asarray(chances(smaller, m, r) @ found + beyond)

    up, down = (_nearest(reached, p, farthest, power) for farthest in (1.0, 0.0))
    return float(_either_way(np.asarray(up), np.asarray(down), np.asarray(p)))


def _nearest(reached: Callable[[Floats], Floats], p: float, farthest: float, power: float) -> float:
    """Distance from p to the rate from which on, up to the farthest, the power is reached; NaN if it never is."""
    low, high = p, farthest
    for _ in range(2):
        rates = np.linspace(low, high, 41)
        short = np.flatnonzero(reached(rates) < power)
        if len(short) == 0 or short[-1] == 40:
            return float("nan")
        low, high = rates[short[-1]], rates[short[-1] + 1]
    return abs(high - p)


def _either_way(up: Floats, down: Floats, p: Floats) -> Floats:
    """A gap beyond which both directions would be shown. A rate p <= 1/2 has no room to fall by p or more."""
    return np.asarray(np.maximum(up, np.where(np.isnan(down), p, down)))
