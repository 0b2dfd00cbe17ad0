"""Inputs that are made hard while training: each row is moved within a ball so that the network errs more.

| method | what is climbed | how |
|---|---|---|
| fgsm (arXiv:2001.03994) | the loss | from a random point of the ball a step of 1.25 radii along the signs |
| pgd (arXiv:1706.06083) | the loss | from a random point steps of 2.5 radii / steps along the signs |
| trades (arXiv:1901.08573) | how far the answers are from those to the row itself | as pgd, from nearby |

A radius is of the largest change of a coordinate, in the unit of the space's scale; every point stays in the space.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.networks.network import Network
from models.training.settings import Adversary
from probe.space import Space

NEARBY = 1e-3  # where trades starts, in input units: at the row itself the divergence has no slope


def harden(
    network: Network, inputs: Tensor, labels: Tensor, adversary: Adversary, space: Space, random: torch.Generator
) -> Tensor:
    """The inputs moved against the network, which is left as it was: weights, statistics and mode."""
    unit, radius = space.unit(inputs), adversary.eps
    started = torch.rand(inputs.shape, generator=random).to(inputs) * 2 - 1
    near = adversary.method == "trades"
    moved = space.admit(inputs + started * unit * (NEARBY if near else radius), inputs)
    steps = 1 if adversary.method == "fgsm" else adversary.steps
    length = 1.25 * radius if adversary.method == "fgsm" else 2.5 * radius / steps
    training = network.training
    # Statistics of moved rows must not leak into those that the network keeps.
    network.eval()
    with torch.no_grad():
        goal = F.log_softmax(network.logits(inputs).float(), 1) if near else None
    for _ in range(steps):
        slope = _slope(network, moved, labels, goal)
        change = (moved + length * unit * slope.sign() - inputs) / unit
        moved = space.admit(inputs + change.clamp(-radius, radius) * unit, inputs)
    network.train(training)
    return moved.detach()


def divergence(logits: Tensor, goal: Tensor) -> Tensor:
    """KL(goal || softmax(logits)) of each row (rows,), where `goal` holds logarithms of probabilities."""
    return F.kl_div(F.log_softmax(logits.float(), 1), goal, reduction="none", log_target=True).sum(1)


def _slope(network: Network, inputs: Tensor, labels: Tensor, goal: Tensor | None) -> Tensor:
    x = inputs.detach().requires_grad_()
    with torch.enable_grad():
        logits = network.logits(x)
        if goal is not None:
            rising = divergence(logits, goal)
        else:
            rising = F.cross_entropy(logits.float(), labels, reduction="none")
        # By the inputs alone: the gradients of the weights are neither computed nor touched.
        (slope,) = torch.autograd.grad(rising.sum(), x)
    return slope
