"""The test of two proportions, from its p-value to the outcomes that it rejects."""

import numpy as np
from scipy import special, stats

from probe.bias.gate import Floats, Ints

EXPECTED = 5  # fewest expected successes and failures for the normal approximation of the p-value


def divide(successes: Ints, trials: Ints) -> Floats:
    """The proportion, NaN where there were no trials."""
    return np.divide(successes, trials, out=np.full(np.shape(trials), np.nan), where=np.asarray(trials) > 0)


def two_proportions_p(k1: Ints, n1: Ints, k2: Ints, n2: Ints) -> Floats:
    """Two-sided p-values: pooled z, or Fisher's exact test where an expected count is under 5; NaN without trials."""
    pooled = divide(k1 + k2, n1 + n2)
    rare = _rare(pooled, np.minimum(n1, n2))
    defined = (n1 > 0) & (n2 > 0)
    p = np.full(len(pooled), np.nan)
    normal, exact = defined & ~rare, defined & rare
    p[normal] = 2 * stats.norm.sf(np.abs(_pooled_z(k1[normal], n1[normal], k2[normal], n2[normal])))
    p[exact] = [
        stats.fisher_exact(cells.reshape(2, 2)).pvalue for cells in np.stack([k1, n1 - k1, k2, n2 - k2], 1)[exact]
    ]
    return p


def rejected(k1: Ints, n1: int, k2: Ints, n2: int, alpha: float) -> np.ndarray:
    """Whether `two_proportions_p` is at most `alpha`, for each of k1 (rows) with each of k2 (columns).

    Both are runs of consecutive counts, and those of k1 start at 0. Where they stop before n1, Fisher's p-values
    neglect what lies beyond.
    """
    first, second = np.meshgrid(k1, k2, indexing="ij")
    totals = np.arange(int(k2[0]), int(k2[-1] + k1[-1]) + 1)
    by_total = _fisher(totals, k1, n1, n2, alpha)[first + second - totals[0], first]
    rare = _rare((first + second) / (n1 + n2), min(n1, n2))
    with np.errstate(divide="ignore", invalid="ignore"):  # nobody, or everybody, succeeds: that is rare
        z = np.abs(_pooled_z(first, n1, second, n2))
    return np.where(rare, by_total, z >= stats.norm.isf(alpha / 2))


def holm(p: Floats) -> Floats:
    """Holm's (1979) step-down adjustment; NaN is no test and stays NaN."""
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def _rare(pooled: Floats, least: Ints | int) -> np.ndarray:
    return np.asarray(np.minimum(pooled, 1 - pooled) * least < EXPECTED)


def _pooled_z(k1: Ints, n1: Ints | int, k2: Ints, n2: Ints | int) -> Floats:
    pooled = (k1 + k2) / (n1 + n2)
    return (k1 / n1 - k2 / n2) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))


def _fisher(totals: Ints, k1: Ints, n1: int, n2: int, alpha: float) -> np.ndarray:
    """Whether Fisher's two-sided test rejects: rows are totals of successes, columns those of the first group."""
    ways = _log_ways(n2, np.arange(totals[0] - k1[-1], totals[-1] + 1))
    split = ways[(totals - totals[0] + k1[-1])[:, None] - k1] + _log_ways(n1, k1)
    likely = np.exp(split - _log_ways(n1 + n2, totals)[:, None])
    ordered = np.sort(likely, axis=1)
    kept = (np.cumsum(ordered, axis=1) <= alpha).sum(axis=1)
    # The p-value of an outcome sums all that are no likelier, so what ties with the first to exceed alpha stays.
    limit = np.append(ordered, np.full((len(totals), 1), np.inf), axis=1)[np.arange(len(totals)), kept]
    return likely < limit[:, None] * (1 - 1e-7)


def chances(k: Ints, n: int, rates: Floats) -> Floats:
    """Binomial probabilities of each k of n, a row for each rate; quicker on short arrays than those of scipy."""
    column = rates[:, None]
    return np.exp(_log_ways(n, k) + special.xlogy(k, column) + special.xlog1py(n - k, -column))


def _log_ways(n: int, k: Ints) -> Floats:
    """Logarithm of the number of ways to choose k of n, -inf where there are none."""
    inside = np.clip(k, 0, n)
    ways = special.gammaln(n + 1) - special.gammaln(inside + 1) - special.gammaln(n - inside + 1)
    return np.where(inside == k, ways, -np.inf)
