"""Attacks that minimise the change: one run gives the result at every budget."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.attacks.ascent import loss_and_gradient
from probe.ball import place
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.shapes import Inputs
from probe.tensors import column, wide
from probe.threats import Ball, Threat


@dataclass(frozen=True, kw_only=True)
class DDN(Attack):
    """Minimal L2 change, with decoupled direction and norm (Rony et al. 2019, arXiv:1811.09600).

    Each step ascends the loss and projects onto a sphere around the input. The radius shrinks by the factor 1 - gamma
    where the goal is reached, and grows by 1 + gamma where it is not. The shortest change that reached the goal is
    kept, so its length is an upper bound of the distance to the decision boundary. Where the boundary is flat it is
    within gamma of that distance, provided it is within reach: the radius can shrink to (1 - gamma)^steps of the first
    one.

    Example:
        >>> import torch
        >>> from probe import Model, Space
        >>> weight = torch.tensor([[3.0, -3.0], [4.0, -4.0]])
        >>> model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-9.0, 9.0)))
        >>> result = DDN()(model, torch.tensor([[0.3, 0.4]]), torch.tensor([0]))
        >>> round(float(result.length), 1)
        0.5
        >>> result.within(0.4).success.tolist()
        [False]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    budget: ClassVar[str] = ""
    threat: ClassVar[Threat] = Ball(2.0)

    steps: int = param(100, "gradient steps", low=1)
    radius: float = param(1.0, "initial radius and step length, in units of the space's scale", above=0.0)
    gamma: float = param(0.05, "relative change of the radius at each step", above=0.0, below=1.0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        space, norm, origin = model.space, NORMS["l2"], wide(inputs)
        found = current = inputs
        shortest = torch.full_like(aim.budget, torch.inf)
        radius = torch.full((len(inputs),), self.radius, dtype=origin.dtype, device=origin.device)
        for at in range(self.steps):
            _, reached, gradient = loss_and_gradient(space, current, aim)
            length = self.threat.length(space, current, inputs).to(shortest.dtype)
            better = reached & (length < shortest)
            found = torch.where(column(better, current), current, found)
            shortest = torch.where(better, length, shortest)
            radius = radius * torch.where(reached, 1 - self.gamma, 1 + self.gamma)
            # Cosine decay from the first length to a hundredth of it.
            share = 0.01 + 0.99 * (1 + math.cos(math.pi * at / self.steps)) / 2
            change = (wide(current) - origin) / space.scale_of(origin) + share * self.radius * norm.steepest(gradient)
            current = place(space, inputs, column(radius, inputs) * norm.steepest(change), norm.p, radius)
        _, reached = aim.ask(current)
        length = self.threat.length(space, current, inputs).to(shortest.dtype)
        better = reached & (length < shortest)
        return torch.where(column(better, current), current, found)
