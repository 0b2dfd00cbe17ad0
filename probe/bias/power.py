"""How large a gap must be before a sample of this size could show it."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from probe.bias.gate import Floats

POWER = 0.8


def detectable_gap(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, alpha: float = 0.05, power: float = POWER
) -> Floats:
    """Smallest gap between two proportions that a two-sided test finds with this power, elementwise.

    The normal approximation at the pooled rate p: (z of alpha/2 + z of power) * sqrt(p (1 - p) (1/n1 + 1/n2)).
    A pooled rate of 0 or 1 would promise that any gap is seen, so there it becomes (k + 1) / (n + 2).
    Above 1, no gap at all could have been shown. NaN where a group has no trials.
    """
    k1, n1, k2, n2 = (np.asarray(a, dtype=float) for a in (k1, n1, k2, n2))
    k, n = k1 + k2, np.where((n1 > 0) & (n2 > 0), n1 + n2, np.nan)
    pooled = np.where((k == 0) | (k == n), (k + 1) / (n + 2), k / n)
    z = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)
    return np.asarray(z * np.sqrt(pooled * (1 - pooled) * n / np.where(n > 0, n1 * n2, np.nan)))
