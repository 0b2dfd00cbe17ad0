"""Gradient ascent with gradients that are estimated from queries."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.ball import place
from probe.contracts import Aim, Attack
from probe.method import param
from probe.model import Model
from probe.numbers import Number, written
from probe.shapes import Inputs
from probe.space import Space
from probe.tensors import column, generator, parted, wide
from probe.threats import Ball, Threat

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class SPSA(Attack):
    """Ascent by simultaneous perturbation (Spall 1992; Uesato et al. 2018, arXiv:1802.05666).

    Each step estimates the gradient of the loss from pairs of queries, at the current point plus and minus a random
    sign for each coordinate times `width`, and moves by Adam. It needs scores, no gradients, so it attacks models whose
    gradients are of no use, and any black box whose scores change with small changes; a forest's do not, nor do those
    of whole numbers unless `width` is at least 1 in their unit. A point that reaches the goal ends the search of its
    example, whichever query found it.

    All examples share their random draws, so that a result does not depend on the rest of the batch.

    >>> import numpy as np
    >>> import torch
    >>> from probe import Space, from_predict_proba
    >>> from probe.attacks import SPSA
    >>> def smooth(rows):
    ...     high = 1 / (1 + np.exp(10 - 10 * rows.sum(1, keepdims=True)))
    ...     return np.hstack([1.0 - high, high])
    >>> model = from_predict_proba(smooth, Space(), classes=("low", "high"))
    >>> found = SPSA(eps=0.1)(model, torch.tensor([[0.45, 0.45], [0.1, 0.1]]), torch.tensor([0, 0]))
    >>> found.success, found.queries <= 500
    (tensor([ True, False]), tensor([True, True]))
    """

    threat: ClassVar[Threat] = Ball(torch.inf)
    queries: ClassVar[str] = "max_queries"

    eps: Number = param(written("8/255"), "radius of the ball, in units of the space's scale", low=0.0)
    max_queries: int = param(500, "queries of each example", low=1)
    pairs: int = param(16, "pairs of queries in each gradient estimate", low=1)
    width: float = param(0.01, "length of a random change in each coordinate, in units of the space's scale", above=0.0)
    step: float = param(0.25, "learning rate of Adam, in radii", above=0.0)
    seed: int = param(0, "seed of the random signs", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        found = inputs.clone()
        state = _State(model.space, inputs, aim, parted(aim.budget > 0)[1])
        source, left = generator(self.seed, CPU), self.max_queries
        while left > 0 and len(state.rows):
            pairs = min(self.pairs, (left - 1) // 2)
            signs = torch.randint(2, (pairs, *inputs.shape[1:]), generator=source).to(wide(inputs)) * 2 - 1
            state.step(signs, self.width, self.step)
            left -= 2 * pairs + 1
            done = parted(state.reached)[1]
            found[state.rows[done]] = state.best[done]
            state.keep(parted(state.reached)[0])
        found[state.rows] = state.best
        return found


class _State:
    """The examples that remain, one row each."""

    def __init__(self, space: Space, inputs: Inputs, aim: Aim, rows: Tensor) -> None:
        self.space, self.rows, self.origin, self.aim = space, rows, inputs[rows], aim[rows]
        self.best = self.x = self.origin
        self.highest = torch.full_like(self.aim.budget, -torch.inf)
        self.reached = torch.zeros_like(self.highest, dtype=torch.bool)
        self.mean = self.square = torch.zeros_like(wide(self.x))
        self.steps = 0

    def step(self, signs: Tensor, width: float, rate: float) -> None:
        """One estimate and one step, then a query of where it leads."""
        slope, here = torch.zeros_like(self.mean), self.change()
        if len(signs):
            up, down = self.ask(here, width * torch.cat([signs, -signs])).to(slope.dtype).chunk(2, dim=1)
            slope = ((up - down).view(*up.shape, *[1] * (slope.ndim - 1)) * signs).sum(1)
        self.steps += 1
        self.mean, self.square = 0.9 * self.mean + 0.1 * slope, 0.999 * self.square + 0.001 * slope**2
        rise = (self.square / (1 - 0.999**self.steps)).sqrt()
        ahead = self.mean / (1 - 0.9**self.steps) / rise.where(rise > 0, torch.ones_like(rise))
        self.x = self.placed(here + rate * column(self.aim.budget.to(slope.dtype), slope) * ahead)
        self.ask(self.change(), torch.zeros_like(here[:1]))

    def ask(self, here: Tensor, moves: Tensor) -> Tensor:
        """The losses (rows, moves) of moves from here; a point that reaches the goal, or has the highest, is kept."""
        count = len(moves)
        moved = (here[:, None] + moves).flatten(0, 1)
        origin, aim = self.origin.repeat_interleave(count, 0), self.aim.repeated(count)
        points = place(self.space, origin, moved, torch.inf, aim.budget)
        losses, reached = (each.view(-1, count) for each in aim.ask(points))
        highest, best = torch.where(reached, torch.inf, losses).max(1)
        point = points.view(len(here), count, *here.shape[1:])[torch.arange(len(here), device=here.device), best]
        better = ~self.reached & (highest > self.highest)
        self.best = torch.where(column(better, point), point, self.best)
        self.highest, self.reached = torch.where(better, highest, self.highest), self.reached | (highest == torch.inf)
        return losses

    def placed(self, change: Tensor) -> Inputs:
        return place(self.space, self.origin, change, torch.inf, self.aim.budget)

    def change(self) -> Tensor:
        start = wide(self.origin)
        return (wide(self.x) - start) / self.space.scale_of(start)

    def keep(self, others: Tensor) -> None:
        for name in ("rows", "origin", "aim", "best", "x", "highest", "reached", "mean", "square"):
            setattr(self, name, getattr(self, name)[others])
