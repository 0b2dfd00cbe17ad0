"""A search for another answer."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Aim, Counterfactual, Need
from probe.method import param
from probe.model import Model
from probe.shapes import Candidates, Inputs


@dataclass(frozen=True, kw_only=True)
class TowardsReference(Counterfactual):
    """The first point on the straight way to the mean reference that gets the wanted answer."""

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    steps: int = param(20, "points on the way", low=1)

    def search(self, model: Model, inputs: Inputs, aim: Aim) -> Candidates:
        way, found = model.space.baseline(inputs) - inputs, inputs.clone()
        left = torch.ones(len(inputs), dtype=torch.bool, device=inputs.device)
        for step in range(1, self.steps + 1):
            moved = model.space.project(inputs + way * step / self.steps, inputs)
            reached = aim.ask(moved)[1] & left
            found[reached] = moved[reached]
            left = left & ~reached
        return found[:, None]
