"""Losses of logits for each row, times the weight of the row.

Targets are labels (rows,) or distributions over the classes (rows, classes). The weight of a row is that of its class;
for a distribution, the mean over it. Label smoothing s (arXiv:1512.00567) replaces each target t by (1 - s) t + s / C
for C classes. The loss of many rows is the sum of their losses over the sum of their weights.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor | None, float], Tensor]


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Sum of w[c] t[c] (-log p[c]) over classes c, with p = softmax(logits)."""
    return F.cross_entropy(logits, targets, weights, label_smoothing=smoothing, reduction="none")


def squared_error(logits: Tensor, targets: Tensor, weights: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Mean of (softmax(logits) - t)^2 over classes: the Brier score over the number of classes."""
    errors = (logits.float().softmax(1) - _smooth(targets, logits, smoothing)).square()
    return errors.mean(1) * shares(targets, weights)


def binary_cross_entropy(
    logits: Tensor, targets: Tensor, weights: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Mean over classes of -t log s - (1 - t) log(1 - s) with s = sigmoid(logits): each class by itself."""
    goals = _smooth(targets, logits, smoothing)
    errors = F.binary_cross_entropy_with_logits(logits.float(), goals, reduction="none")
    return errors.mean(1) * shares(targets, weights)


def divergence(logits: Tensor, goal: Tensor) -> Tensor:
    """KL(softmax(goal) || softmax(logits)) of each row (rows,)."""
    found = F.kl_div(F.log_softmax(logits, 1), F.log_softmax(goal, 1), reduction="none", log_target=True)
    return found.sum(1)


def shares(targets: Tensor, weights: Tensor | None) -> Tensor:
    """The weight of each row (rows,)."""
    if weights is None:
        return torch.ones(len(targets), device=targets.device)
    return targets @ weights if targets.is_floating_point() else weights[targets]


LOSSES: dict[str, Loss] = {"cross-entropy": cross_entropy, "mse": squared_error, "bce": binary_cross_entropy}


def _smooth(targets: Tensor, logits: Tensor, smoothing: float) -> Tensor:
    classes = logits.shape[1]
    goals = targets if targets.is_floating_point() else F.one_hot(targets, classes).to(torch.float32)
    return (1 - smoothing) * goals + smoothing / classes
