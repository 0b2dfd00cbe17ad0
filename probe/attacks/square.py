"""Random search with queries only, for models without gradients."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from probe.attacks.bumps import bumps, columns, shifted, signs, window
from probe.ball import Reach, place
from probe.contracts import Aim, Attack
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.numbers import Number, written
from probe.shapes import Inputs
from probe.space import Space
from probe.tensors import column, generator, parted, wide
from probe.threats import Ball, Threat

CPU = torch.device("cpu")
HALVED = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # shares of the queries after which `share` is halved


@dataclass(frozen=True, kw_only=True)
class Square(Attack):
    """Random search by squares at the edge of the ball (Andriushchenko et al. 2020, arXiv:1912.00049).

    It needs answers only, no gradients, so it attacks forests, ONNX files and remote models too. In Linf the first
    query has stripes of plus or minus eps. Each further one sets a random square to plus or minus eps in each channel,
    and is kept if it raises the loss. In L2 the first query has a grid of bumps, each up in one half and down in the
    other. Each further one takes the change within one random square away, and spends its length, and what was left of
    eps, on a bump in another. Squares become smaller. In a series they are stretches of time; in a table, which has no
    neighbours, they are random sets of the columns that may move, each with its own sign.

    Points are at the edge of the ball, so a forest that is wrong only within it is not found. Examples that have
    reached the goal are asked no further. All examples share their random draws, so that a result does not depend on
    the rest of the batch.

    >>> import torch
    >>> from probe import Space, from_predict_proba
    >>> from probe.attacks import Square
    >>> import numpy as np
    >>> def step(rows):  # a decision tree: it has no gradients
    ...     high = rows.sum(1, keepdims=True) > 1
    ...     return np.hstack([1.0 - high, high])
    >>> model = from_predict_proba(step, Space(), classes=("low", "high"))
    >>> found = Square(eps=0.1, max_queries=100)(model, torch.tensor([[0.45, 0.45], [0.1, 0.1]]), torch.tensor([0, 0]))
    >>> found.success
    tensor([ True, False])
    >>> found.queries <= 100
    tensor([True, True])
    """

    queries: ClassVar[str] = "max_queries"

    norm: Literal["linf", "l2"] = param("linf", "norm of the ball")
    eps: Number = param(written("8/255"), "radius of the ball, in units of the space's scale", low=0.0)
    max_queries: int = param(500, "queries of each example", low=1)
    share: float = param(0.8, "share of an input that the first squares cover; the next are smaller", above=0, high=1)
    seed: int = param(0, "seed of the squares", low=0)

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        # Drawn on the CPU, so that every device searches the same squares.
        space, source = model.space, generator(self.seed, CPU)
        found, remaining = inputs.clone(), parted(aim.budget > 0)[1]
        reach, part = Reach.of(space, NORMS[self.norm], inputs[remaining], aim.budget[remaining]), aim[remaining]
        best = reach.origin
        highest = torch.full_like(part.budget, -torch.inf)
        for query in range(self.max_queries):
            if len(remaining) == 0:
                break
            share = self.share / 2 ** sum(query > at * self.max_queries for at in HALVED) if query else None
            tried = (_corner if self.norm == "linf" else _around)(reach, best, share, source)
            loss, reached = part.ask(tried)
            better = reached | (loss > highest)
            best = torch.where(column(better, best), tried, best)
            highest = torch.where(better, loss, highest)
            others, there = parted(reached)
            if len(there):
                found[remaining[there]] = best[there]
                remaining, reach, part = remaining[others], reach[others], part[others]
                best, highest = best[others], highest[others]
        found[remaining] = best
        return found


def _corner(reach: Reach, best: Inputs, share: float | None, source: torch.Generator) -> Inputs:
    """The next point of the search in Linf: stripes first, then the best ones with a square at an edge."""
    space, origin = reach.space, reach.origin
    if share is None:
        chosen, sign = torch.ones_like(origin[:1], dtype=torch.bool), stripes(space, origin, source)
    else:
        chosen, sign = square(space, origin, share, source)
    return _edge(reach, best, chosen, sign)


def _around(reach: Reach, best: Inputs, share: float | None, source: torch.Generator) -> Inputs:
    """The next point of the search in L2: bumps first, then the best ones with one bump moved."""
    space, origin, budget = reach.space, reach.origin, reach.radius
    if share is None:
        change = bumps(space, origin, source)
    else:
        before = space.scaled_change(wide(best), wide(origin))
        change = shifted(space, origin, before, share, budget, source)
    norm = NORMS["l2"]
    radius = column(budget.to(change.dtype), change)
    return place(space, origin, radius * norm.steepest(change), norm.p, budget)


def _edge(reach: Reach, best: Inputs, chosen: Tensor, sign: Tensor) -> Inputs:
    """The best points with the chosen coordinates at the edge of the ball; at the other edge, if they are there."""
    assert reach.ends is not None, "corners are of a ball in Linf"
    low, high = reach.ends
    there = torch.where(chosen, torch.where(sign > 0, high, low), best)
    opposite = torch.where(chosen, torch.where(sign > 0, low, high), best)
    return torch.where(column((there == best).flatten(1).all(1), best), opposite, there)


def stripes(space: Space, like: Inputs, source: torch.Generator) -> Tensor:
    """A random sign for each line of neighbours, (1, *shape): stripes in an image; in a table, one for each column."""
    shape, near = list(like.shape[1:]), space.form_of(like).near
    if near:
        shape[-near] = 1
    return signs(shape, like, source).expand(1, *like.shape[1:])


def square(space: Space, like: Inputs, share: float, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random coordinates that are neighbours, (1 or batch, *shape), and their signs, one for each channel."""
    shape, near = list(like.shape[1:]), space.form_of(like).near
    if not near:
        return columns(space, like, share, source), signs(shape, like, source)
    side = round((share * torch.Size(shape[-near:]).numel()) ** (1 / near))
    chosen = torch.zeros(1, *shape, dtype=torch.bool)
    chosen[window(shape[-near:], side, source)] = True
    return chosen.to(like.device), signs([*shape[:-near], *[1] * near], like, source)
