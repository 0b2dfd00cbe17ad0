"""The inputs that an attacker may choose: a ball around each example, within the bounds of the space."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from probe.shapes import Inputs, PerExample
from probe.space import Space
from probe.tensors import column

HALVINGS = 12  # in the search for the multiplier of an L2 ball
SMALL = 1e-12  # stands for a length of 0 in quotients


@dataclass(frozen=True, eq=False)
class Region:
    """For each example its centre, the corners of the smallest box around its region, and for L2 the ball's radius."""

    centre: Inputs
    low: Inputs
    high: Inputs
    unit: Tensor  # length of the radius 1 along each coordinate; 0 where it is immutable
    radius: PerExample
    p: float

    @classmethod
    def around(cls, space: Space, inputs: Inputs, radius: PerExample, p: float) -> "Region":
        """The L_p ball of a radius for each example, in units of the space's scale, within the space."""
        unit = space.scale_of(inputs) * space.mutable_mask(inputs)
        step = column(radius.to(inputs.dtype), inputs) * unit
        centre = space.clip(inputs)
        low, high = (torch.where(unit > 0, space.clip(centre + change), centre) for change in (-step, step))
        return cls(centre, low, high, unit.expand_as(inputs), radius.to(inputs.dtype), p)

    def seen(self, part: Callable[[Tensor], Tensor], row: Callable[[Tensor], Tensor]) -> "Region":
        """The region of a part of the inputs, with a row for each that `row` makes of the examples."""
        centre, low, high, unit = (row(part(each)) for each in (self.centre, self.low, self.high, self.unit))
        return Region(centre, low, high, unit, row(self.radius), self.p)

    def fall(self, slopes: Tensor) -> Tensor:
        """The lowest that a linear function of the input, with slopes (rows, functions, *shape), is over its centre's.

        For an L2 ball this is the value of the dual problem at a multiplier found by bisection, which is a lower bound
        at any multiplier.
        """
        low, high = self.low - self.centre, self.high - self.centre
        ends = slopes.clamp(min=0).mul_(low[:, None]).add_(slopes.clamp(max=0).mul_(high[:, None]))
        boxed = ends.flatten(2).sum(2)
        if self.p == torch.inf:
            return boxed
        scaled = (slopes * self.unit[:, None]).flatten(2)
        safe = torch.where(self.unit > 0, self.unit, torch.ones_like(self.unit))
        low, high = ((end / safe).flatten(1)[:, None] for end in (low, high))
        length = torch.linalg.vector_norm(scaled, dim=2, keepdim=True).clamp(min=SMALL)
        radius = self.radius[:, None, None].clamp(min=SMALL)
        best = torch.maximum(boxed, -(length * radius)[:, :, 0])
        if bool(((low > -radius * 0.999) | (high < radius * 0.999)).any()):  # the bounds cut the ball
            first, last = torch.zeros_like(length), torch.ones_like(length)  # shares of the multiplier of a whole ball
            for _ in range(HALVINGS):
                share = (first + last) / 2
                multiplier = share * length / radius
                move = torch.minimum(torch.maximum(-scaled / multiplier, low), high)
                beyond = move.square().sum(2, keepdim=True) - radius.square()
                value = (scaled * move).sum(2) + (multiplier * beyond)[:, :, 0] / 2
                best = torch.maximum(best, value)
                first, last = torch.where(beyond > 0, share, first), torch.where(beyond > 0, last, share)
        return best
