"""Random search with queries only, for models without gradients."""

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
HALVED = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # shares of the queries after which `share` is halved


@dataclass(frozen=True, kw_only=True)
class Square(Attack):
    """Random search by squares at the edge of the ball (Andriushchenko et al. 2020, arXiv:1912.00049).

    It needs answers only, no gradients, so it attacks forests, ONNX files and remote models too. The first query has
    stripes of plus or minus eps. Each further one sets a random square to plus or minus eps in each channel, and is
    kept if it raises the loss. Squares become smaller. In a series they are stretches of time; in a table, which has no
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
    >>> found = Square(eps=0.1)(model, torch.tensor([[0.45, 0.45], [0.1, 0.1]]), torch.tensor([0, 0]))
    >>> found.success
    tensor([ True, False])
    >>> found.queries <= 500
    tensor([True, True])
    """

    threat: ClassVar[Threat] = Ball(torch.inf)
    queries: ClassVar[str] = "max_queries"

    eps: Number = param(written("8/255"), "radius of the ball, in units of the space's scale", low=0.0)
    max_queries: int = param(500, "queries of each example", low=1)
    share: float = param(0.8, "share of an input that the first squares cover; the next are smaller", above=0, high=1)
    seed: int = param(0, "seed of the squares", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        # Drawn on the CPU, so that every device searches the same squares.
        space, source = model.space, generator(self.seed, CPU)
        found, remaining = inputs.clone(), parted(aim.budget > 0)[1]
        origin, part, best = inputs[remaining], aim[remaining], inputs[remaining]
        highest = torch.full_like(part.budget, -torch.inf)
        for query in range(self.max_queries):
            if len(remaining) == 0:
                break
            if query == 0:
                chosen, signs = torch.ones_like(origin[:1], dtype=torch.bool), stripes(space, origin, source)
            else:
                share = self.share / 2 ** sum(query > at * self.max_queries for at in HALVED)
                chosen, signs = square(space, origin, share, source)
            tried = _edge(space, origin, best, chosen, signs, part)
            loss, reached = part.ask(tried)
            better = reached | (loss > highest)
            best = torch.where(column(better, best), tried, best)
            highest = torch.where(better, loss, highest)
            others, there = parted(reached)
            if len(there):
                found[remaining[there]] = best[there]
                remaining, origin, part = remaining[others], origin[others], part[others]
                best, highest = best[others], highest[others]
        found[remaining] = best
        return found


def _edge(space: Space, origin: Inputs, best: Inputs, chosen: Tensor, signs: Tensor, aim: Aim) -> Inputs:
    """The best points with the chosen coordinates at the edge of the ball; at the other edge, if they are there."""
    radius = column(aim.budget.to(wide(origin).dtype), origin)
    there = torch.where(chosen, place(space, origin, signs * radius, torch.inf, aim.budget), best)
    opposite = torch.where(chosen, place(space, origin, -signs * radius, torch.inf, aim.budget), best)
    return torch.where(column((there == best).flatten(1).all(1), best), opposite, there)


def stripes(space: Space, like: Inputs, source: torch.Generator) -> Tensor:
    """A random sign for each line of neighbours, (1, *shape): stripes in an image; in a table, one for each column."""
    shape, near = list(like.shape[1:]), space.form_of(like).near
    if near:
        shape[-near] = 1
    return _signs(shape, like, source).expand(1, *like.shape[1:])


def square(space: Space, like: Inputs, share: float, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random coordinates that are neighbours, (1 or batch, *shape), and their signs, one for each channel."""
    shape, near = list(like.shape[1:]), space.form_of(like).near
    if not near:
        allowed = space.mutable_mask(like).flatten(1)
        drawn = torch.rand(1, allowed.shape[1], generator=source).to(like.device).expand(allowed.shape)
        order = drawn.masked_fill(~allowed, -1.0).argsort(dim=1, descending=True, stable=True).argsort(1)
        most = (share * allowed.sum(1, keepdim=True)).round().clamp(min=1)
        return (order < most).view(like.shape), _signs(shape, like, source)
    lengths = shape[-near:]
    side = round((share * torch.Size(lengths).numel()) ** (1 / near))
    chosen = torch.zeros(1, *shape, dtype=torch.bool)
    places = torch.rand(near, generator=source).tolist()
    window = [slice(None)] * (1 + len(shape) - near)
    for length, where in zip(lengths, places, strict=True):
        width = min(max(side, 1), length)
        start = int(where * (length - width + 1))
        window.append(slice(start, start + width))
    chosen[tuple(window)] = True
    return chosen.to(like.device), _signs([*shape[:-near], *[1] * near], like, source)


def _signs(shape: list[int], like: Inputs, source: torch.Generator) -> Tensor:
    return (torch.randint(2, (1, *shape), generator=source) * 2 - 1).to(like.device, wide(like).dtype)
