"""The geometry of a ball: its steepest direction, its projection, a random point in it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from probe.tensors import column


@dataclass(frozen=True)
class Norm:
    """What an attack must know of an L_p norm. All tensors are (batch, *shape) in the unit of the space's scale."""

    p: float
    steepest: Callable[[Tensor], Tensor]  # the step of length 1 that goes most against a gradient
    project: Callable[[Tensor, float], Tensor]  # the nearest change of at most that length
    uniform: Callable[[Tensor, torch.Generator], Tensor]  # one point of the unit ball, shaped as a row


def _length(change: Tensor) -> Tensor:
    # Scaled by the largest entry first: squaring 1e-30 would underflow to a zero length and a missing step.
    largest = change.flatten(1).abs().amax(1)
    safe = column(largest.where(largest > 0, torch.ones_like(largest)), change)
    return column(torch.linalg.vector_norm((change / safe).flatten(1), dim=1), change) * safe


def _unit(gradient: Tensor) -> Tensor:
    length = _length(gradient)
    return torch.where(length > 0, gradient / length.where(length > 0, torch.ones_like(length)), 0.0)


def _shrink(change: Tensor, radius: float) -> Tensor:
    length = _length(change)
    # A little less than the radius, as the length of what comes out is rounded too.
    aim = radius * (1 - 16 * torch.finfo(change.dtype).eps)
    return torch.where(length > aim, change * (aim / length.where(length > 0, torch.ones_like(length))), change)


def _in_box(row: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(row.shape, generator=generator, device=row.device, dtype=row.dtype) * 2 - 1


def _in_sphere(row: Tensor, generator: torch.Generator) -> Tensor:
    direction = torch.randn(row.shape, generator=generator, device=row.device, dtype=row.dtype)
    # The volume within r of the centre grows as r^d, so a uniform point lies at U^(1/d).
    share = torch.rand((), generator=generator, device=row.device, dtype=row.dtype) ** (1 / row.numel())
    return direction / torch.linalg.vector_norm(direction) * share


NORMS = {
    "linf": Norm(torch.inf, torch.sign, lambda change, radius: change.clamp(-radius, radius), _in_box),
    "l2": Norm(2.0, _unit, _shrink, _in_sphere),
}
