"""The temperature by which logits are divided so that their probabilities fit the labels best."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.task.arrays import entry, softmax

Leads = NDArray[np.float64]
LOWEST, HIGHEST = 0.05, 20.0  # where every answer is right, or none is, the best temperature would be 0 or infinite
HALVINGS = 45  # of the range, to a share of 1e-12


def leads(logits: Any, labels: Any) -> Any:
    """By how much each class is ahead of the label's, (rows, classes): all that a temperature depends on."""
    return logits - entry(logits, labels)[..., None]


def temperature(ahead: Leads) -> float:
    """The temperature with the highest likelihood (arXiv:1706.04599), from 0.05 to 20: above 1 the model is too sure.

    Args:
        ahead: the `leads` of some rows, (rows, classes).

    Example:
        >>> import numpy as np
        >>> sure = np.array([[0.0, -4.0]] * 3 + [[0.0, 4.0]])  # 98 % sure, and right in 3 of 4
        >>> round(temperature(sure), 2)  # 4 / log(3)
        3.64
    """
    low, high = np.log(1 / HIGHEST), np.log(1 / LOWEST)
    if not len(ahead):
        return 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        rising = _slopes(ahead, float(np.exp(middle)))[0].sum() > 0  # the likelihood has one peak
        low, high = (low, middle) if rising else (middle, high)
    return float(np.exp(-(low + high) / 2))


def spread(ahead: Leads, found: float) -> float:
    """The standard error of the logarithm of a temperature, whatever the true probabilities (sandwich estimator)."""
    slopes, curvature = _slopes(ahead, 1 / found)
    steepness = float(curvature.sum()) / found
    return float(np.sqrt((slopes**2).sum())) / steepness if steepness > 0 else np.inf


def _slopes(ahead: Leads, inverse: float) -> tuple[Leads, Leads]:
    """The first and second derivative of each row's loss by the inverse temperature."""
    chance = softmax(ahead * inverse)
    first = (chance * ahead).sum(-1)
    return first, (chance * ahead**2).sum(-1) - first**2
