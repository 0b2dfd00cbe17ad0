"""Points in a ball at the precision of the inputs: what rounding would put outside lands inside."""

import torch
from torch import Tensor

from probe.norms import PROJECTIONS, Radius
from probe.shapes import Inputs
from probe.space import Space
from probe.tensors import column, wide

_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # whole numbers as wide as a float


def place(space: Space, origin: Inputs, change: Tensor, p: float, radius: Radius) -> Inputs:
    """The nearest point of the L_p ball to a change, in the unit of the space's scale, that the space admits.

    The radius is one number, or one for each example, (batch,). The point is reckoned in float32 or wider, and a
    coordinate that the dtype of the inputs cannot hold is rounded towards its origin.
    """
    within = below(radius, change.dtype)
    change = PROJECTIONS[p](change, column(within, change) if isinstance(within, Tensor) else within)
    start = wide(origin)
    unit = space.scale_of(start)
    point = space.project(start + change * unit, start).to(origin.dtype)
    outside = ((wide(point) - start) / unit).abs() > change.abs()
    return torch.where(outside, _one_towards(point, origin), point)


def below(number: Radius, dtype: torch.dtype) -> Radius:
    """The largest number of a dtype that is at most `number`; of a tensor each of them."""
    exact = torch.as_tensor(number, dtype=None if isinstance(number, Tensor) else torch.float64)
    nearest = exact.to(dtype)
    nearest = torch.where(nearest <= exact, nearest, _one_towards(nearest, torch.zeros_like(nearest)))
    return nearest if isinstance(number, Tensor) else float(nearest)


def _one_towards(x: Tensor, goal: Tensor) -> Tensor:
    """The next number from each one in the direction of its goal (torch.nextafter has no half precision on a GPU)."""
    kind = _BITS[x.element_size()]
    lowest, bits = torch.iinfo(kind).min, x.view(kind)
    # As signed whole numbers the bits of floats stand in the order of the floats.
    order = torch.where(bits < 0, lowest - bits, bits) + (goal > x).to(kind) - (goal < x).to(kind)
    return torch.where(order < 0, lowest - order, order).to(kind).view(x.dtype)
