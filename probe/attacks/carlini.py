"""Minimal L2 changes by an unconstrained optimum."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.attacks.minimal import Shortest, Weight, crossing
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs
from probe.tensors import column, wide
from probe.threats import Ball, Threat


@dataclass(frozen=True, kw_only=True)
class CarliniWagner(Attack):
    """Minimal L2 change by Adam on the distance and a weighted margin (Carlini and Wagner 2017, arXiv:1608.04644).

    It minimises the squared distance plus `c` times the margin where the goal is not reached, over a variable whose
    tanh is the input, so that it never leaves the bounds; where there are none, over the change in units of the scale.
    After each round `c` is searched by bisection for each example: smaller where the goal was reached, larger where it
    was not. A later round starts at the shortest change so far, or where none reached the goal, where the last one
    ended; those of the paper start at the input, and need more than twice the steps for changes of one length. The
    shortest change that reached the goal is kept, and shortened by a bisection. For a margin beyond the boundary write
    goal=Margin(kappa=1.0).

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import CarliniWagner
    >>> weight = torch.tensor([[3.0, -3.0], [4.0, -4.0]])
    >>> model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-9.0, 9.0)))
    >>> found = CarliniWagner(steps=30)(model, torch.tensor([[0.3, 0.4]]), torch.tensor([0]))
    >>> bool(found.success), round(float(found.length), 1)
    (True, 0.5)
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    budget: ClassVar[str] = ""
    threat: ClassVar[Threat] = Ball(2.0)

    steps: int = param(100, "gradient steps in each round", low=1)
    rounds: int = param(5, "rounds of the search for c", low=1)
    rate: float = param(0.05, "learning rate of Adam", above=0.0)
    halvings: int = param(5, "steps of the final bisection, one query each", low=0)
    c: float = param(1.0, "initial weight of the margin", above=0.0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        space, aim, origin = model.space, crossing(aim), wide(inputs)
        unit = space.scale_of(origin)
        low, high = (space.project(torch.full_like(origin, end), origin) for end in (-torch.inf, torch.inf))
        bounded = low.isfinite() & high.isfinite()
        middle, half = (torch.where(bounded, each, 0.0) for each in ((low + high) / 2, (high - low) / 2))

        def placed(w: Tensor) -> Tensor:
            return torch.where(bounded, middle + half * torch.tanh(w), origin + unit * w)

        def undone(x: Tensor) -> Tensor:
            # At a bound tanh has no slope: it begins a little inside.
            inside = ((x - middle) / torch.where(half > 0, half, 1.0)).clamp(-1 + 1e-6, 1 - 1e-6)
            return torch.where(bounded, torch.atanh(inside), (x - origin) / unit)

        w = undone(origin)
        shortest = Shortest(self.threat, space, inputs, aim)
        weight = Weight.of(aim, self.c)
        for _ in range(self.rounds):
            mean, square = torch.zeros_like(w), torch.zeros_like(w)
            ever = torch.zeros_like(aim.budget, dtype=torch.bool)
            for step in range(1, self.steps + 1):
                x = placed(w)
                point = space.project(x, origin).to(inputs.dtype)
                _, reached, gradient = aim.slope(point)
                shortest.seen(point, reached)
                ever = ever | reached
                pull = column((weight.now * ~reached).to(x.dtype), x) * wide(gradient)
                slope = 2 * (x - origin) / unit**2 - pull
                slope = slope * torch.where(bounded, half * (1 - torch.tanh(w) ** 2), unit)
                mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
                rise = (square / (1 - 0.999**step)).sqrt() + 1e-8
                w = w - self.rate * mean / (1 - 0.9**step) / rise
            point = space.project(placed(w), origin).to(inputs.dtype)
            _, reached = aim.ask(point)
            shortest.seen(point, reached)
            weight = weight.after(ever | reached)
            w = torch.where(column(shortest.length.isfinite(), w), undone(wide(shortest.found)), w)
        return shortest.draw_in(aim, self.halvings)
