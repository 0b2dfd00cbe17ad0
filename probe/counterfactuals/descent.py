"""Counterfactuals along the gradient."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.contracts import Aim, Counterfactual, Need
from probe.counterfactuals.near import distance, put_back, refuse_unmoved
from probe.method import param
from probe.model import Model
from probe.numbers import Number
from probe.shapes import Candidates, Inputs
from probe.tensors import column

_HALVINGS = 12  # of the way to a point that was reached


@dataclass(frozen=True, kw_only=True)
class GradientCounterfactual(Counterfactual):
    """The nearest point along the gradient of the goal that gets the wanted answer, and diverse others.

    As in arXiv:1711.00399 the goal is followed by its gradient from the input; instead of weighing it against the
    distance, the way to the first point that is reached is halved until the nearest is found, and features are put
    back, the least changed first, as long as the answer stays. Steps are as long as `rate` in units of the space's
    scale. Whole numbers stay whole, numbers within bounds, and categories and what `Space.mutable` fixes as they are.
    Each further candidate leaves alone the features that those before changed most, so that they tell other ways.

    The nearest, by L1 in units of the scale, is first. Where none is found, the candidate is the input itself.

    Raises:
        Unsupported: if the model has no gradients; for words and graphs, whose values are no numbers to be moved.

    Example:
        >>> import torch
        >>> from probe import Model, Space
        >>> from probe.counterfactuals import GradientCounterfactual
        >>> model = Model(forward=lambda x: torch.stack([0.5 - x.mean(1), x.mean(1) - 0.5], 1), space=Space())
        >>> found = GradientCounterfactual(count=2)(model, torch.tensor([[0.3, 0.4]]))
        >>> found.reached
        tensor([[True, True]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})

    count: int = param(1, "candidates for each input", low=1, high=1000)
    steps: int = param(50, "steps for each candidate", low=1, high=10**6)
    rate: Number = param(0.05, "length of a step, in units of the space's scale", above=0.0)

    def search(self, model: Model, inputs: Inputs, aim: Aim) -> Candidates:
        refuse_unmoved(self.name(), model, inputs)
        moved = model.space.mutable_mask(inputs).expand(inputs.shape).clone()
        found = []
        for _ in range(self.count):
            found.append(self._nearest(model, inputs, aim, moved))
            change = model.space.by_feature(model.space.scaled_change(found[-1], inputs).abs())
            most = torch.zeros_like(change, dtype=torch.bool).scatter_(1, change.argmax(1, keepdim=True), value=True)
            moved &= ~model.space.coordinate_mask(most & (change > 0), inputs)
        far = torch.stack([distance(model, each, inputs) for each in found], 1)
        # The input itself, which is no counterfactual, comes last.
        order = torch.where(far == 0, torch.inf, far).argsort(dim=1, stable=True)
        return torch.stack(found, 1)[torch.arange(len(inputs))[:, None], order]

    def _nearest(self, model: Model, inputs: Inputs, aim: Aim, moved: Tensor) -> Inputs:
        point, scale, space = inputs.clone(), model.space.scale_of(inputs), model.space
        left = torch.arange(len(inputs), device=inputs.device)
        for _ in range(self.steps):
            _, _, slope = aim[left].slope(point[left])
            way = torch.where(moved[left], slope * scale, 0.0)
            way = way / column(way.flatten(1).norm(dim=1).clamp(min=1e-12), way)
            # Clipped after the step, as a bound turns the way.
            point[left] = space.clip(point[left] + self.rate * scale * way)
            _, reached = aim[left].ask(space.project(point[left], inputs[left]))
            left = left[~reached]
            if not len(left):
                break
        return put_back(model, inputs, self._halved(model, inputs, point, aim), aim)

    def _halved(self, model: Model, inputs: Inputs, point: Inputs, aim: Aim) -> Inputs:
        """The nearest valid point on the way from each input that is reached; the input where the end is not."""
        low, high = inputs.new_zeros(len(inputs)), inputs.new_ones(len(inputs))
        found = model.space.project(point, inputs)
        _, reached = aim.ask(found)
        found = torch.where(column(reached, inputs), found, inputs)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            there = model.space.project(inputs + column(middle, inputs) * (point - inputs), inputs)
            _, nearer = aim.ask(there)
            nearer = nearer & reached
            found = torch.where(column(nearer, inputs), there, found)
            low, high = torch.where(nearer, low, middle), torch.where(nearer, middle, high)
        return found
