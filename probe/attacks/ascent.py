"""Gradient ascent inside a ball: starts, best points, and examples that drop out once they succeed."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from probe.ball import place
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.norms import NORMS, Norm
from probe.numbers import Number, written
from probe.shapes import Inputs, PerExample
from probe.space import Space
from probe.tensors import column, generator, parted, wide
from probe.threats import Ball, Threat

S = TypeVar("S", bound="Ascent")


@dataclass(frozen=True, kw_only=True)
class GradientAttack(Attack):
    """An attack inside a ball, by the gradient of the goal's loss."""

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})

    eps: Number = param(written("8/255"), "radius of the ball, in units of the space's scale", low=0.0)
    norm: Literal["linf", "l2"] = param("linf", "norm of the ball")

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)


@dataclass(kw_only=True)
class Ascent:
    """The examples that remain in one restart, one row each: current point and best point.

    A subclass adds what its step rule remembers; each of its tensors has one row per example.
    """

    row: Tensor  # of the example among those that the restart began with
    origin: Tensor
    aim: Aim
    x: Tensor
    best: Tensor
    best_loss: Tensor

    @classmethod
    def at(cls: type[S], start: Tensor, origin: Tensor, aim: Aim, **remembered: Any) -> S:
        row = torch.arange(len(start), device=start.device)
        lowest = torch.full_like(aim.budget, -torch.inf)
        return cls(row=row, origin=origin, aim=aim, x=start, best=start, best_loss=lowest, **remembered)

    def keep(self: S, rows: Tensor) -> S:
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        part: dict[str, Any] = {name: each[rows] for name, each in held.items() if isinstance(each, Tensor | Aim)}
        return replace(self, **part)

    def update_best(self, loss: Tensor) -> Tensor:
        """Keep the point where it is the best so far; returns where it is."""
        better = loss > self.best_loss
        self.best = torch.where(column(better, self.x), self.x, self.best)
        self.best_loss = torch.where(better, loss, self.best_loss)
        return better

    def seen(self, loss: Tensor, gradient: Tensor) -> None:
        """Take in the loss and the gradient at the current point."""
        self.update_best(loss)

    def ascend(self, space: Space, norm: Norm, gradient: Tensor) -> None:
        """Move the current point, given the gradient at it."""
        raise NotImplementedError

    def change(self, space: Space) -> Tensor:
        """From the origin to the current point, in units of the space's scale."""
        origin = wide(self.origin)
        return (wide(self.x) - origin) / space.scale_of(origin)


Begin = Callable[[Tensor, Tensor, Aim], Ascent]  # of a start, the original inputs and their aim


@dataclass(frozen=True)
class Restarts:
    """Ascents from several starts: the first is the input, the others are random points of the ball."""

    norm: Norm
    steps: int
    restarts: int = 1
    seed: int = 0

    def best(self, space: Space, inputs: Inputs, aim: Aim, begin: Begin) -> Inputs:
        """For each example a point that reaches the goal, else the one with the highest loss."""
        source = generator(self.seed, inputs.device)
        best, remaining = inputs.clone(), torch.arange(len(inputs), device=inputs.device)
        best_loss = torch.full_like(aim.budget, -torch.inf)
        for restart in range(self.restarts):
            origin, part = inputs[remaining], aim[remaining]
            # All examples share one random start, so that a result does not depend on the rest of the batch.
            start = origin
            if restart > 0:
                away = self.norm.uniform(wide(inputs[0]), source)
                away = column(part.budget.to(away.dtype), origin) * away
                start = place(space, origin, away, self.norm.p, part.budget)
            found, loss, reached = self._ascend(space, begin(start, origin, part))
            better = reached | (loss > best_loss[remaining])
            best[remaining] = torch.where(column(better, found), found, best[remaining])
            best_loss[remaining] = torch.where(better, loss, best_loss[remaining])
            remaining = remaining[parted(reached)[0]]
            if len(remaining) == 0:
                break
        return best

    def _ascend(self, space: Space, state: Ascent) -> tuple[Inputs, PerExample, Tensor]:
        """The best point of one restart for each example, its loss, and whether it reaches the goal."""
        found, highest = state.x.clone(), state.best_loss.clone()
        successful = torch.zeros(len(found), dtype=torch.bool, device=found.device)
        for _ in range(self.steps):
            loss, reached, gradient = loss_and_gradient(space, state.x, state.aim)
            state.seen(loss, gradient)
            others, there = parted(reached)  # the only synchronisation with the device in each step
            if len(there):
                row = state.row[there]
                found[row], highest[row], successful[row] = state.x[there], loss[there], True
                state, gradient = state.keep(others), gradient[others]
            if len(others) == 0:
                return found, highest, successful
            state.ascend(space, self.norm, gradient)
        loss, reached = state.aim.ask(state.x)
        state.update_best(loss)
        # With more than two classes the point with the highest loss need not be misclassified, and vice versa.
        found[state.row] = torch.where(column(reached, state.x), state.x, state.best)
        highest[state.row], successful[state.row] = torch.where(reached, loss, state.best_loss), reached
        return found, highest, successful


def loss_and_gradient(space: Space, inputs: Inputs, aim: Aim) -> tuple[PerExample, Tensor, Inputs]:
    """The loss, whether the goal is reached, and the gradient per unit of the space's scale."""
    loss, reached, gradient = aim.slope(inputs)
    slope = torch.where(space.mutable_mask(inputs), wide(gradient) * space.scale_of(wide(inputs)), 0.0)
    return loss, reached, slope
