"""The geometry of a ball: its steepest direction, its projection, a random point in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from probe.tensors import column

Radius = float | Tensor  # one radius for all rows, or (batch, 1, ...)


@dataclass(frozen=True)
class Norm:
    """Operations of an L_p norm for attacks. All tensors are (batch, *shape), in units of the space's scale."""

    p: float
    steepest: Callable[[Tensor], Tensor]  # the steepest step of length 1 for a gradient
    project: Callable[[Tensor, Radius], Tensor]  # projection onto the ball
    uniform: Callable[[Tensor, torch.Generator], Tensor]  # a uniform point of the unit ball, shaped as a row


def _length(change: Tensor) -> Tensor:
    # Scaled by the largest entry first: squaring 1e-30 would underflow to a zero length and a missing step.
    largest = change.flatten(1).abs().amax(1)
    safe = column(largest.where(largest > 0, torch.ones_like(largest)), change)
    return column(torch.linalg.vector_norm((change / safe).flatten(1), dim=1), change) * safe


def _unit(gradient: Tensor) -> Tensor:
    length = _length(gradient)
    return torch.where(length > 0, gradient / length.where(length > 0, torch.ones_like(length)), 0.0)


def _clip(change: Tensor, radius: Radius) -> Tensor:
    most = torch.as_tensor(radius, dtype=change.dtype, device=change.device)
    return change.clamp(-most, most)


def _shrink(change: Tensor, radius: Radius) -> Tensor:
    length = _length(change)
    # Slightly less than the radius, as the length of the result is rounded too.
    aim = radius * (1 - 16 * torch.finfo(change.dtype).eps)
    return torch.where(length > aim, change * (aim / length.where(length > 0, torch.ones_like(length))), change)


def _soften(change: Tensor, radius: Radius) -> Tensor:
    """Projection onto the L1 ball: soft thresholding (Duchi et al. 2008)."""
    flat = change.flatten(1)
    aim = torch.as_tensor(radius, dtype=flat.dtype, device=flat.device) * (1 - 16 * torch.finfo(flat.dtype).eps)
    aim = aim.reshape(-1, 1)
    sizes = flat.abs().sort(1, descending=True).values
    sums = sizes.cumsum(1)
    counts = torch.arange(1, flat.shape[1] + 1, device=flat.device)
    kept = (sizes * counts > sums - aim).sum(1, keepdim=True).clamp(min=1)
    fall = ((sums.gather(1, kept - 1) - aim) / kept).clamp(min=0)
    softened = flat.sign() * (flat.abs() - fall).clamp(min=0)
    return torch.where(sums[:, -1:] > aim, softened, flat).view_as(change)


def _in_box(row: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(row.shape, generator=generator, device=row.device, dtype=row.dtype) * 2 - 1


def _in_sphere(row: Tensor, generator: torch.Generator) -> Tensor:
    direction = torch.randn(row.shape, generator=generator, device=row.device, dtype=row.dtype)
    # The volume within r of the centre grows as r^d, so a uniform point lies at U^(1/d).
    share = torch.rand((), generator=generator, device=row.device, dtype=row.dtype) ** (1 / row.numel())
    return direction / torch.linalg.vector_norm(direction) * share


PROJECTIONS: Mapping[float, Callable[[Tensor, Radius], Tensor]] = {torch.inf: _clip, 2.0: _shrink, 1.0: _soften}  # by p
NORMS = {
    "linf": Norm(torch.inf, torch.sign, _clip, _in_box),
    "l2": Norm(2.0, _unit, _shrink, _in_sphere),
}
