"""Ascent over the numbers of a linear map onto changes, such as a blur or a table of colours."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from probe.attacks.ascent import Ascent
from probe.ball import place
from probe.norms import Norm
from probe.space import Space


@dataclass(kw_only=True)
class Mapped(Ascent):
    """Sign steps of numbers between -1 and 1, each change being a mean of them, times the radius.

    So no change exceeds the radius, and on a linear model one step of length 2 finds the worst of all such changes.
    Steps shrink along the run from the first length to its last twentieth.
    """

    numbers: Tensor  # (batch, *of the map)
    first: float  # length of the first step, in radii
    steps: int
    step: int = 0  # steps taken

    @abstractmethod
    def spread(self, numbers: Tensor) -> Tensor:
        """The change of each coordinate as weighted means of the numbers, (batch, *shape), in radii."""

    @abstractmethod
    def gathered(self, gradient: Tensor) -> Tensor:
        """The transpose of `spread`: the slope by each number, from the slopes by the coordinates."""

    def placed(self, space: Space) -> Tensor:
        """The point that the numbers stand for."""
        change = self.spread(self.numbers)
        radius = self.aim.budget.to(change.dtype).view(-1, *[1] * (change.ndim - 1))
        return place(space, self.origin, radius * change, torch.inf, self.aim.budget)

    def ascend(self, space: Space, norm: Norm, gradient: Tensor) -> None:
        length = self.first * max(1 - self.step / self.steps, 0.05)
        self.step += 1
        self.numbers = (self.numbers + length * self.gathered(gradient).sign()).clamp(-1, 1)
        self.x = self.placed(space)
