"""Projection onto a ball in the precision of the inputs, so that rounding never leaves the ball."""

from dataclasses import dataclass

import torch
from torch import Tensor

from probe.norms import PROJECTIONS, WITHIN, Norm, Radius
from probe.shapes import Inputs
from probe.space import Space
from probe.tensors import column, wide


@dataclass(frozen=True, eq=False)
class Reach:
    """The valid points of the ball around each example, one row each; `reach[rows]` has those of some of them."""

    space: Space
    norm: Norm
    origin: Inputs
    radius: Tensor  # one for each example, in units of the space's scale
    movable: Tensor | None  # where an attacker may move a coordinate; None: everywhere
    ends: tuple[Tensor, Tensor] | None  # in Linf: the lowest and the highest valid value of each coordinate

    @classmethod
    def of(cls, space: Space, norm: Norm, origin: Inputs, radius: Tensor) -> "Reach":
        mask = space.mutable_mask(origin)
        movable = None if bool(mask.all()) else mask
        if norm.p != torch.inf:
            return cls(space, norm, origin, radius, movable, None)
        far = column(radius.to(wide(origin).dtype), origin).expand_as(origin)
        low, high = (place(space, origin, way * far, norm.p, radius) for way in (-1, 1))
        return cls(space, norm, origin, radius, movable, (low, high))

    def __getitem__(self, rows: Tensor) -> "Reach":
        ends = None if self.ends is None else (self.ends[0][rows], self.ends[1][rows])
        movable = None if self.movable is None else self.movable[rows]
        return Reach(self.space, self.norm, self.origin[rows], self.radius[rows], movable, ends)

    def nearest(self, point: Tensor) -> Inputs:
        """The nearest valid points to some, in the dtype of the inputs."""
        start = wide(self.origin)
        if self.ends is None:
            return place(self.space, self.origin, self.change(point), self.norm.p, self.radius)
        return self.space.whole(point, start).to(self.origin.dtype).clamp(*self.ends)

    def slope(self, gradient: Tensor) -> Tensor:
        """A gradient per unit of the space's scale, 0 where no attacker can move."""
        slope = wide(gradient) * self.space.scale_of(wide(self.origin))
        return slope if self.movable is None else torch.where(self.movable, slope, 0.0)

    def change(self, point: Tensor) -> Tensor:
        """From the origin to some points, in units of the space's scale."""
        start = wide(self.origin)
        return (wide(point) - start) / self.space.scale_of(start)

    def uphill(self, point: Inputs, gradient: Tensor, length: Tensor) -> Tensor:
        """The point at the end of the steepest step of a length for each example; it need not be within reach."""
        step = uphill(self.space, self.norm, point, gradient, length)
        return wide(point) + step * self.space.scale_of(wide(point))


def uphill(space: Space, norm: Norm, x: Inputs, gradient: Tensor, length: Tensor) -> Tensor:
    """The steepest step from x of a length for each example, within the space, in units of its scale."""
    if norm.fill is None:
        return column(length, x) * norm.steepest(gradient)
    return norm.fill(gradient, column(length, x), room(space, x, gradient))


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
    """The next representable number towards a goal."""
    if x.element_size() >= 4:
        return torch.nextafter(x, goal)
    # Of half precision torch.nextafter has none on a GPU.
    kind = torch.int16
    lowest, bits = torch.iinfo(kind).min, x.view(kind)
    # Read as signed integers, the bits of floats have the order of the floats.
    order = torch.where(bits < 0, lowest - bits, bits) + (goal > x).to(kind) - (goal < x).to(kind)
    return torch.where(order < 0, lowest - order, order).to(kind).view(x.dtype)
