"""Counterfactuals from existing rows."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Aim, Counterfactual, Need
from probe.method import param
from probe.model import Model
from probe.shapes import Candidates, Inputs
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class NearestReference(Counterfactual):
    """The nearest reference rows with the desired prediction; they are real rows and need no gradients.

    Distance is L1 in units of the space's scale; a missing value is one unit away. Features that are fixed by
    `Space.mutable` keep the input's values, and the prediction is checked with them. If no row has the desired
    prediction, the candidate is the input itself.

    Example:
        >>> import torch
        >>> from probe import Model, Space
        >>> space = Space(reference=torch.tensor([[0.1], [0.6], [0.9]]))
        >>> model = Model(forward=lambda x: torch.cat([0.5 - x, x - 0.5], 1), space=space)
        >>> NearestReference()(model, torch.tensor([[0.2]])).candidates.flatten().tolist() == [0.6000000238418579]
        True
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    count: int = param(1, "candidates for each input", low=1, high=10**4)

    def search(self, model: Model, inputs: Inputs, aim: Aim) -> Candidates:
        rows = model.space.references(inputs)
        found = []
        for at in range(len(inputs)):
            origin = inputs[at : at + 1].expand_as(rows)
            mutable = model.space.mutable
            others = rows if mutable is None else torch.where(mutable.to(rows.device), rows, origin)
            _, reached = aim[at : at + 1].repeated(len(rows)).ask(others)
            way = model.space.scaled_change(wide(others), wide(origin)).nan_to_num(nan=1.0).flatten(1).abs().sum(1)
            near = way.masked_fill(~reached, torch.inf).argsort(stable=True)[: self.count]
            best = torch.where(reached[near].view(-1, *[1] * (rows.ndim - 1)), others[near], origin[: len(near)])
            found.append(torch.cat([best, origin[:1].expand(self.count - len(best), *origin.shape[1:])]))
        return torch.stack(found)
