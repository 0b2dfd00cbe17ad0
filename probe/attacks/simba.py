"""Random search, one coordinate after another."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.ball import place
from probe.contracts import Aim, Attack
from probe.method import param
from probe.model import Model
from probe.numbers import Number, written
from probe.shapes import Inputs
from probe.tensors import generator, parted, wide
from probe.threats import Ball, Threat


@dataclass(frozen=True, kw_only=True)
class Simba(Attack):
    """Random search, one coordinate after another, by queries of scores (SimBA, Guo et al. 2019, arXiv:1905.07121).

    Coordinates come in a random order, each once. One is moved up by the radius, and if the loss does not rise, down; a
    move that raises it is kept. So it takes one or two queries for each coordinate, and no gradients: it attacks
    networks, and any black box whose scores change when one coordinate does. On a linear model that is asked twice for
    each coordinate it finds the worst point of the ball. A point that reaches the goal ends the search of its example.

    All examples share the order, so that a result does not depend on the rest of the batch.

    Example:
        >>> import numpy as np
        >>> import torch
        >>> from probe import Space, from_predict_proba
        >>> from probe.attacks import Simba
        >>> def smooth(rows):
        ...     high = 1 / (1 + np.exp(10 - 10 * rows.sum(1, keepdims=True)))
        ...     return np.hstack([1.0 - high, high])
        >>> model = from_predict_proba(smooth, Space(), classes=("low", "high"))
        >>> found = Simba(eps=0.1)(model, torch.tensor([[0.45, 0.45], [0.1, 0.1]]), torch.tensor([0, 0]))
        >>> found.success, found.queries <= 5
        (tensor([ True, False]), tensor([True, True]))
    """

    threat: ClassVar[Threat] = Ball(torch.inf)
    queries: ClassVar[str] = "max_queries"

    eps: Number = param(written("8/255"), "radius of the ball, in units of the space's scale", low=0.0)
    max_queries: int = param(1000, "queries of each example", low=1)
    seed: int = param(0, "seed of the order of the coordinates", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        found, rows = inputs.clone(), parted(aim.budget > 0)[1]
        if not len(rows):
            return found
        origin, x, part = inputs[rows], inputs[rows], aim[rows]
        change = torch.zeros_like(wide(origin)).flatten(1)
        loss, reached = part.ask(origin)
        left = torch.full_like(rows, self.max_queries - 1)
        free = model.space.mutable_mask(inputs).expand_as(inputs).flatten(1).any(0).cpu()
        order = torch.randperm(len(free), generator=generator(self.seed, torch.device("cpu")))
        for at in order[free[order]].tolist():
            others, done = parted(reached | (left <= 0))
            if len(done):
                found[rows[done]] = x[done]
                rows, origin, x, part = rows[others], origin[others], x[others], part[others]
                change, loss, reached, left = change[others], loss[others], reached[others], left[others]
            still = torch.ones_like(reached)
            for way in (1.0, -1.0):
                some = parted(still & (left > 0))[1]
                if not len(some):
                    break
                moved, asked = change[some], part[some]
                moved[:, at] = way * asked.budget.to(moved.dtype)
                point = place(model.space, origin[some], moved.view_as(origin[some]), torch.inf, asked.budget)
                now, hit = asked.ask(point)
                left[some] -= 1
                better = parted(hit | (now > loss[some]))[1]
                kept = some[better]
                change[kept], x[kept], loss[kept], reached[kept] = (
                    moved[better],
                    point[better],
                    now[better],
                    hit[better],
                )
                still[kept] = False
        found[rows] = x
        return found
