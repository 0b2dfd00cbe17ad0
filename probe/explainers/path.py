"""Gradients integrated along straight paths, with adaptive subdivision where the integral misses the difference."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int, Shaped
from torch import Tensor

from probe.model import Model
from probe.shapes import Inputs, Labels, References
from probe.tensors import column, spans

Rows = Int[Tensor, " pieces"]
Places = Float64[Tensor, " pieces"]
Parts = Shaped[Tensor, "pieces *shape"]
PerPath = Float64[Tensor, " paths"]
Ends = Float64[Tensor, "paths 2"]  # the output at both ends ends ends ends
Counts = Int[Tensor, " paths"]
Chosen = Bool[Tensor, " pieces"]

# Initial number of pieces, and points on each half of one that is halved. Pieces that need no more are kept: that takes
# .8 of the gradients of dividing anew a path whose sum is wrong. The kinks of a ReLU network need short pieces;
# more points on each see no more of them: on adult-mlp 8 points take twice the gradients of 3 for the same residual.
_FIRST, _POINTS = 4, 3
_SMALL = 1e-4
_FEW = 8  # a path has few pieces up to this part of the most that it may have
_HELD = 2**24  # maximum number of coordinates of integrals in memory


@dataclass(frozen=True)
class Paths:
    """Straight paths from one origin to each of the inputs, and the output that is integrated along them."""

    model: Model
    origin: References
    inputs: Inputs
    targets: Labels
    output: str

    def __getitem__(self, rows: Tensor) -> "Paths":
        return Paths(self.model, self.origin, self.inputs[rows], self.targets[rows], self.output)

    def at(self, row: Rows, place: Places) -> Inputs:
        """Points on the paths; `place` runs from 0 at the origin to 1 at the input."""
        inputs = self.inputs[row.to(self.inputs.device)]
        return self.origin + column(_like(place, inputs), inputs) * (inputs - self.origin)

    def at_origin(self) -> PerPath:
        """The output for each target at the origin, which is asked once."""
        logits = self.model.logits(self.origin)
        logits = logits.expand(len(self.inputs), *logits.shape[1:])
        return self.model.task.pick(self.model.task.explained(logits, self.output), self.targets).cpu().double()

    def answers(self, row: Rows, place: Places) -> Places:
        """The output at points on the paths."""
        found = [
            self.model.target_outputs(
                self.at(row[s], place[s]), self.targets[row[s].to(self.targets.device)], self.output
            )
            for s in spans(len(row), self.model.rows_per_pass(self.inputs))
        ]
        return torch.cat(found).cpu().double()

    def integrals(self, row: Rows, low: Places, size: Places, steps: int) -> Parts:
        """Integrals over pieces of the paths by Gauss-Legendre quadrature with `steps` points per piece.

        The quadrature is exact where the gradient is a polynomial of degree 2 * steps - 1 on the piece.
        """
        points, weights = (torch.from_numpy(of) / 2 for of in np.polynomial.legendre.leggauss(steps))
        wide = torch.promote_types(self.inputs.dtype, torch.float32)
        total = torch.zeros(len(row), *self.inputs.shape[1:], dtype=wide, device=self.inputs.device)
        for span in spans(len(row) * steps, self.model.rows_per_pass(self.inputs)):
            place = torch.arange(span.start, span.stop)
            piece, point = place // steps, place % steps
            gradient = self._gradients(row[piece], low[piece] + size[piece] * (points[point] + 0.5)).to(wide)
            share = column(_like(size[piece] * weights[point], gradient), gradient)
            total.index_add_(0, piece.to(total.device), share * gradient)
        return total * (self.inputs[row.to(total.device)] - self.origin)

    def _gradients(self, row: Rows, place: Places) -> Inputs:
        return gradients(self.model, self.at(row, place), self.targets[row.to(self.targets.device)], self.output)


def gradients(model: Model, inputs: Inputs, targets: Labels, output: str) -> Inputs:
    """The gradient of each example's output with respect to its input."""

    def objective(logits: Tensor) -> Tensor:
        return model.task.pick(model.task.explained(logits, output), targets)

    return model.gradient(inputs, objective)[1]


