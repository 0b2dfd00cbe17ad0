"""Minimal changes in four norms."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from probe.attacks.ascent import loss_and_gradient
from probe.attacks.minimal import Shortest, crossing
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.shapes import Inputs
from probe.tensors import wide
from probe.threats import Ball, Edits, Threat


@dataclass(frozen=True, kw_only=True)
class FMN(Attack):
    """Minimal change in Linf, L2, L1 or L0, fast minimum-norm (Pintor et al. 2021, arXiv:2102.12827).

    Each step follows the gradient of the margin and projects onto a ball around the input. Until a change has reached
    the goal, the radius is a little beyond where the linearised margin is 0. Then it shrinks by the factor 1 - gamma
    where the goal is reached, and grows by 1 + gamma where it is not. Step length and gamma decrease along a cosine.
    The shortest change that reached the goal is kept, so its length is an upper bound of the distance to the decision
    boundary. In L0 a pixel counts once, whatever its channels.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import FMN
    >>> weight = torch.tensor([[3.0, -3.0], [4.0, -4.0]])
    >>> model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-9.0, 9.0)))
    >>> x, y = torch.tensor([[0.3, 0.4]]), torch.tensor([0])
    >>> [round(float(FMN(norm=norm, steps=30)(model, x, y).length), 2) for norm in ("linf", "l2", "l1", "l0")]
    [0.36, 0.5, 0.63, 1.0]
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    budget: ClassVar[str] = ""

    norm: Literal["linf", "l2", "l1", "l0"] = param("l2", "norm of the change")
    steps: int = param(100, "gradient steps", low=1)
    step: float = param(
        1.0, "L2 length of the first step, in units of the space's scale; the last has 1 % of it", above=0.0
    )
    gamma: float = param(
        0.05, "relative change of the radius at the first step; .001 at the last", above=0.0, below=1.0
    )

    @property
    def threat(self) -> Threat:
        return Edits("pixel") if self.norm == "l0" else Ball(NORMS[self.norm].p)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        space, threat, aim, origin = model.space, self.threat, crossing(aim), wide(inputs)
        shortest, current = Shortest(threat, space, inputs, aim), inputs
        radius = torch.full_like(shortest.length, 1.0 if self.norm == "l0" else torch.inf)
        stays = torch.zeros_like(aim.rows, dtype=torch.bool)
        for at in range(self.steps):
            loss, reached, gradient = loss_and_gradient(space, current, aim)
            length = shortest.seen(current, reached)
            fall = (1 + math.cos(math.pi * at / self.steps)) / 2
            gamma = 0.001 + (self.gamma - 0.001) * fall
            if self.norm == "l0":
                radius = self._fewer(radius, reached, shortest.length, gamma)
            else:
                # The dual norm of the gradient, by which the margin rises along the steepest unit step.
                steepness = (NORMS[self.norm].steepest(gradient) * gradient).flatten(1).sum(1).to(length.dtype)
                ahead = (length + torch.where(steepness > 0, loss.abs() / steepness, torch.inf)) * (1 + gamma)
                # A radius that leaves whole numbers where they are grows too, though the margin says that it suffices.
                grown = torch.where(shortest.length.isfinite() | stays, radius * (1 + gamma), ahead)
                radius = torch.where(reached, torch.minimum(radius * (1 - gamma), shortest.length), grown)
            share = 0.01 + 0.99 * fall
            change = space.scaled_change(wide(current), origin) + share * self.step * NORMS["l2"].steepest(gradient)
            moved = origin + change * space.scale_of(origin)
            bounded = radius.clamp(max=torch.finfo(origin.dtype).max / 1e6)
            before, current = current, threat.project(space, moved.to(inputs.dtype), inputs, bounded)
            stays = (current == before).flatten(1).all(1)
        _, reached = aim.ask(current)
        shortest.seen(current, reached)
        return shortest.found

    @staticmethod
    def _fewer(radius: Tensor, reached: Tensor, shortest: Tensor, gamma: float) -> Tensor:
        """Whole numbers of coordinates: at least one fewer where the goal is reached, one more where it is not."""
        fewer = torch.minimum(torch.minimum(radius - 1, (radius * (1 - gamma)).floor()), shortest).clamp(min=1)
        return torch.where(reached, fewer, torch.maximum(radius + 1, (radius * (1 + gamma)).floor()))
