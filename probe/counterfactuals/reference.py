"""Counterfactuals among rows that are there already."""

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
    """The reference rows that are nearest of those with the wanted answer, which are real and need no gradient.

    Near is by L1 in the unit of the space's scale; what is missing is one unit away. What `Space.mutable` calls
    fixed stays as it is in the input; then a row may get another answer, and is asked with it. Where no row has the
    wanted answer, the input stands in its place.

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
