"""Short and sparse changes by an elastic net."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.attacks.minimal import Shortest, Weight, crossing
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs
from probe.tensors import column, wide
from probe.threats import Ball, Threat


@dataclass(frozen=True, kw_only=True)
class EAD(Attack):
    """Minimal L1 change of an elastic net, by soft thresholding (Chen et al. 2018, arXiv:1709.04114).

    It minimises `c` times the margin where the goal is not reached, plus the squared L2 length of the change, plus
    `beta` times its L1 length: gradient steps, after each of which every coordinate moves back towards the input by
    beta times the step (ISTA). Steps shrink with the square root of those left. After each round `c` is searched by
    bisection for each example: smaller where the goal was reached, larger where it was not. The change that reached
    the goal with the least L1 length is kept, and shortened by a bisection. On a linear model it is a soft threshold of
    the gradient: the larger `beta`, the fewer coordinates change. Lengths are in units of the space's scale.

    Example:
        >>> import torch
        >>> from probe import Model, Space
        >>> from probe.attacks import EAD
        >>> weight = torch.tensor([[1.0, -1.0], [4.0, -4.0]])
        >>> model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-9.0, 9.0)))
        >>> found = EAD(steps=40)(model, torch.tensor([[0.4, 0.4]]), torch.tensor([0]))  # the second coordinate pays
        >>> bool(found.success), round(float(found.length), 1), (found.perturbed == 0.4).tolist()
        (True, 0.5, [[True, False]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    budget: ClassVar[str] = ""
    threat: ClassVar[Threat] = Ball(1.0)

    steps: int = param(100, "gradient steps in each round", low=1)
    rounds: int = param(6, "rounds of the search for c", low=1)
    rate: float = param(0.02, "length of the first step, in parts of the slope", above=0.0)
    beta: float = param(1.0, "weight of the L1 length against the squared L2 length", low=0.0)
    halvings: int = param(5, "steps of the final bisection, one query each", low=0)
    c: float = param(1.0, "initial weight of the margin", above=0.0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        space, aim, origin = model.space, crossing(aim), wide(inputs)
        unit, shortest = space.scale_of(origin), Shortest(self.threat, space, inputs, aim)
        weight = Weight.of(aim, self.c)
        for _ in range(self.rounds):
            point, ever = inputs, torch.zeros_like(aim.budget, dtype=torch.bool)
            for step in range(self.steps):
                _, reached, gradient = aim.slope(point)
                shortest.seen(point, reached)
                ever = ever | reached
                rate = self.rate * (1 - step / self.steps) ** 0.5
                change = (wide(point) - origin) / unit
                pull = column((weight.now * ~reached).to(change.dtype), change) * wide(gradient) * unit
                moved = change - rate * (2 * change - pull)
                moved = moved.sign() * (moved.abs() - rate * self.beta).clamp(min=0)
                point = space.project(origin + unit * moved, origin).to(inputs.dtype)
            _, reached = aim.ask(point)
            shortest.seen(point, reached)
            weight = weight.after(ever | reached)
        return shortest.draw_in(aim, self.halvings)
