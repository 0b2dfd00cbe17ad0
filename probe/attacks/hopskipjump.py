"""Minimal changes from decisions alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from probe.attacks.minimal import Shortest
from probe.contracts import Aim, Attack
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.norms import NORMS, Norm
from probe.shapes import Inputs
from probe.space import Space
from probe.tensors import column, generator, parted, wide
from probe.threats import Ball, Threat

HALVINGS = 12  # queries of one bisection at most
CHUNK = 16  # random changes of each example that are asked about together
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class HopSkipJump(Attack):
    """Minimal change by queries of decisions only (Chen et al. 2020, arXiv:1904.02144).

    It uses no scores and no gradients, only whether the goal is reached, so it attacks any model. It starts from a
    random point of the space that reaches the goal, goes back to the boundary by bisection, estimates the gradient
    there from random changes around that point, takes a step along it, halved until the goal is still reached, and
    repeats. An example without such a start among `starts` random points is left unchanged. The bounds of the space
    must be finite.

    All examples share their random draws, so that a result does not depend on the rest of the batch.

    Raises:
        Unsupported: if a coordinate that may move has no finite bounds.

    >>> import numpy as np
    >>> import torch
    >>> from probe import Space, from_predict_proba
    >>> from probe.attacks import HopSkipJump
    >>> def step(rows):  # a decision tree: it has no gradients
    ...     high = rows.sum(1, keepdims=True) > 1
    ...     return np.hstack([1.0 - high, high])
    >>> model = from_predict_proba(step, Space(), classes=("low", "high"))
    >>> found = HopSkipJump()(model, torch.tensor([[0.3, 0.4]]), torch.tensor([0]))
    >>> bool(found.success), round(float(found.length), 1), bool(found.queries <= 1000)
    (True, 0.2, True)
    """

    budget: ClassVar[str] = ""
    queries: ClassVar[str] = "max_queries"

    norm: Literal["linf", "l2"] = param("l2", "norm of the change")
    max_queries: int = param(1000, "queries of each example", low=1)
    starts: int = param(50, "random points tried as a start", low=1)
    draws: int = param(
        50, "random changes in the first gradient estimate; in round n, the square root of n times as many", low=2
    )
    seed: int = param(0, "seed of the random draws", low=0)

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        shortest = Shortest(self.threat, model.space, inputs, aim)
        walk = Walk(model.space, NORMS[self.norm], shortest, aim, self.max_queries, generator(self.seed, CPU))
        walk.begin(self.starts)
        rounds = 1
        while len(walk.rows):
            walk.climb(round(self.draws * math.sqrt(rounds)), rounds)
            rounds += 1
        return shortest.found


class Walk:
    """Points at the boundary, one for each example that has a start; changes are in units of the space's scale."""

    def __init__(
        self, space: Space, norm: Norm, shortest: Shortest, aim: Aim, left: int, source: torch.Generator
    ) -> None:
        self.space, self.norm, self.shortest, self.aim = space, norm, shortest, aim
        self.most, self.source = left, source
        self.left = torch.full_like(aim.rows, left)  # queries, of each example
        self.start = wide(shortest.inputs)
        self.unit = space.scale_of(self.start)
        self.low, self.high = (
            space.project(torch.full_like(self.start, end), self.start) for end in (-torch.inf, torch.inf)
        )
        if not bool((self.low.isfinite() & self.high.isfinite()).all()):
            raise Unsupported(
                "this attack starts from random points of the space, whose bounds must be finite, and some are not; "
                "set Space(bounds=(low, high)), or use an attack that starts at the input, such as Square or PGD"
            )
        self.change = torch.zeros_like(self.start)
        self.rows = parted(torch.isfinite(shortest.length))[1]

    def begin(self, starts: int) -> None:
        """Look for a random point that reaches the goal, and go back from there to the boundary."""
        # Drawn together, so that what is drawn later does not depend on when the examples have their starts.
        for drawn in self.drawn(min(starts, self.most), torch.rand):
            rows = parted(~self.shortest.length.isfinite())[1]
            if len(rows) == 0:
                break
            point = self.low + drawn * (self.high - self.low)
            self.ask(rows, ((point - self.start) / self.unit)[rows])
        self.rows = parted(self.shortest.length.isfinite())[1]
        self.change = (wide(self.shortest.found) - self.start) / self.unit
        self.afford(HALVINGS)
        self.back()

    def climb(self, draws: int, rounds: int) -> None:
        """One step along the slope of the boundary, and back to the boundary."""
        self.afford(draws + 2 * HALVINGS)
        rows, size = self.rows, self.start[0].numel()
        if len(rows) == 0:
            return
        change = self.change[rows]
        length = torch.linalg.vector_norm(change.flatten(1), ord=self.norm.p, dim=1)
        # The width of the published search: a small part of the distance, which falls with the number of coordinates.
        width = column(length / size if rounds > 1 else torch.full_like(length, 0.1), change)
        near = self.drawn(draws, torch.randn if self.norm.p == 2 else _signed)
        near = near / torch.linalg.vector_norm(near.flatten(1), ord=2, dim=1).view(-1, *[1] * (near.ndim - 1))
        near = near * (math.sqrt(size) if self.norm.p != 2 else 1.0)
        total, ones, moves = torch.zeros_like(change), torch.zeros_like(length), torch.zeros_like(change)
        for some in near.split(CHUNK):
            real, _, reached = self.answers(rows, change[:, None] + width[:, None] * some)
            moved, sign = (real - change[:, None]) / width[:, None], torch.where(reached, 1.0, -1.0).to(change.dtype)
            total = total + (sign.view(*sign.shape, *[1] * (change.ndim - 1)) * moved).sum(1)
            moves, ones = moves + moved.sum(1), ones + sign.sum(1)
        average = ones / draws
        plain = average.abs() == 1  # all alike: their mean would leave nothing
        slope = torch.where(column(plain, change), total, total - column(average, change) * moves)
        step, wanted = length / math.sqrt(rounds), self.norm.steepest(slope)
        best, missing = change, torch.ones_like(plain)
        for _ in range(HALVINGS):
            if not bool(missing.any()):
                break
            tried = parted(missing)[1]
            real, reached = self.ask(rows[tried], (change + column(step, change) * wanted)[tried])
            there = tried[reached]
            best = best.clone()
            best[there], missing[there] = real[reached], False
            step = torch.where(missing, step / 2, step)
        self.change[rows] = best
        self.back()

    def answers(self, rows: Tensor, moved: Tensor) -> tuple[Tensor, Inputs, Tensor]:
        """Several changes of each row (rows, draws, *shape), as the space allows them: changes, points, and answers."""
        count, start = moved.shape[1], self.start[rows]
        self.left[rows] -= count
        starts = start.repeat_interleave(count, 0)
        point = self.space.project(starts + moved.flatten(0, 1) * self.unit, starts).to(self.shortest.inputs.dtype)
        _, reached = self.aim[rows].repeated(count).ask(point)
        real = (wide(point) - starts) / self.unit
        shape = (len(rows), count, *start.shape[1:])
        return real.view(shape), point.view(shape), reached.view(-1, count)

    def back(self) -> None:
        """Go from each point towards its input, as far as the goal is reached: by bisection."""
        rows, change = self.rows, self.change[self.rows]
        largest = torch.linalg.vector_norm(change.flatten(1), ord=self.norm.p, dim=1)
        least, most = torch.zeros_like(largest), torch.ones_like(largest)
        for _ in range(HALVINGS if len(rows) else 0):
            share = (least + most) / 2
            real, reached = self.ask(rows, self._shorter(change, share, largest))
            least, most = torch.where(reached, least, share), torch.where(reached, share, most)
            self.change[rows[reached]] = real[reached]

    def _shorter(self, change: Tensor, share: Tensor, largest: Tensor) -> Tensor:
        """The change at a share of its length: along the line in L2, cut off at the largest entry in Linf."""
        if self.norm.p == 2:
            return column(share, change) * change
        return self.norm.project(change, column(share * largest, change))

    def afford(self, queries: int) -> None:
        """Leave out the examples that have fewer queries left."""
        self.rows = self.rows[parted(self.left[self.rows] >= queries)[1]]

    def ask(self, rows: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        """The changes as the space allows them, and whether they reach the goal; one query of each row."""
        self.left[rows] -= 1
        start = self.start[rows]
        point = self.space.project(start + change * self.unit, start).to(self.shortest.inputs.dtype)
        _, reached = self.aim[rows].ask(point)
        self.keep(rows, point, reached)
        return (wide(point) - start) / self.unit, reached

    def keep(self, rows: Tensor, point: Inputs, reached: Tensor) -> None:
        """Keep one point of each row where it reaches the goal nearer than those before."""
        every, points = torch.zeros_like(self.shortest.length, dtype=torch.bool), self.shortest.inputs.clone()
        every[rows], points[rows] = reached, point
        self.shortest.seen(points, every)

    def drawn(self, count: int, draw: Callable[..., Tensor]) -> Tensor:
        """Random numbers (count, *shape), drawn on the CPU so that every device has the same."""
        return draw((count, *self.start.shape[1:]), generator=self.source).to(self.start)


def _signed(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator) * 2 - 1
