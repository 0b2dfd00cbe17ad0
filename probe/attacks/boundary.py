"""A random walk along the boundary towards the input, from decisions alone."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.attacks.walk import Walk, WalkingAttack
from probe.method import param
from probe.tensors import column
from probe.threats import Ball, Threat

FIRST, LEAST, MOST = 0.1, 1e-4, 0.5  # lengths of a step, in parts of the distance
PACE = 1.5  # factor by which lengths grow or shrink
ASIDE, NEARER = 0.5, 0.25  # shares of points that reach the goal above which steps aside, and nearer, grow


@dataclass(frozen=True, kw_only=True)
class Boundary(WalkingAttack):
    """Minimal L2 change by a random walk that asks for decisions only (Brendel et al. 2018, arXiv:1712.04248).

    It starts as `HopSkipJump` does, at the boundary on the way to a random point that reaches the goal. In each round
    it asks of `draws` random points: half of them aside, at the same distance from the input, and half a step nearer
    too. The nearest that reaches the goal is the next point. Steps aside grow where more than half of the points aside
    reach the goal, and shrink otherwise; steps nearer, where more than a quarter do. The bounds of the space must be
    finite.

    All examples share their random draws, so that a result does not depend on the rest of the batch.

    Raises:
        Unsupported: if a coordinate that may move has no finite bounds.

    Example:
        >>> import numpy as np
        >>> import torch
        >>> from probe import Space, from_predict_proba
        >>> from probe.attacks import Boundary
        >>> def step(rows):  # a decision tree: it has no gradients
        ...     high = rows.sum(1, keepdims=True) > 1
        ...     return np.hstack([1.0 - high, high])
        >>> model = from_predict_proba(step, Space(), classes=("low", "high"))
        >>> found = Boundary()(model, torch.tensor([[0.3, 0.4]]), torch.tensor([0]))
        >>> bool(found.success), round(float(found.length), 1), bool(found.queries <= 1000)
        (True, 0.2, True)
    """

    threat: ClassVar[Threat] = Ball(2.0)

    draws: int = param(16, "random points of each round, half of them nearer", low=2)

    def walked(self, walk: Walk) -> None:
        lengths = torch.full((2, len(walk.start)), FIRST, dtype=walk.start.dtype, device=walk.start.device)
        while True:
            walk.afford(self.draws)
            if not len(walk.rows):
                return
            near = walk.drawn(self.draws, torch.randn)
            lengths[:, walk.rows] = _round(walk, near, *lengths[:, walk.rows])


def _round(walk: Walk, near: Tensor, aside: Tensor, nearer: Tensor) -> Tensor:
    """Ask of random points near each, go to the nearest that reaches the goal; the next lengths of the two steps."""
    rows, half = walk.rows, len(near) // 2
    change = walk.change[rows]
    flat, dims = change.flatten(1)[:, None], (len(rows), len(near))
    distance = torch.linalg.vector_norm(flat, dim=2, keepdim=True).clamp(min=torch.finfo(flat.dtype).tiny)
    to = flat / distance
    away = near.flatten(1)[None].expand(len(rows), -1, -1)
    away = away - (away * to).sum(2, keepdim=True) * to
    away = away / torch.linalg.vector_norm(away, dim=2, keepdim=True).clamp(min=torch.finfo(flat.dtype).tiny)
    moved = to + aside[:, None, None] * away
    moved = moved / torch.linalg.vector_norm(moved, dim=2, keepdim=True) * distance
    moved[:, half:] *= 1 - nearer[:, None, None]
    real, points, reached = walk.answers(rows, moved.view(*dims, *change.shape[1:]))
    lengths = torch.linalg.vector_norm(real.flatten(2), dim=2).masked_fill(~reached, torch.inf)
    least, at = lengths.min(1)
    best, point = (each[torch.arange(len(rows), device=rows.device), at] for each in (real, points))
    walk.keep(rows, point, least.isfinite())
    walk.change[rows] = torch.where(column(least < distance[:, 0, 0], change), best, change)
    shares = torch.stack([reached[:, :half], reached[:, half:]]).to(aside.dtype).mean(2)
    enough = shares > torch.tensor([[ASIDE], [NEARER]], dtype=aside.dtype, device=aside.device)
    return torch.where(enough, PACE, 1 / PACE).mul(torch.stack([aside, nearer])).clamp(LEAST, MOST)
