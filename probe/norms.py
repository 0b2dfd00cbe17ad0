"""The geometry of a ball: its steepest direction, its projection, a random point in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from probe.draws import uniform
from probe.tensors import column

_SPREAD = (
    0.02  # share of the coordinates that an L1 step moves; of 0 to 10 % it left the fewest images of both networks
)
Radius = float | Tensor  # one radius for all rows, or (batch, 1, ...)


@dataclass(frozen=True)
class Norm:
    """Operations of an L_p norm for attacks. All tensors are (batch, *shape), in units of the space's scale."""

    p: float
    steepest: Callable[[Tensor], Tensor]  # the steepest step of length 1 for a gradient
    project: Callable[[Tensor, Radius], Tensor]  # projection onto the ball
    uniform: Callable[[Tensor, Tensor], Tensor]  # a uniform point of the unit ball for each row, from its key
    # The steepest step of a length (batch, 1, ...) within the room of each coordinate; None: every step is cut to it.
    fill: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None


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


def _shrink(change: Tensor, radius: Radius, room: Tensor | None = None) -> Tensor:
    """Projection onto the L2 ball, and onto the room of each coordinate."""
    if room is not None:
        most = torch.as_tensor(radius, dtype=change.dtype, device=change.device) * torch.ones_like(change[:, :1])
        cut = torch.minimum(change.abs(), room) * change.sign()
        return torch.where(_length(cut) > radius, _shrink(_pour(change, most, room), radius), cut)
    length = _length(change)
    # Slightly less than the radius, as the length of the result is rounded too.
    aim = radius * (1 - 16 * torch.finfo(change.dtype).eps)
    return torch.where(length > aim, change * (aim / length.where(length > 0, torch.ones_like(length))), change)


def _soften(change: Tensor, radius: Radius, room: Tensor | None = None) -> Tensor:
    """Projection onto the L1 ball, and onto the room of each coordinate: soft thresholding, cut off at the room.

    Without a room it is that of Duchi et al. 2008. `room` says how far a coordinate can move in the sense of `change`.
    """
    flat = change.flatten(1)
    aim = torch.as_tensor(radius, dtype=flat.dtype, device=flat.device) * (1 - 16 * torch.finfo(flat.dtype).eps)
    aim, sizes = aim.reshape(-1, 1), flat.abs()
    most = torch.full_like(sizes, torch.inf) if room is None else room.flatten(1)
    # The length at threshold t is the sum of (size - t)+ - (size - most - t)+, piecewise linear in t.
    corners, order = torch.cat([sizes, (sizes - most).clamp(min=0)], 1).sort(1, descending=True)
    sign = torch.where(order < sizes.shape[1], 1, -1).to(flat.dtype)
    sums, counts = (sign * corners).cumsum(1), sign.cumsum(1)
    kept = (sums - counts * corners < aim).sum(1, keepdim=True).clamp(min=1) - 1
    fall = (sums.gather(1, kept) - aim) / counts.gather(1, kept).clamp(min=1)
    # Between the two corners, also where several are equal and in whatever order these stand.
    after = corners.gather(1, (kept + 1).clamp(max=corners.shape[1] - 1))
    fall = torch.minimum(torch.maximum(fall, after), corners.gather(1, kept))
    cut = torch.minimum(sizes, most)
    softened = torch.minimum((sizes - fall).clamp(min=0), most)
    return (flat.sign() * (aim > 0) * torch.where(cut.sum(1, keepdim=True) > aim, softened, cut)).view_as(change)


def _first(gradient: Tensor) -> Tensor:
    """A step of length 1 along the coordinate with the steepest slope."""
    sizes = gradient.flatten(1).abs()
    first = torch.zeros_like(sizes).scatter_(1, sizes.argmax(1, keepdim=True), 1.0)
    return (first * gradient.flatten(1).sign()).view_as(gradient)


