"""Points at the boundary of a decision, found and kept by queries of decisions only."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.attacks.minimal import Shortest
from probe.contracts import Aim, Attack
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.norms import NORMS, Norm
from probe.shapes import Inputs
from probe.tensors import column, generator, parted, wide
from probe.threats import Ball

HALVINGS = 12  # queries of one bisection at most
CHUNK = 16  # random changes of each example that are asked about together


@dataclass(frozen=True, kw_only=True)
class WalkingAttack(Attack):
    """A minimal change by decisions alone: from a random point that reaches the goal to the boundary, and along it."""

    budget: ClassVar[str] = ""
    queries: ClassVar[str] = "max_queries"

    max_queries: int = param(1000, "queries of each example", low=1)
    starts: int = param(50, "random points tried as a start", low=1)
    seed: int = param(0, "seed of the random draws", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        assert isinstance(self.threat, Ball)
        shortest = Shortest(self.threat, model.space, inputs, aim)
        norm = next(norm for norm in NORMS.values() if norm.p == self.threat.p)
        walk = Walk(model, norm, shortest, aim, queries=self.max_queries, seed=self.seed)
        walk.begin(self.starts)
        self.walked(walk)
        return shortest.found

    @abstractmethod
    def walked(self, walk: "Walk") -> None:
        """Go on from the boundary, until no example can pay for another round."""


class Walk:
    """Points at the boundary, one for each example that has a start; changes are in units of the space's scale."""

    def __init__(self, model: Model, norm: Norm, shortest: Shortest, aim: Aim, *, queries: int, seed: int) -> None:
        """For these many queries of each example; `begin` goes to the boundary."""
        space = model.space
        self.space, self.norm, self.shortest, self.aim = space, norm, shortest, aim
        self.most, self.source = queries, generator(seed, torch.device("cpu"))
        self.left = torch.full_like(aim.rows, queries)  # queries, of each example
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
