"""How well scores tell two kinds of rows apart: area under ROC, and the share found at few false alarms."""

import numpy as np

from probe.statistics import Floats, area_under_roc, binomial_quantile, ranks, wilson

# Evidence is (rows, 2): the score of an ordinary row, and that of one to be found, which should be higher.


def area(evidence: Floats) -> float:
    """The probability that a row to be found has the higher score; ties count half."""
    return area_under_roc(evidence.T.ravel(), np.repeat([0, 1], len(evidence)))


def area_interval(evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
    """Interval of the area by the variance of its placements (DeLong 1988), as a Wilson interval of that width.

    The two scores of a row may depend on each other. Where they are wholly apart, which has no variance, the interval
    is that of a proportion of as many rows.
    """
    n, value = len(evidence), area(evidence)
    if n < 2:
        return float("nan"), float("nan")
    together = ranks(evidence.T.ravel()).reshape(2, n)
    own = np.stack([ranks(part) for part in evidence.T])
    below = (together - own) / n  # the share of the other kind below each
    placement = below[1] + 1 - below[0]
    variance = float(placement.var(ddof=1)) / n
    rows = min(2.0 * n, value * (1 - value) / variance) if variance > 0 else float(n)
    low, high = wilson(value * rows, rows, level)
    return float(low), float(high)


def found(evidence: Floats, rate: float) -> float:
    """The share of rows to be found whose score is above that of all ordinary rows but a share of `rate`."""
    return float((evidence[:, 1] > _cut(evidence[:, 0], int(np.floor(rate * len(evidence))))).mean())


def found_interval(evidence: Floats, level: float, draws: int, seed: int, rate: float) -> tuple[float, float]:
    """Interval of the share found: half of the doubt is about where the threshold lies, half about the share above."""
    n, half = len(evidence), (1 + level) / 2
    tails = np.array([(1 - half) / 2, (1 + half) / 2])
    # How many of n ordinary rows lie above the true threshold.
    fewest, most = binomial_quantile(tails, np.full(2, n), rate)
    ends = [(evidence[:, 1] > _cut(evidence[:, 0], int(above))).sum() for above in (fewest - 1, most)]
    low, high = (wilson(count, n, half)[at] for at, count in enumerate(ends))
    return float(low), float(high)


def missed(evidence: Floats, rate: float) -> float:
    """The share that is not found."""
    return 1 - found(evidence, rate)


def missed_interval(evidence: Floats, level: float, draws: int, seed: int, rate: float) -> tuple[float, float]:
    """Interval of the share that is not found."""
    low, high = found_interval(evidence, level, draws, seed, rate)
    return 1 - high, 1 - low


def _cut(ordinary: Floats, above: int) -> float:
    """The lowest threshold that at most so many ordinary rows are above; infinity for a number below 0."""
    if above < 0:
        return np.inf
    return float(np.sort(ordinary)[::-1][above]) if above < len(ordinary) else -np.inf
