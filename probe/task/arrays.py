"""Arithmetic on outputs that is the same for numpy arrays and torch tensors, without importing torch."""

from math import log as ln
from math import log1p
from numbers import Real
from typing import Any

import numpy as np

from probe import special
from probe.errors import ProbeError, RangeError

ROUNDING = 2.0**-22  # relative rounding of float32: a probability this close to the threshold equals it
LEAST = 1e-12  # smallest probability whose logarithm is taken
SUM = 2e-3  # by how much rounding in half precision moves the sum of a row from 1


def log_odds(threshold: float) -> float:
    """The log-odds of class 1 at a probability threshold.

    Raises:
        RangeError: if the threshold is not a probability between 0 and 1.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, Real) or not 0 < threshold < 1:
        raise RangeError(
            f"threshold = {threshold!r}, expected a probability above 0 and below 1 from which the second class is "
            "predicted, such as 0.3"
        )
    return ln(threshold) - log1p(-threshold)


def entry(outputs: Any, targets: Any) -> Any:
    """The entry of each row at its target."""
    if isinstance(outputs, np.ndarray):
        return np.take_along_axis(outputs, np.asarray(targets)[..., None], -1)[..., 0]
    return outputs.gather(-1, targets[..., None])[..., 0]


def softmax(logits: Any) -> Any:
    """Softmax over the last axis; in float64 for numpy arrays."""
    if isinstance(logits, np.ndarray):
        return special.softmax(logits.astype(np.float64), axis=-1)
    return logits.softmax(-1)


def sigmoid(logits: Any) -> Any:
    """The sigmoid of each logit; in float64 for numpy arrays."""
    return special.expit(logits.astype(np.float64)) if isinstance(logits, np.ndarray) else logits.sigmoid()


def others(logits: Any, labels: Any) -> Any:
    """The logits, with the label's replaced by -infinity."""
    if isinstance(logits, np.ndarray):
        held = logits.astype(np.float64)
        np.put_along_axis(held, labels[..., None], -np.inf, -1)
        return held
    own = (logits.detach().bool() & False).scatter(-1, labels[..., None], value=True)
    return logits.masked_fill(own, -np.inf)


def rivals(logits: Any, labels: Any, most: int) -> Any:
    """The most likely classes besides the label, at most so many, (batch, classes), the likeliest first."""
    return others(logits, labels).topk(min(most, logits.shape[-1] - 1), dim=-1).indices


def error_log_odds(logits: Any, labels: Any) -> Any:
    """Log sum_(k != y) exp z_k - z_y over the last axis."""
    held = others(logits, labels)
    summed = special.logsumexp(held, axis=-1) if isinstance(held, np.ndarray) else held.logsumexp(-1)
    return summed - entry(logits, labels)


def log(probabilities: Any) -> Any:
    """Logarithms of probabilities; 0 is replaced by the smallest positive one."""
    clipped = wide(probabilities).clip(LEAST)
    return np.log(clipped) if isinstance(clipped, np.ndarray) else clipped.log()


def logit(probabilities: Any) -> Any:
    """Log-odds; probabilities of 0 and 1 are moved inwards by the rounding step of their dtype."""
    probabilities = wide(probabilities)
    least = 2.0**-23 if probabilities.dtype.itemsize == 4 else 2.0**-52
    if isinstance(probabilities, np.ndarray):
        return special.logit(probabilities.clip(least, 1 - least))
    return probabilities.logit(least)


def probable(outputs: Any, *, sums: bool = False) -> Any:
    """The outputs, after checking that they are in [0, 1] and that rows sum to 1 where they should.

    Raises:
        ProbeError: with what to write if they are logits.
    """
    held = wide(outputs)
    inside = bool(((held >= 0) & (held <= 1 + SUM)).all())
    if inside and not (sums and bool((abs(held.sum(-1) - 1) > SUM).any())):
        return outputs
    span = f"numbers from {float(held.min()):.4g} to {float(held.max()):.4g}"
    found = "rows that do not add up to 1" if inside else span
    raise ProbeError(
        f"forward returned {found}, and the task says that they are probabilities; for logits leave its outputs= out"
    )


def largest(values: Any) -> Any:
    """The largest entry of each row."""
    return values.max(-1) if isinstance(values, np.ndarray) else values.amax(-1)


def largest_but(values: Any, above: int) -> Any:
    """The largest entry of each row but for so many above it; with 0, the largest."""
    if above == 0:
        return largest(values)
    if isinstance(values, np.ndarray):
        return np.partition(values, -1 - above, axis=-1)[..., -1 - above]
    return values.topk(above + 1, dim=-1).values[..., -1]


def like(numbers: list[float], other: Any) -> Any:
    """Numbers as an array of the type and dtype of another."""
    return np.asarray(numbers, other.dtype) if isinstance(other, np.ndarray) else other.new_tensor(numbers)


def wide(logits: Any) -> Any:
    """Half precision as float32, whose rounding does not change predictions."""
    if logits.dtype.itemsize >= 4:
        return logits
    return logits.astype(np.float32) if isinstance(logits, np.ndarray) else logits.float()