def integrate(paths: Paths, steps: int, pieces: int, tolerance: float) -> Parts:
    """The integral over each path: `steps` points on a few pieces, which are divided where the values do not add up."""
    every = torch.arange(len(paths.inputs))
    none, one = torch.zeros(len(every), dtype=torch.float64), torch.ones(len(every), dtype=torch.float64)
    if pieces == 1:
        return paths.integrals(every, none, one, steps)
    start, end = paths.at_origin(), paths.answers(every, one)
    allowed = tolerance * (end - start).abs()
    parts = []
    for span in spans(len(every), max(1, _HELD // (pieces * paths.inputs[0].numel()))):
        ends, some = torch.stack([start, end], 1)[span], every[span].to(paths.inputs.device)
        parts.append(_divided(paths[some], ends, allowed[span], pieces, steps))
    return torch.cat(parts)


@dataclass(frozen=True)
class _Pieces:
    """Pieces of paths: path and position, the output at both ends, the integral, and the error of its sum (`off`)."""

    row: Rows
    low: Places
    size: Places
    start: Places
    end: Places
    part: Parts
    off: Places

    def __getitem__(self, chosen: Chosen) -> "_Pieces":
        # Indices instead of a mask: indexing by a mask synchronises with the device.
        rows = chosen.nonzero()[:, 0]
        return _Pieces(*(of[rows.to(of.device)] for of in self.all()))

    def __add__(self, other: "_Pieces") -> "_Pieces":
        return _Pieces(*(torch.cat(both) for both in zip(self.all(), other.all(), strict=True)))

    def all(self) -> list[Tensor]:
        return [getattr(self, f.name) for f in fields(self)]


def _divided(paths: Paths, ends: Ends, allowed: PerPath, pieces: int, steps: int) -> Parts:
    """Halve the pieces with the largest error until the total error is within tolerance, or there are `pieces`."""
    first = min(_FIRST, pieces, steps)
    held, count = _cut(paths, ends, first, steps // first), torch.full((len(ends),), first)
    # An error below 1e-4 of the values, or of 1 in output units, is not worth the time of a subdivision.
    sizes = torch.zeros_like(allowed).index_add_(0, held.row, held.part.flatten(1).abs().sum(1).cpu().double())
    allowed = torch.maximum(allowed, _SMALL * sizes.clamp(max=1))
    total, settled = torch.zeros_like(held.part[: len(ends)]), torch.zeros_like(allowed)
    # Points that are closer together are equal in the inputs' precision.
    smallest = 64 * torch.finfo(paths.inputs.dtype).eps
    while True:
        # Pieces whose summed errors stay within the tolerance are never halved, so they are not kept.
        small = held.off.abs() <= allowed[held.row] / (2 * pieces)
        _gather(total, held[small])
        settled.index_add_(0, held.row[small], held.off[small])
        held = held[~small]
        off = settled.index_add(0, held.row, held.off)
        halved = _worst(held, allowed, pieces - count) & (off.abs() > allowed)[held.row] & (held.size > smallest)
        if not bool(halved.any()):
            _gather(total, held)
            return total
        count += torch.bincount(held.row[halved], minlength=len(count))
        # As many points as before are enough while a path has few pieces; later each piece has to tell more.
        few = (count <= pieces // _FEW)[held.row]
        parted = (halved & few, min(-(-steps // first // 2), _POINTS)), (halved & ~few, min(steps // first, _POINTS))
        made = [_halves(paths, held[some], points) for some, points in parted if bool(some.any())]
        held = sum(made, start=held[~halved])


def _cut(paths: Paths, ends: Ends, cuts: int, steps: int) -> _Pieces:
    """Cut whole paths into pieces of equal length."""
    rows, place = torch.arange(len(ends)), torch.arange(cuts, dtype=torch.float64) / cuts
    inner = paths.answers(rows.repeat_interleave(cuts - 1), place[1:].repeat(len(ends))).view(len(ends), cuts - 1)
    at = torch.cat([ends[:, :1], inner, ends[:, 1:]], 1)
    size = torch.full((len(ends) * cuts,), 1 / cuts, dtype=torch.float64)
    lies = (rows.repeat_interleave(cuts), place.repeat(len(ends)), size)
    return _integrated(paths, lies, (at[:, :-1].flatten(), at[:, 1:].flatten()), steps)


def _halves(paths: Paths, pieces: _Pieces, steps: int) -> _Pieces:
    half = pieces.size / 2
    middle = paths.answers(pieces.row, pieces.low + half)
    low, start, end = (
        torch.stack(two, 1).flatten()
        for two in ((pieces.low, pieces.low + half), (pieces.start, middle), (middle, pieces.end))
    )
    lies = (pieces.row.repeat_interleave(2), low, half.repeat_interleave(2))
    return _integrated(paths, lies, (start, end), steps)


def _integrated(paths: Paths, lies: tuple[Rows, Places, Places], between: tuple[Places, Places], steps: int) -> _Pieces:
    part, (start, end) = paths.integrals(*lies, steps), between
    return _Pieces(*lies, start, end, part, _sum(part) - (end - start))


def _worst(pieces: _Pieces, allowed: PerPath, room: Counts) -> Chosen:
    """The pieces of each path with the largest errors, such that the others are within the tolerance together."""
    size = pieces.off.abs()
    order = size.argsort(descending=True, stable=True)
    order = order[pieces.row[order].argsort(stable=True)]
    row, size = pieces.row[order], size[order]
    whole, pieces_of = torch.zeros_like(allowed).index_add(0, row, size), torch.bincount(row, minlength=len(allowed))
    before = size.cumsum(0) - size - (whole.cumsum(0) - whole)[row]
    rank = torch.arange(len(row)) - (pieces_of.cumsum(0) - pieces_of)[row]
    chosen = torch.zeros(len(row), dtype=torch.bool)
    chosen[order] = (whole[row] - before > allowed[row]) & (rank < room[row])
    return chosen


def _gather(total: Parts, pieces: _Pieces) -> None:
    total.index_add_(0, pieces.row.to(total.device), pieces.part)


def _sum(parts: Parts) -> Places:
    return parts.flatten(1).sum(1).cpu().double()


def _like(numbers: Places, other: Tensor) -> Tensor:
    # Cast before moving, as not every device has float64.
    return numbers.to(other.dtype).to(other.device)
