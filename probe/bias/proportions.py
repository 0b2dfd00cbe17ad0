"""The test of two proportions."""

import numpy as np

from probe import special
from probe.bias.validation import Floats, Ints

EXPECTED = 5  # fewest expected successes and failures for the normal approximation of the p-value
# Outcomes beyond what was seen, and beyond what is expected, that Fisher's test sums up. Fewer than EXPECTED are
# expected, so that all further ones together are less likely than 1e-12 of the p-value.
BEYOND = 40
BLOCK = 20_000  # pairs that Fisher's test takes at once


def divide(successes: Ints, trials: Ints) -> Floats:
    """The proportion, NaN where there were no trials."""
    return np.asarray(np.divide(successes, trials, out=np.full(np.shape(trials), np.nan), where=np.asarray(trials) > 0))


def two_proportions_p(k1: Ints, n1: Ints, k2: Ints, n2: Ints) -> Floats:
    """Two-sided p-values: pooled z, or Fisher's exact test where an expected count is under 5; NaN without trials."""
    pooled = divide(k1 + k2, n1 + n2)
    rare = np.minimum(pooled, 1 - pooled) * np.minimum(n1, n2) < EXPECTED
    defined = (n1 > 0) & (n2 > 0)
    p = np.full(len(pooled), np.nan)
    normal, exact = defined & ~rare, defined & rare
    p[normal] = 2 * special.ndtr(-np.abs(_pooled_z(k1[normal], n1[normal], k2[normal], n2[normal])))
    p[exact] = fisher_p(k1[exact], n1[exact], k2[exact], n2[exact])
    return p


def fisher_p(k1: Ints, n1: Ints, k2: Ints, n2: Ints) -> Floats:
    """Two-sided p-values of Fisher's exact test: the outcomes that are no likelier, given the totals."""
    # With the smaller group and the rarer outcome there are the fewest outcomes to sum, and the first is no success.
    flipped = 2 * (k1 + k2) > n1 + n2
    k1, k2 = np.where(flipped, n1 - k1, k1), np.where(flipped, n2 - k2, k2)
    swapped = n1 > n2
    k1, k2, n1, n2 = (np.where(swapped, *two) for two in ((k2, k1), (k1, k2), (n2, n1), (n1, n2)))
    cases, back = np.unique(np.stack([k1, n1, k1 + k2, n1 + n2]), axis=1, return_inverse=True)
    ways = special.gammaln(np.arange(1, int(cases[3].max(initial=0)) + 2))  # logarithms of factorials
    parts = [_fisher(cases[:, at : at + BLOCK], ways) for at in range(0, cases.shape[1], BLOCK)]
    return np.asarray(np.concatenate(parts)[back.ravel()]) if parts else np.zeros(0)


def _fisher(cases: Ints, ways: Floats) -> Floats:
    """P-values of tables of (successes and trials of the first group, and of both), one per column."""
    k, n, successes, total = (part[:, None] for part in cases)
    most = np.minimum(np.minimum(n, successes), np.maximum(k, EXPECTED) + BEYOND)
    x = np.arange(int(most.max(initial=0)) + 1)
    inside = x <= most
    x = np.where(inside, x, 0)
    others = ways[x] + ways[n - x] + ways[successes - x] + ways[total - n - successes + x]
    fixed = ways[n] + ways[total - n] + ways[successes] + ways[total - successes] - ways[total]
    likely = np.where(inside, np.exp(fixed - others), 0.0)
    seen = np.take_along_axis(likely, k, axis=1)
    return np.asarray(np.minimum(1.0, np.where(likely <= seen * (1 + 1e-7), likely, 0.0).sum(1)))


def holm(p: Floats) -> Floats:
    """Holm's (1979) step-down adjustment; NaN is no test and stays NaN."""
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def _pooled_z(k1: Ints, n1: Ints, k2: Ints, n2: Ints) -> Floats:
    pooled = (k1 + k2) / (n1 + n2)
    return np.asarray((k1 / n1 - k2 / n2) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2)))
