"""Shared by counterfactuals that move numbers: distances, and sparse changes."""

import torch
from torch import Tensor

from probe.contracts import Aim
from probe.errors import Unsupported
from probe.model import Model
from probe.shapes import Inputs
from probe.tensors import wide


def refuse_unmoved(method: str, model: Model, inputs: Inputs) -> None:
    """Raise Unsupported for words and graphs, whose values are no numbers to be moved by a little."""
    form = model.space.form_of(inputs)
    if not inputs.is_floating_point() or form.moves != "numbers":
        raise Unsupported(
            f"{method} moves numbers, and inputs of {model.name} are {form.read_as}; use NearestReference"
        )


def distance(model: Model, points: Tensor, origins: Tensor) -> Tensor:
    """How far points are from their inputs: L1 in units of the space's scale."""
    return model.space.scaled_change(wide(points), wide(origins)).flatten(1).abs().sum(1)


def put_back(model: Model, inputs: Inputs, found: Inputs, aim: Aim) -> Inputs:
    """Put features back, the least changed first, as long as the answer stays the wanted one."""
    change = model.space.by_feature(model.space.scaled_change(wide(found), wide(inputs)).abs())
    order = torch.where(change > 0, change, torch.inf).argsort(1)
    for place in range(int((change > 0).sum(1).max())):
        kept = torch.ones_like(change, dtype=torch.bool)
        kept.scatter_(1, order[:, place : place + 1], value=False)
        back = torch.where(model.space.coordinate_mask(kept, inputs), found, inputs)
        changed = (back != found).flatten(1).any(1)
        rows = changed.nonzero()[:, 0]
        if len(rows):
            _, reached = aim[rows].ask(back[rows])
            found[rows[reached]] = back[rows[reached]]
    return found
