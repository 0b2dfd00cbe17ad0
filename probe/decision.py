"""How scores become a decision: the most likely class, or the second of two from a threshold of its owner's.

Arrays are numpy's or torch's, and both decide alike: a verifier has the same answers as the run that it checks.
"""

from collections.abc import Sequence
from math import log, log1p
from numbers import Real
from typing import Any

import numpy as np

from probe.errors import DataError, RangeError

ROUNDING = 2.0**-22  # of float32, as a share of what is compared: a probability that equals the threshold is at it


def decide(logits: Any, threshold: float | None) -> Any:
    """The class of each row of logits (rows, classes): with a threshold, class 1 where its probability reaches it."""
    if threshold is None:
        return logits.argmax(-1)
    cut, wide = log_odds(threshold), _wide(logits)
    one, other = wide[..., 1], wide[..., 0]
    return (one - other >= cut - ROUNDING * (abs(one) + abs(other) + abs(cut))) * 1


def shift(logits: Any, threshold: float | None) -> Any:
    """Logits whose larger one is the decision. Their differences are the same up to a constant, and so all slopes."""
    if threshold is None:
        return logits
    moved = logits + 0  # a copy that gradients pass through
    moved[..., 1] -= log_odds(threshold)
    return moved


def log_odds(threshold: float) -> float:
    """The log-odds of class 1 from which it is decided for.

    Raises:
        RangeError: if the threshold is not a probability between 0 and 1.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, Real) or not 0 < threshold < 1:
        raise RangeError(
            f"threshold = {threshold!r}, expected a probability above 0 and below 1 from which the second class is "
            "decided for, such as 0.3"
        )
    return log(threshold) - log1p(-threshold)


def check_threshold(threshold: float | None, count: int, classes: Sequence[str] = ()) -> None:
    """Raise RangeError unless the threshold is between 0 and 1, or DataError unless there are two classes."""
    if threshold is None:
        return
    log_odds(threshold)
    if count != 2:
        named = f": {', '.join(map(str, classes))}" if classes else ""
        raise DataError(
            f"threshold = {threshold}, and there are {count} classes{named}; a threshold decides between two, "
            "and among more the most likely one is taken: leave the threshold out"
        )


def in_words(threshold: float | None, classes: Sequence[str]) -> str:
    """What is decided from when; empty where the most likely class is."""
    if threshold is None:
        return ""
    return f"{classes[1] if len(classes) == 2 else 'class 1'} where its probability is at least {threshold:g}"


def _wide(logits: Any) -> Any:
    """Half precision in single: its rounding would decide."""
    if logits.dtype.itemsize >= 4:
        return logits
    return logits.astype(np.float32) if isinstance(logits, np.ndarray) else logits.float()
