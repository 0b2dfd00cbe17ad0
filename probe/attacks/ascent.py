"""Gradient ascent inside a ball: starts, best points, and examples that drop out once they succeed."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from probe.ball import Reach
from probe.contracts import Aim, Attack, Need, slopes
from probe.draws import again, keys
from probe.method import param
from probe.norms import NORMS, Norm
from probe.numbers import Number, written
from probe.shapes import Inputs, PerExample
from probe.space import Space
from probe.tensors import column, parted, wide
from probe.threats import Ball, Threat

S = TypeVar("S", bound="Ascent")


@dataclass(frozen=True, kw_only=True)
class GradientAttack(Attack):
    """An attack inside a ball, by the gradient of the goal's loss."""

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})

    eps: Number = param(written("8/255"), "radius of the ball, in units of the space's scale", low=0.0)
    norm: Literal["linf", "l2", "l1"] = param("linf", "norm of the ball")

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)


@dataclass(frozen=True, kw_only=True)
class IteratedAttack(GradientAttack):
    """A gradient attack that takes steps, from one start or several."""

    passes: ClassVar[int] = 4  # few withstand the first steps, and few rows at once take more time for each

    steps: int = param(40, "gradient steps in each restart", low=1)
    restarts: int = param(1, "restarts; the first starts at the input, the others at random points", low=1)

    def climbed(self, space: Space, inputs: Inputs, aim: Aim, begin: "Begin", seed: int) -> Inputs:
        """For each example a point that reaches the goal, else the one with the highest loss."""
        search = Search(space, NORMS[self.norm], inputs, aim, seed)
        search.climb(Run(begin, self.steps, anew=restart > 0) for restart in range(self.restarts))
        return search.best


@dataclass(kw_only=True)
class Ascent(ABC):
    """The examples that remain in one restart, one row each: current point and best point.

    A subclass adds what its step rule remembers; each of its tensors has one row per example.
    """

    row: Tensor  # of the example among those that the restart began with
    reach: Reach
    aim: Aim
    x: Tensor
    best: Tensor
    best_loss: Tensor

    @classmethod
    def at(cls: type[S], start: Tensor, reach: Reach, aim: Aim, **remembered: Any) -> S:
        row = torch.arange(len(start), device=start.device)
        lowest = torch.full_like(aim.budget, -torch.inf)
        return cls(row=row, reach=reach, aim=aim, x=start, best=start, best_loss=lowest, **remembered)

    def keep(self: S, rows: Tensor) -> S:
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        part: dict[str, Any] = {
            name: each[rows] for name, each in held.items() if isinstance(each, Tensor | Aim | Reach)
        }
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

    @abstractmethod
    def ascend(self, gradient: Tensor) -> None:
        """Move the current point, given the gradient at it."""


@dataclass(kw_only=True)
class Momentum(Ascent):
    """Steps that continue a quarter of the last move."""

    before: Tensor  # the point before x
    step: int = 0  # steps taken

    momentum: ClassVar[float] = 0.25  # share of the last move in the next

    def move(self, gradient: Tensor, length: Tensor) -> None:
        """Take one step of a length for each example, in units of the space's scale."""
        moved = self.reach.nearest(self.reach.uphill(self.x, gradient, length))
        if self.step > 0:
            here, last = wide(self.x), wide(self.before)
            mixed = (here - last).mul_(self.momentum).add_(wide(moved) - here, alpha=1 - self.momentum)
            moved = self.reach.nearest(mixed.add_(here))
        self.before, self.x = self.x, moved
        self.step += 1


Begin = Callable[[Tensor, Reach, Aim], Ascent]  # of a start, the points within reach and the aim


class Run(NamedTuple):
    """One ascent of the examples that have not reached the goal yet."""

    begin: Begin
    steps: int
    anew: bool = False  # from a random point of the ball instead of the input


class Search:
    """Runs in turn: for each example a point that reaches the goal, else the one with the highest loss."""

    def __init__(self, space: Space, norm: Norm, inputs: Inputs, aim: Aim, seed: int) -> None:
        self.space, self.norm, self.inputs, self.aim = space, norm, inputs, aim
        self.reach = Reach.of(space, norm, inputs, aim.budget)
        self.keyed, self.drawn = keys(inputs, seed), 0  # random starts so far
        self.best, self.loss = inputs.clone(), torch.full_like(aim.budget, -torch.inf)
        self.remaining = torch.arange(len(inputs), device=inputs.device)  # rows that the next run climbs with

    def climb(self, runs: Iterable[Run]) -> None:
        """Make runs of the examples that remain, one after the other; those that reach the goal do not remain."""
        for run in runs:
            self.climb_at_once([run])

    def climb_at_once(self, runs: Sequence[Run]) -> None:
        """Make runs side by side, step by step; an example ends all of its runs when one of them reaches the goal."""
        rows = self.remaining
        if len(rows) == 0 or not runs:
            return
        reach, part = self.reach[rows], self.aim[rows]
        states = [run.begin(self._random(rows, reach) if run.anew else reach.origin, reach, part) for run in runs]
        ends = _ascended(states, runs)
        done = torch.stack([end.reached for end in ends]).any(0)
        for state, (found, loss, reached) in zip(states, ends, strict=True):
            # Another loss than that of the other runs does not compare with theirs.
            better = reached | (~done & (loss > self.loss[rows])) if state.aim is part else reached
            self.best[rows] = torch.where(column(better, found), found, self.best[rows])
            self.loss[rows] = torch.where(better, loss, self.loss[rows])
        self.remaining = rows[parted(done)[0]]

    def _random(self, rows: Tensor, reach: Reach) -> Inputs:
        """A random start for each example, which does not depend on the rest of the batch."""
        origin = wide(reach.origin)
        away = self.norm.uniform(origin, again(self.keyed[rows], self.drawn))
        self.drawn += 1
        away = column(reach.radius.to(away.dtype), origin) * away
        return reach.nearest(origin + away * self.space.scale_of(origin))


