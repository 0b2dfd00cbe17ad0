"""What training makes small: the weighted mean over the rows of how far the logits are from the targets.

Targets are labels (rows,) or distributions over the classes (rows, classes). A row weighs as much as its class; a
distribution weighs the mean of its classes. Smoothing spreads a part s of each target t over the C classes
(arXiv:1512.00567): t <- (1 - s) t + s / C.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor | None, float], Tensor]


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Sum of w[c] t[c] (-log p[c]) over classes c and rows, over the sum of the rows' weights; p = softmax(logits)."""
    if not targets.is_floating_point():
        return F.cross_entropy(logits, targets, weights, label_smoothing=smoothing)
    # torch divides by the number of rows here, and so would weigh labels and their one-hot targets differently.
    total = F.cross_entropy(logits, targets, weights, label_smoothing=smoothing, reduction="sum")
    return total / (len(targets) if weights is None else (targets @ weights).sum())


def squared_error(logits: Tensor, targets: Tensor, weights: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Mean of (softmax(logits) - t)^2 over classes, then rows: the Brier score over the number of classes."""
    goals = _distributions(targets, logits)
    return _mean((logits.float().softmax(1) - _smooth(goals, smoothing)).square().mean(1), goals, weights)


def binary_cross_entropy(
    logits: Tensor, targets: Tensor, weights: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Mean over classes, then rows, of -t log s - (1 - t) log(1 - s) with s = sigmoid(logits): each class by itself."""
    goals = _distributions(targets, logits)
    errors = F.binary_cross_entropy_with_logits(logits.float(), _smooth(goals, smoothing), reduction="none")
    return _mean(errors.mean(1), goals, weights)


LOSSES: dict[str, Loss] = {"cross-entropy": cross_entropy, "mse": squared_error, "bce": binary_cross_entropy}


def _distributions(targets: Tensor, logits: Tensor) -> Tensor:
    return targets if targets.is_floating_point() else F.one_hot(targets, logits.shape[1]).to(torch.float32)


def _smooth(targets: Tensor, smoothing: float) -> Tensor:
    return (1 - smoothing) * targets + smoothing / targets.shape[1]


def _mean(errors: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return errors.mean()
    rows = targets @ weights
    return (rows * errors).sum() / rows.sum()
