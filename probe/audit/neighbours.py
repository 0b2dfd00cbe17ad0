"""The nearest rows of each explained row among the audited ones, by the distance of their space."""

from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.audit.bundle import Arrays
from probe.dataset import Dataset
from probe.forms import Form
from probe.shapes import Labels
from probe.space import Space
from probe.tensors import spans, to_numpy

FEW = 20  # rows that are kept of those with its label, and as many of the others
MOST = 2**30  # coordinates that are compared in an audit; of more rows some are drawn
_TOGETHER = 2**22  # coordinates of a pass


def neighbours(space: Space, data: Dataset, rows: Tensor, sample: int, seed: int) -> Arrays:
    """The nearest other rows of each of `rows`: those with its label and those with others, together by distance.

    A distance is the sum of the changes of all coordinates, each in units of the space's scale; of tokens it is how
    many differ. A missing value is one unit away from any other, and none from another missing one. `near_within` is
    how far none is left out, whatever its answer: a row at that distance or nearer is one of the nearest. Equally far
    ones keep their order.

    Args:
        space: that of all rows.
        data: all rows.
        rows: the numbers of those whose neighbours are asked for.
        sample: how many the plan asks for, which says among how many rows they are sought.
        seed: of the draw, where those are not all.

    Returns:
        `near`: (rows, 2 * FEW) row numbers, -1 where there are no more; `near_far`: their distances; `near_within`:
        (rows,); `near_among`: (rows,) how many others were compared.
    """
    size = max(1, prod(data.inputs.shape[1:]))
    among = data.draw(max(2, MOST // (size * max(1, min(sample, len(data))))), seed)
    far = _distances(space, data.inputs, rows, among)
    found = [_nearest(int(row), far[at], among, _alike(data.labels, int(row), among)) for at, row in enumerate(rows)]
    return {
        "near": np.array([each[0] for each in found], dtype=np.int64).reshape(len(rows), 2 * FEW),
        "near_far": np.array([each[1] for each in found], dtype=np.float32).reshape(len(rows), 2 * FEW),
        "near_within": np.array([each[2] for each in found], dtype=np.float32),
        "near_among": np.array([int((among != row).sum()) for row in rows], dtype=np.int64),
    }


def _alike(labels: Labels, row: int, among: Tensor) -> Tensor:
    """Which rows have the label of this one; none where labels are numbers."""
    if labels.is_floating_point():
        return torch.zeros(len(among), dtype=torch.bool)
    return (labels[among] == labels[row]).reshape(len(among), -1).all(1).cpu()


def _nearest(
    row: int, far: Tensor, among: Tensor, alike: Tensor
) -> tuple[NDArray[np.int64], NDArray[np.float32], float]:
    others, kept, within = among != row, [], float("inf")
    for side in (alike & others, ~alike & others):
        there = side.nonzero()[:, 0]
        order = there[far[there].argsort(stable=True)]
        kept.append(order[:FEW])
        if len(order) > FEW:
            within = min(within, float(far[order[FEW - 1]]))
    near = torch.cat(kept).sort().values
    near = near[far[near].argsort(stable=True)]
    numbers, away = np.full(2 * FEW, -1), np.full(2 * FEW, np.inf, dtype=np.float32)
    numbers[: len(near)], away[: len(near)] = to_numpy(among[near]), to_numpy(far[near])
    return numbers, away, within


def _distances(space: Space, inputs: Tensor, rows: Tensor, among: Tensor) -> Tensor:
    """How far each of the rows is from each of those that are compared, (rows, compared).

    They are rounded, so that rows that only the order of a sum tells apart are equally far.
    """
    form, few = space.form_of(inputs), inputs[rows]
    sums = type(form).scaled_change is Form.scaled_change  # a difference of numbers, which torch takes for all at once
    plain = sums and not bool(inputs.is_floating_point() and inputs.isnan().any())
    parts = []
    for span in spans(len(among), max(1, _TOGETHER // max(1, inputs[0].numel()))):
        some = inputs[among[span]]
        if plain:
            one, other = ((each.double() / space.scale_of(each)).flatten(1) for each in (few, some))
            far = torch.cdist(one, other, p=1.0)
        else:
            changes = [_changes(space, some, few[at : at + 1].expand_as(some)) for at in range(len(few))]
            far = torch.stack([each.flatten(1).sum(1, dtype=torch.float64) for each in changes])
        parts.append(far.float().cpu())
    return torch.cat(parts, 1)


def _changes(space: Space, some: Tensor, one: Tensor) -> Tensor:
    """How far each coordinate of some rows is from that of one; 1 from a missing value to another, 0 between two."""
    far = space.scaled_change(some, one).abs()
    return far.masked_fill(some.isnan() & one.isnan(), 0.0).nan_to_num(nan=1.0)
