"""Mixup (arXiv:1710.09412)."""

import torch
from scipy.special import betaincinv
from torch import Tensor
from torch.nn.functional import one_hot

from probe_models.training.randomness import beside


def mixup(inputs: Tensor, labels: Tensor, classes: int, alpha: float, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mix each row with another one: c x + (1 - c) x', and its target with the same c, drawn once from Beta(a, a).

    Returns:
        The mixed inputs, and targets (rows, classes) that are distributions over the classes.
    """
    # The quantile of a uniform draw: torch's own Beta distribution reads the global random state.
    uniform = float(torch.rand((), generator=beside(random), dtype=torch.float64))
    part = float(betaincinv(alpha, alpha, uniform))
    others = torch.randperm(len(inputs), generator=random, device=random.device).to(inputs.device)
    targets = one_hot(labels, classes).to(inputs.dtype)
    return part * inputs + (1 - part) * inputs[others], part * targets + (1 - part) * targets[others]
