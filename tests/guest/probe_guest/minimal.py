"""An attack that makes its change as small as it can."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs
from probe.tensors import column
from probe.threats import Ball


@dataclass(frozen=True, kw_only=True)
class Bisect(Attack):
    """The shortest step along the gradient that reaches the goal, found by halving."""

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    budget: ClassVar[str] = ""

    halvings: int = param(20, "how often the step is halved", low=1)

    @property
    def threat(self) -> Ball:
        return Ball(2.0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        _, _, gradient = aim.slope(inputs)
        unit = model.space.scale_of(inputs)
        length = (gradient * unit).flatten(1).norm(dim=1)
        way = gradient * unit**2 / column(length.clamp(min=1e-12), inputs)
        lowest, highest = model.space.bounds
        low = torch.zeros_like(length)
        high = torch.full_like(length, float(((highest - lowest) / unit).expand_as(inputs[:1]).norm()))
        found = inputs.clone()
        for _ in range(self.halvings):
            step = (low + high) / 2
            moved = self.threat.project(model.space, inputs + column(step, inputs) * way, inputs, step)
            _, reached = aim.ask(moved)
            found[reached] = moved[reached]
            low, high = torch.where(reached, low, step), torch.where(reached, step, high)
        return found
