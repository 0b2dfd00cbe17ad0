"""How far probabilities are from the shares of answers that are right, without the bias of binning noise."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.statistics import Floats, normal_quantile, wilson

FEWEST = 2  # rows of a bin: the noise of a single one cannot be estimated


class Bins(NamedTuple):
    """Rows sorted into bins of confidence: how many each has, their mean confidence, and the share that is right."""

    low: Floats  # the lowest and the highest confidence in each
    high: Floats
    rows: Floats
    confidence: Floats
    accuracy: Floats


def bins_of(confidence: Floats, correct: Floats, bins: int) -> Bins:
    """Bins with as many rows as each other, but that equal confidences share one; there are fewer for few rows.

    >>> import numpy as np
    >>> bins_of(np.array([0.6, 0.6, 0.9, 0.9]), np.array([1.0, 0.0, 1.0, 1.0]), 2).accuracy.tolist()
    [0.5, 1.0]
    """
    count = max(1, min(bins, len(confidence) // FEWEST))
    ordered = np.sort(confidence)
    edges = np.unique(ordered[(np.arange(1, count) * len(ordered)) // count])
    bin_of = np.searchsorted(edges, confidence, side="right")
    _, bin_of = np.unique(bin_of, return_inverse=True)
    rows = np.bincount(bin_of).astype(float)
    low, high = (np.full(len(rows), sign * np.inf) for sign in (1, -1))
    np.minimum.at(low, bin_of, confidence)
    np.maximum.at(high, bin_of, confidence)
    sure, right = (np.bincount(bin_of, weights=part) / rows for part in (confidence, correct))
    return Bins(low, high, rows, sure, right)


def debiased_error(evidence: Floats, bins: int) -> float:
    """Root mean square calibration error, without the part that noise adds (arXiv:1909.10155), in [0, 1].

    Args:
        evidence: confidence, and whether the answer is right, (rows, 2).
        bins: bins of confidence with equally many rows.
    """
    return float(np.sqrt(max(0.0, _square(bins_of(evidence[:, 0], evidence[:, 1], bins))[0])))


def debiased_interval(
    evidence: Floats, level: float, draws: int, seed: int, bins: int
) -> tuple[float, float]:  # what every reduction's interval is given
    """Interval of the debiased error: its square is a sum over the bins, whose noise is nearly normal."""
    square, error = _square(bins_of(evidence[:, 0], evidence[:, 1], bins))
    away = float(normal_quantile(0.5 + level / 2)) * error
    low, high = (float(np.sqrt(np.clip(end, 0.0, 1.0))) for end in (square - away, square + away))
    return low, high


def diagram(evidence: Floats, bins: int, level: float = 0.95) -> NDArray[np.float64]:
    """Rows of a reliability diagram: from, to, mean confidence, accuracy with Wilson's interval, and n."""
    found = bins_of(evidence[:, 0], evidence[:, 1], bins)
    ends = wilson(found.rows * found.accuracy, found.rows, level)
    return np.stack([found.low, found.high, found.confidence, found.accuracy, *ends, found.rows], 1)


def _square(found: Bins) -> tuple[float, float]:
    """The squared error without bias, and its standard error."""
    share = found.rows / found.rows.sum()
    gap = found.accuracy - found.confidence
    # Of a bin with a single row the noise is that of its own confidence, were it right.
    single = found.rows < FEWEST
    own = found.confidence * (1 - found.confidence)
    noise = np.where(single, own, found.accuracy * (1 - found.accuracy) / np.maximum(found.rows - 1, 1))
    # Shrunk towards 1/2, as a bin without errors has noise all the same.
    shrunk = (found.rows * found.accuracy + 0.5) / (found.rows + 1)
    noisy = shrunk * (1 - shrunk) / found.rows
    variance = share**2 * (4 * np.maximum(gap**2 - noise, 0) * noisy + 2 * noisy**2)
    return float((share * (gap**2 - noise)).sum()), float(np.sqrt(variance.sum()))
