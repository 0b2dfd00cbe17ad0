"""Adversarial training: each row is perturbed within a ball to raise the loss.

| method | loss that is maximised | how |
|---|---|---|
| fgsm (arXiv:2001.03994) | the cross-entropy | one signed step of 1.25 radii from a random point of the ball |
| pgd (arXiv:1706.06083) | the cross-entropy | signed steps of 2.5 radii / steps from a random point |
| trades (arXiv:1901.08573) | the KL divergence from the clean outputs | as pgd, from a point near the row |

Radii are L-infinity, in units of the space's scale; every point stays within the space.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from probe.recurrent import differentiable
from probe.space import Space
from probe_models.networks.network import logits_of
from probe_models.training.losses import cross_entropy, divergence
from probe_models.training.metrics import Line
from probe_models.training.settings import Adversary

NEARBY = 1e-3  # distance of the start of trades, in radii of 1: at the row itself the divergence has no gradient
FALL = 0.1  # drop of robust accuracy below its best that counts as catastrophic overfitting


def directions(inputs: Tensor, random: torch.Generator) -> Tensor:
    """The start of each row in radii: uniform in [-1, 1], shaped as the inputs."""
    return torch.rand(inputs.shape, generator=random, device=random.device).to(inputs) * 2 - 1


def perturb(
    network: nn.Module, inputs: Tensor, targets: Tensor, start: Tensor, adversary: Adversary, space: Space
) -> Tensor:
    """Adversarial inputs; the network is unchanged: weights, gradients, statistics and modes.

    Args:
        network: the network to attack, in eval mode.
        inputs: the clean rows (rows, ...), centres of the balls.
        targets: labels (rows,) or distributions over the classes (rows, classes).
        start: `directions` of the starting points.
        adversary: the attack and its radius.
        space: the bounds of a row.
    """
    unit, radius = space.scale_of(inputs), adversary.eps
    near, steps = adversary.method == "trades", 1 if adversary.method == "fgsm" else adversary.steps
    length = 1.25 * radius if adversary.method == "fgsm" else 2.5 * radius / steps
    moved = space.project(inputs + start * unit * (NEARBY if near else radius), inputs)
    with _judging(network):
        goal = logits_of(network, inputs).detach() if near else None
        for _ in range(steps):
            slope = _slope(network, moved, targets, goal)
            change = (moved - inputs) / unit + length * slope.sign()
            moved = space.project(inputs + change.clamp(-radius, radius) * unit, inputs)
    return moved.detach()


def catastrophic_overfitting(lines: Sequence[Line]) -> bool:
    """Whether robust accuracy has dropped by more than 10 points below its best.

    This detects the catastrophic overfitting of one-step attacks (arXiv:2001.03994), in which all robustness is lost
    within an epoch or two. It shows on training and on validation rows; a drop on only one of them may be chance.
    """
    curves = [[line[name] for line in lines] for name in ("training_accuracy", "validation_accuracy")]
    return bool(lines) and all(max(curve) - curve[-1] > FALL for curve in curves)


@contextmanager
def _judging(network: nn.Module) -> Iterator[None]:
    """Eval mode, so that adversarial rows do not enter the running statistics."""
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
        rising = cross_entropy(logits, targets) if goal is None else divergence(logits, goal)
        # Input gradients only: weight gradients are neither computed nor changed.
        (slope,) = torch.autograd.grad(rising.sum(), x)
    return slope