def _pour(gradient: Tensor, length: Tensor, room: Tensor) -> Tensor:
    """The steepest step in L2: along the gradient, and further along the others where a coordinate has no more room."""
    pull, length, room = gradient.flatten(1).abs(), length.flatten(1)[:, :1], room.flatten(1)
    # In parts of the largest slope and of the length, or squares of faint ones would underflow.
    largest, unit = pull.amax(1, keepdim=True), torch.where((length > 0) & length.isfinite(), length, 1.0)
    pull, goal = pull / largest.where(largest > 0, torch.ones_like(largest)), (length / unit).square()
    most = torch.where(pull > 0, room / unit, 0.0)
    # The step is min(times pull, most). By what times each coordinate has no more room:
    ends, order = (most / pull.where(pull > 0, torch.ones_like(pull))).sort(1)
    full = most.gather(1, order).square().cumsum(1)
    full = torch.cat([torch.zeros_like(full[:, :1]), full], 1)  # of the first so many coordinates
    free = pull.gather(1, order).square().flip(1).cumsum(1).flip(1)  # of the others
    free = torch.cat([free, torch.zeros_like(free[:, :1])], 1)
    ended = (full[:, :-1] + ends.square() * free[:, :-1] < goal).sum(1, keepdim=True)
    rest = (goal - full.gather(1, ended)).clamp(min=0)
    # Where none is free, all have as much as they can.
    left = free.gather(1, ended)
    times = torch.where(left > 0, (rest / left.where(left > 0, torch.ones_like(left))).sqrt(), torch.inf)
    step = torch.where(pull > 0, torch.minimum(times * pull, most), 0.0)
    return (torch.minimum(step * unit, room) * gradient.flatten(1).sign()).view_as(gradient)


def _spend(gradient: Tensor, length: Tensor, room: Tensor) -> Tensor:
    """A step in L1: the coordinates with the steepest slopes move, each as far as it can and at most by its part.

    With up to 50 coordinates it is the steepest step. With more, that one would move so few of them that their slopes
    changed on the way: it is spread over 2 % of them.
    """
    sizes, order = gradient.flatten(1).abs().sort(dim=1, descending=True, stable=True)
    most = torch.where(sizes > 0, room.flatten(1).gather(1, order), 0.0)
    most = torch.minimum(most, length.reshape(-1, 1) / max(1.0, _SPREAD * most.shape[1]))
    before = most.cumsum(1) - most
    step = torch.minimum((length.reshape(-1, 1) - before).clamp(min=0), most)
    return (torch.zeros_like(step).scatter_(1, order, step) * gradient.flatten(1).sign()).view_as(gradient)


def _in_box(rows: Tensor, keyed: Tensor) -> Tensor:
    return uniform(keyed, rows).view_as(rows) * 2 - 1


def _in_sphere(rows: Tensor, keyed: Tensor) -> Tensor:
    drawn = uniform(keyed, rows, 1)
    direction = torch.erfinv(2 * drawn[:, 1:] - 1)  # of a normal distribution, but for its width
    # The volume within r of the centre grows as r^d, so a uniform point lies at U^(1/d).
    share = drawn[:, :1] ** (1 / direction.shape[1])
    return (direction / torch.linalg.vector_norm(direction, dim=1, keepdim=True) * share).view_as(rows)


def _in_cross(rows: Tensor, keyed: Tensor) -> Tensor:
    # Gaps between sorted uniform numbers are uniform on a simplex; one more gap is what the point lacks to the edge.
    drawn, signs = uniform(keyed, rows, rows[0].numel()).chunk(2, 1)
    cuts = drawn.sort(1).values
    sizes = cuts.diff(dim=1, prepend=torch.zeros_like(cuts[:, :1]))
    return torch.where(signs < 0.5, -sizes, sizes).view_as(rows)


PROJECTIONS: Mapping[float, Callable[[Tensor, Radius], Tensor]] = {torch.inf: _clip, 2.0: _shrink, 1.0: _soften}  # by p
# The same onto ball and room; in Linf the room cuts each coordinate by itself.
WITHIN: Mapping[float, Callable[[Tensor, Radius, Tensor], Tensor]] = {2.0: _shrink, 1.0: _soften}
NORMS = {
    "linf": Norm(torch.inf, torch.sign, _clip, _in_box),
    "l2": Norm(2.0, _unit, _shrink, _in_sphere, _pour),
    "l1": Norm(1.0, _first, _soften, _in_cross, _spend),
}