class End(NamedTuple):
    """What one run found of each example."""

    found: Inputs  # the best point
    loss: PerExample
    reached: Tensor

    @classmethod
    def none(cls, state: Ascent) -> "End":
        return cls(state.x.clone(), state.best_loss.clone(), torch.zeros_like(state.row, dtype=torch.bool))

    def put(self, row: Tensor, found: Inputs, loss: PerExample, reached: Tensor) -> None:
        self.found[row], self.loss[row], self.reached[row] = found, loss, reached


def _ascended(states: Sequence[Ascent], runs: Sequence[Run]) -> list[End]:
    """What runs found that go side by side, each for its own number of steps."""
    ends, states, taken = [End.none(state) for state in states], [*states], 0
    while running := [at for at, state in enumerate(states) if taken < runs[at].steps and len(state.x)]:
        answers = slopes([states[at].aim for at in running], [states[at].x for at in running])
        gradients = [states[at].reach.slope(each) for at, (_, _, each) in zip(running, answers, strict=True)]
        for at, (loss, _, _), gradient in zip(running, answers, gradients, strict=True):
            states[at].seen(loss, gradient)
        # The only synchronisation with the device in each step.
        there = parted(torch.cat([reached for _, reached, _ in answers]))[1]
        if len(there):
            done = torch.cat([states[at].aim.rows for at in running])[there]
            for place, (at, (loss, reached, _)) in enumerate(zip(running, answers, strict=True)):
                others, left = parted(torch.isin(states[at].aim.rows, done))
                ends[at].put(states[at].row[left], states[at].x[left], loss[left], reached[left])
                states[at], gradients[place] = states[at].keep(others), gradients[place][others]
        taken += 1
        for at, gradient in zip(running, gradients, strict=True):
            if len(gradient):
                states[at].ascend(gradient)
        for at, gradient in zip(running, gradients, strict=True):
            if taken == runs[at].steps and len(states[at].x):
                done = _settle(states[at], ends[at])
            elif taken == 1 and len(runs) == 1 and not runs[at].anew and len(states[at].x):
                done = _ask_the_near(states[at], gradient, ends[at])
            else:
                continue
            if len(done):
                states = [state.keep(parted(torch.isin(state.aim.rows, done))[0]) for state in states]
    return ends


def _ask_the_near(state: Ascent, gradient: Tensor, end: End) -> Tensor:
    """Ask without gradients about the first points that reach the goal to first order; returns those rows that do.

    Of an undefended network most do, and need no gradient there: it takes twice as long as the answer.
    """
    if not state.aim.goal.answer:  # its loss need not be 0 where the goal is reached
        return state.aim.rows[:0]
    rise = (gradient * state.reach.change(state.x)).flatten(1).sum(1)
    near = parted(state.best_loss + rise > 0)[1]
    if not len(near):
        return near
    loss, reached = state.aim[near].ask(state.x[near])
    there = near[parted(reached)[1]]
    end.put(state.row[there], state.x[there], loss[reached], reached[reached])
    return state.aim.rows[there]


def _settle(state: Ascent, end: End) -> Tensor:
    """Ask about the last points of a run; returns the rows of the aim that reach the goal."""
    loss, reached = state.aim.ask(state.x)
    state.update_best(loss)
    # With more than two classes the point with the highest loss need not be misclassified, and vice versa.
    found = torch.where(column(reached, state.x), state.x, state.best)
    end.put(state.row, found, torch.where(reached, loss, state.best_loss), reached)
    return state.aim.rows[parted(reached)[1]]


def loss_and_gradient(space: Space, inputs: Inputs, aim: Aim) -> tuple[PerExample, Tensor, Inputs]:
    """The loss, whether the goal is reached, and the gradient per unit of the space's scale."""
    loss, reached, gradient = aim.slope(inputs)
    return loss, reached, per_unit(space, inputs, gradient)


def per_unit(space: Space, inputs: Inputs, gradient: Tensor) -> Inputs:
    """A gradient per unit of the space's scale, 0 where no attacker can move."""
    return torch.where(space.mutable_mask(inputs), wide(gradient) * space.scale_of(wide(inputs)), 0.0)
