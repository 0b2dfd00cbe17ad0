"""Inputs that are made hard while training: each row is moved within a ball so that the network errs more.

| method | what is climbed | how |
|---|---|---|
| fgsm (arXiv:2001.03994) | the cross-entropy | from a random point of the ball a step of 1.25 radii along the signs |
| pgd (arXiv:1706.06083) | the cross-entropy | from a random point steps of 2.5 radii / steps along the signs |
| trades (arXiv:1901.08573) | how far the answers are from those to the row itself | as pgd, from nearby |

A radius is of the largest change of a coordinate, in the unit of the space's scale; every point stays in the space.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probe.recurrent import differentiable
from probe.space import Space
from probe_models.networks.network import logits_of
from probe_models.training.metrics import Line
from probe_models.training.settings import Adversary

NEARBY = 1e-3  # the part of a unit in which trades starts: at the row itself the divergence has no slope
FALL = 0.1  # of accuracy under attack below its best; more is a collapse


def directions(inputs: Tensor, random: torch.Generator) -> Tensor:
    """Where each row starts, as parts of a radius: uniform in [-1, 1], in the shape of the inputs."""
    return torch.rand(inputs.shape, generator=random, device=random.device).to(inputs) * 2 - 1


def perturb(
    network: nn.Module, inputs: Tensor, targets: Tensor, start: Tensor, adversary: Adversary, space: Space
) -> Tensor:
    """The inputs moved against the network, which is left as it was: weights, gradients, statistics and modes.

    Args:
        network: what to mislead; it is asked in eval mode.
        inputs: the rows (rows, ...) that the balls are around.
        targets: labels (rows,) or distributions over the classes (rows, classes).
        start: `directions` in which the rows set out.
        adversary: how to move them, and how far.
        space: what a row may become.
    """
    unit, radius = space.scale_of(inputs), adversary.eps
    near, steps = adversary.method == "trades", 1 if adversary.method == "fgsm" else adversary.steps
    length = 1.25 * radius if adversary.method == "fgsm" else 2.5 * radius / steps
    moved = space.project(inputs + start * unit * (NEARBY if near else radius), inputs)
    with _judging(network):
        goal = F.log_softmax(logits_of(network, inputs).detach(), 1) if near else None
        for _ in range(steps):
            slope = _slope(network, moved, targets, goal)
            change = (moved - inputs) / unit + length * slope.sign()
            moved = space.project(inputs + change.clamp(-radius, radius) * unit, inputs)
    return moved.detach()


def divergence(logits: Tensor, goal: Tensor) -> Tensor:
    """KL(goal || softmax(logits)) of each row (rows,), where `goal` holds logarithms of probabilities."""
    return F.kl_div(F.log_softmax(logits, 1), goal, reduction="none", log_target=True).sum(1)


def catastrophic_overfitting(lines: Sequence[Line]) -> bool:
    """Whether accuracy under attack has fallen by more than 10 points below its best.

    That is how the catastrophic overfitting of one-step adversaries shows (arXiv:2001.03994): all robustness is lost
    within an epoch or two. It shows on training and on validation rows; a fall on one of them alone may be chance.
    """
    curves = [[line[name] for line in lines] for name in ("training_accuracy", "validation_accuracy")]
    return bool(lines) and all(max(curve) - curve[-1] > FALL for curve in curves)


@contextmanager
def _judging(network: nn.Module) -> Iterator[None]:
    """Eval mode, in which statistics of moved rows do not leak into those that the network keeps."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        # Not network.train(): parts of it may be frozen, and then their statistics are.
        for module, mode in modes:
            module.training = mode


def _slope(network: nn.Module, inputs: Tensor, targets: Tensor, goal: Tensor | None) -> Tensor:
    x = inputs.detach().requires_grad_()
    with torch.enable_grad(), differentiable(network):
        logits = logits_of(network, x)
        rising = F.cross_entropy(logits, targets, reduction="sum") if goal is None else divergence(logits, goal).sum()
        # By the inputs alone: the gradients of the weights are neither computed nor touched.
        (slope,) = torch.autograd.grad(rising, x)
    return slope
