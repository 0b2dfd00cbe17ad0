"""Minimal numbers of changed coordinates, by gradients of a smooth count."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.attacks.ascent import loss_and_gradient
from probe.attacks.minimal import Shortest, crossing
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs
from probe.tensors import column, wide
from probe.things import THINGS
from probe.threats import Edits, Threat


@dataclass(frozen=True, kw_only=True)
class SigmaZero(Attack):
    """Minimal number of changed pixels or columns, sigma-zero (Cinà et al. 2025, arXiv:2402.01879).

    Adam minimises the margin where the goal is not reached, plus the mean over pixels of s / (s + sigma), where s is
    the squared change of a pixel: a smooth count of those that change. After each step changes below a threshold are
    set to 0. The threshold of an example rises where the goal is reached, and falls where it is not. The change of the
    fewest pixels that reached the goal is kept. A pixel counts once, whatever its channels; elsewhere each coordinate
    counts.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import SigmaZero
    >>> weight = torch.tensor([[3.0, -3.0], [4.0, -4.0], [0.1, -0.1]])
    >>> model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-1.0, 1.0)))
    >>> result = SigmaZero(steps=30)(model, torch.tensor([[0.3, 0.4, 0.9]]), torch.tensor([0]))
    >>> result.success, result.length
    (tensor([True]), tensor([1.]))
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    budget: ClassVar[str] = ""
    threat: ClassVar[Threat] = Edits("pixel")

    steps: int = param(300, "gradient steps", low=1)
    rate: float = param(1.0, "learning rate of Adam at the first step; the last has a tenth of it", above=0.0)
    sigma: float = param(0.001, "squared change at which a pixel counts half, in units of the space's scale", above=0.0)
    threshold: float = param(0.3, "initial threshold of a change, in units of the space's scale", low=0.0)
    pace: float = param(0.01, "by how much a threshold moves at the first step", above=0.0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        space, aim, origin, pixel = model.space, crossing(aim), wide(inputs), THINGS["pixel"]
        unit = space.scale_of(origin)
        shortest, point = Shortest(self.threat, space, inputs, aim), inputs
        change, mean, square = (torch.zeros_like(origin) for _ in range(3))
        threshold = torch.full((len(inputs),), self.threshold, dtype=origin.dtype, device=origin.device)
        for at in range(self.steps):
            rate = self.rate * (0.1 + 0.9 * (1 + math.cos(math.pi * at / self.steps)) / 2)
            _, reached, gradient = loss_and_gradient(space, point, aim)
            shortest.seen(point, reached)
            sizes = pixel.sizes(change.square())
            spread = column((~reached).to(change.dtype), change) * -gradient
            counted = self.sigma / (sizes + self.sigma).square() / sizes.shape[1]
            held = counted.view(len(change), 1, *change.shape[2:]) if change.ndim == 4 else counted.view_as(change)
            slope = spread + 2 * change * held
            largest = slope.flatten(1).abs().amax(1)
            slope = slope / column(torch.where(largest > 0, largest, 1.0), slope)
            mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope.square()
            rise = (square / (1 - 0.999 ** (at + 1))).sqrt() + 1e-8
            change = change - rate * mean / (1 - 0.9 ** (at + 1)) / rise
            change = space.scaled_change(space.project(origin + change * unit, origin), origin)
            moved = self.pace * rate * torch.where(reached, 1.0, -1.0).to(threshold.dtype)
            threshold = (threshold + moved).clamp(0, 1)
            small = pixel.sizes(change.square()).sqrt() < threshold[:, None]
            change = torch.where(pixel.spread(small, change), 0.0, change)
            point = space.project(origin + change * unit, origin).to(inputs.dtype)
            point = torch.where(change == 0, inputs, point)
        _, reached = aim.ask(point)
        shortest.seen(point, reached)
        return shortest.found
