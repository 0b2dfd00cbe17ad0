"""Ascent over the numbers of a linear map onto changes, such as a blur or a table of colours."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.attacks.ascent import Ascent, Run, Search
from probe.ball import Reach
from probe.contracts import Aim, Attack, Need
from probe.draws import again, keys
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.numbers import Number, written
from probe.shapes import Inputs
from probe.space import Space
from probe.tensors import column, wide
from probe.threats import Ball, Threat


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

    def placed(self) -> Tensor:
        """The point that the numbers stand for."""
        change, origin = self.spread(self.numbers), wide(self.reach.origin)
        change = column(self.aim.budget.to(change.dtype), change) * change
        return self.reach.nearest(origin + change * self.reach.space.scale_of(origin))

    def ascend(self, gradient: Tensor) -> None:
        length = self.first * max(1 - self.step / self.steps, 0.05)
        self.step += 1
        self.numbers = (self.numbers + length * self.gathered(gradient).sign()).clamp(-1, 1)
        self.x = self.placed()


@dataclass(frozen=True, kw_only=True)
class MappedAttack(Attack):
    """The base of attacks whose changes are a linear map of numbers.

    Steps go up the loss by the sign of its slope and shrink. The best point of each example is kept.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    threat: ClassVar[Threat] = Ball(torch.inf)

    eps: Number = param(written("8/255"), "largest change of each coordinate, in units of the space's scale", low=0.0)
    steps: int = param(40, "gradient steps in each restart", low=1)
    restarts: int = param(1, "restarts; the first starts at the input, the others at random changes", low=1)
    step: float = param(2.0, "length of the first step, in radii", above=0.0, high=2.0)
    seed: int = param(0, "seed of the random starts", low=0)

    @abstractmethod
    def begun(self, space: Space, origin: Inputs) -> tuple[Callable[..., Mapped], Tensor]:
        """What makes a state for some inputs, and numbers of the shape that it has for them."""

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        search = Search(model.space, NORMS["linf"], inputs, aim, self.seed)

        def begin(restart: int) -> Run:
            def at(start: Tensor, reach: Reach, part: Aim) -> Mapped:
                made, like = self.begun(model.space, wide(reach.origin))
                numbers = torch.zeros_like(like)
                if restart:
                    numbers = NORMS["linf"].uniform(like, again(keys(reach.origin, self.seed), restart))
                state = made(start, reach, part, numbers=numbers, first=self.step, steps=self.steps)
                state.x = state.best = state.placed() if restart else reach.origin
                return state

            return Run(at, self.steps)

        search.climb(begin(restart) for restart in range(self.restarts))
        return search.best
