"""Projection onto a ball in the precision of the inputs, so that rounding never leaves the ball."""

import torch
from torch import Tensor

from probe.norms import PROJECTIONS, WITHIN, Radius
from probe.shapes import Inputs
from probe.space import Space
from probe.tensors import column, wide

_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # the integer type with the width of each float type


def place(space: Space, origin: Inputs, change: Tensor, p: float, radius: Radius) -> Inputs:
    """The nearest valid point within the L_p ball, in units of the space's scale.

    The radius is one number, or one per example, (batch,). The point is computed in float32 or wider, and rounded
    towards the origin in the dtype of the inputs.
    """
    within = below(radius, change.dtype)
    start = wide(origin)
    within = column(within, change) if isinstance(within, Tensor) else within
    change = WITHIN[p](change, within, room(space, start, change)) if p in WITHIN else PROJECTIONS[p](change, within)
    unit = space.scale_of(start)
    point = space.project(start + change * unit, start).to(origin.dtype)
    outside = ((wide(point) - start) / unit).abs() > change.abs()
    return torch.where(outside, _one_towards(point, origin), point)


def room(space: Space, x: Inputs, direction: Tensor) -> Tensor:
    """How far each coordinate can move from x in the sense of a direction, in units of the space's scale."""
    start = wide(x)
    far = space.project(torch.where(direction > 0, torch.inf, -torch.inf).to(start.dtype), start)
    return ((far - start) / space.scale_of(start)).abs()


def below(number: Radius, dtype: torch.dtype) -> Radius:
    """The largest number of a dtype that is at most `number`, elementwise for a tensor."""
    exact = torch.as_tensor(number, dtype=None if isinstance(number, Tensor) else torch.float64)
    nearest = exact.to(dtype)
    nearest = torch.where(nearest <= exact, nearest, _one_towards(nearest, torch.zeros_like(nearest)))
    return nearest if isinstance(number, Tensor) else float(nearest)


def _one_towards(x: Tensor, goal: Tensor) -> Tensor:
    """The next representable number towards a goal (torch.nextafter has no half precision on a GPU)."""
    kind = _BITS[x.element_size()]
    lowest, bits = torch.iinfo(kind).min, x.view(kind)
    # Read as signed integers, the bits of floats have the order of the floats.
    order = torch.where(bits < 0, lowest - bits, bits) + (goal > x).to(kind) - (goal < x).to(kind)
    return torch.where(order < 0, lowest - order, order).to(kind).view(x.dtype)
