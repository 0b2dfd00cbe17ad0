"""The normal of the boundary from decisions alone, estimated among low frequencies."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from probe.attacks.walk import CHUNK, HALVINGS, Walk, WalkingAttack
from probe.method import param
from probe.norms import NORMS
from probe.tensors import column, parted, spans
from probe.threats import Ball, Threat

FURTHER = (1.0, 2.0, 4.0, 8.0)  # lengths at which the boundary is looked for along the normal, in parts of the last one
WIDTH = 0.02  # length of a random change, in parts of the distance: far above the error of the bisection
GROWTH = 0.6 ** (-2 / 3)  # by which each round has more draws: the optimum of the paper for the rate that it uses


@dataclass(frozen=True, kw_only=True)
class Geoda(WalkingAttack):
    """Minimal change along the normal of the boundary, by decisions (GeoDA, Rahmati et al. 2020, arXiv:2003.06468).

    It starts as `HopSkipJump` does, at the boundary on the way to a random point that reaches the goal. In each of a
    few rounds it asks of random changes around the boundary point, whose mean, each with the sign of its answer,
    estimates the normal there; it goes from the input along that normal to the boundary, and on from the nearer of both
    points. Later rounds have more draws. In images and series the random changes are of the `frequencies` lowest
    cosines of each axis, so that a normal needs fewer queries. What lies outside of these is not found: in L2 the
    length for a linear model tends to the distance within them. The bounds of the space must be finite.

    All examples share their random draws, so that a result does not depend on the rest of the batch.

    Raises:
        Unsupported: if a coordinate that may move has no finite bounds.

    Example:
        >>> import numpy as np
        >>> import torch
        >>> from probe import Space, from_predict_proba
        >>> from probe.attacks import Geoda
        >>> def step(rows):  # a decision tree: it has no gradients
        ...     high = rows.sum(1, keepdims=True) > 1
        ...     return np.hstack([1.0 - high, high])
        >>> model = from_predict_proba(step, Space(), classes=("low", "high"))
        >>> found = Geoda()(model, torch.tensor([[0.3, 0.4]]), torch.tensor([0]))
        >>> bool(found.success), round(float(found.length), 2), bool(found.queries <= 1000)
        (True, 0.21, True)
    """

    norm: Literal["linf", "l2"] = param("l2", "norm of the change")
    rounds: int = param(4, "estimates of the normal, at most; fewer where each would have few draws", low=1)
    frequencies: int = param(
        12, "lowest frequencies of each axis of an image or a series that changes consist of", low=1
    )

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)

    def walked(self, walk: Walk) -> None:
        axes = walk.space.form_of(walk.start).near
        for draws in self._draws():
            walk.afford(draws + len(FURTHER) + HALVINGS)
            if not len(walk.rows):
                break
            _round(walk, low_frequencies(walk.drawn(draws, torch.randn), axes, self.frequencies))

    def _draws(self) -> list[int]:
        """The draws of each round, so many that every example can pay for all rounds."""
        spare, fixed = self.max_queries - min(self.starts, self.max_queries) - HALVINGS, len(FURTHER) + HALVINGS
        rounds = max(1, min(self.rounds, spare // (3 * fixed)))
        parts = [GROWTH**at for at in range(rounds)]
        return [max(1, int((spare - rounds * fixed) * part / sum(parts))) for part in parts]


def _round(walk: Walk, near: Tensor) -> None:
    """Estimate the normal where each example is, and go along it from the input to the boundary."""
    rows, norm = walk.rows, walk.norm
    change = walk.change[rows]
    length = torch.linalg.vector_norm(change.flatten(1), ord=norm.p, dim=1)
    width = WIDTH * column(torch.linalg.vector_norm(change.flatten(1), dim=1), change)[:, None]
    normal = torch.zeros_like(change)
    for part in spans(len(near), CHUNK):
        real, _, reached = walk.answers(rows, change[:, None] + width * near[part])
        sign = torch.where(reached, 1.0, -1.0).to(change.dtype).view(*reached.shape, *[1] * (change.ndim - 1))
        normal = normal + (sign * (real - change[:, None])).sum(1)
    way, missing = norm.steepest(normal), torch.ones_like(length, dtype=torch.bool)
    for times in FURTHER:
        tried = parted(missing)[1]
        if not len(tried):
            break
        real, reached = walk.ask(rows[tried], (column(times * length, change) * way)[tried])
        there = tried[reached]
        walk.change[rows[there]], missing[there] = real[reached], False
    walk.back()
    found = walk.change[rows]
    nearer = torch.linalg.vector_norm(found.flatten(1), ord=norm.p, dim=1) < length
    walk.change[rows] = torch.where(column(nearer, change), found, change)


def low_frequencies(drawn: Tensor, axes: int, count: int) -> Tensor:
    """The part of each draw in the lowest cosines of its last axes (DCT-II), all of it without axes; of length 1."""
    for axis in range(-axes, 0):
        cosines = lowest_cosines(drawn.shape[axis], count).to(drawn)
        drawn = (drawn.movedim(axis, -1) @ cosines.mT @ cosines).movedim(-1, axis)
    length = torch.linalg.vector_norm(drawn.flatten(1), dim=1).clamp(min=torch.finfo(drawn.dtype).tiny)
    return drawn / column(length, drawn)


def lowest_cosines(length: int, count: int) -> Tensor:
    """The first rows of the orthonormal cosine transform, (count, length)."""
    middles = torch.arange(length, dtype=torch.float64) + 0.5
    cosines = (math.pi / length * torch.arange(min(count, length))[:, None] * middles).cos()
    return cosines / torch.linalg.vector_norm(cosines, dim=1, keepdim=True)
