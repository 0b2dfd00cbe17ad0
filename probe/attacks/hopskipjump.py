"""Minimal changes from decisions alone."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from probe.attacks.walk import CHUNK, HALVINGS, Walk, WalkingAttack
from probe.method import param
from probe.norms import NORMS
from probe.tensors import column, parted
from probe.threats import Ball, Threat


@dataclass(frozen=True, kw_only=True)
class HopSkipJump(WalkingAttack):
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

    norm: Literal["linf", "l2"] = param("l2", "norm of the change")
    draws: int = param(
        50, "random changes in the first gradient estimate; in round n, the square root of n times as many", low=2
    )

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)

    def walked(self, walk: Walk) -> None:
        rounds = 1
        while len(walk.rows):
            _climb(walk, round(self.draws * math.sqrt(rounds)), rounds)
            rounds += 1


def _climb(walk: Walk, draws: int, rounds: int) -> None:
    """One step along the slope of the boundary, and back to the boundary."""
    walk.afford(draws + 2 * HALVINGS)
    rows, size = walk.rows, walk.start[0].numel()
    if len(rows) == 0:
        return
    change = walk.change[rows]
    length = torch.linalg.vector_norm(change.flatten(1), ord=walk.norm.p, dim=1)
    # The width of the published search: a small part of the distance, which falls with the number of coordinates.
    width = column(length / size if rounds > 1 else torch.full_like(length, 0.1), change)
    near = walk.drawn(draws, torch.randn if walk.norm.p == 2 else _signed)
    near = near / torch.linalg.vector_norm(near.flatten(1), ord=2, dim=1).view(-1, *[1] * (near.ndim - 1))
    near = near * (math.sqrt(size) if walk.norm.p != 2 else 1.0)
    total, ones, moves = torch.zeros_like(change), torch.zeros_like(length), torch.zeros_like(change)
    for some in near.split(CHUNK):
        real, _, reached = walk.answers(rows, change[:, None] + width[:, None] * some)
        moved, sign = (real - change[:, None]) / width[:, None], torch.where(reached, 1.0, -1.0).to(change.dtype)
        total = total + (sign.view(*sign.shape, *[1] * (change.ndim - 1)) * moved).sum(1)
        moves, ones = moves + moved.sum(1), ones + sign.sum(1)
    average = ones / draws
    plain = average.abs() == 1  # all alike: their mean would leave nothing
    slope = torch.where(column(plain, change), total, total - column(average, change) * moves)
    step, wanted = length / math.sqrt(rounds), walk.norm.steepest(slope)
    best, missing = change, torch.ones_like(plain)
    for _ in range(HALVINGS):
        if not bool(missing.any()):
            break
        tried = parted(missing)[1]
        real, reached = walk.ask(rows[tried], (change + column(step, change) * wanted)[tried])
        there = tried[reached]
        best = best.clone()
        best[there], missing[there] = real[reached], False
        step = torch.where(missing, step / 2, step)
    walk.change[rows] = best
    walk.back()


def _signed(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator) * 2 - 1
