"""What the output loses when one part of the input is taken away."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from probe.contracts import Explainer, Need
from probe.errors import RangeError, Unsupported
from probe.explainers.alike import differs_from_reference
from probe.explainers.coalitions import coalition_values, to_coordinates
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels, Presence
from probe.space import Space
from probe.tensors import exact, spans

Edges = Int[Tensor, " windows"]

_FLAGS = 2**24  # flags of what a window covers held at a time


@dataclass(frozen=True, kw_only=True)
class Occlusion(Explainer):
    """The output minus what it is without one part of the input, one part at a time (arXiv:1311.2901).

    Without a window a part is a feature: a column, a square of pixels, a word, an edge, a stretch of a series. This is
    also called leave-one-out or feature ablation. With a window, a square of pixels slides over an image, or a stretch
    over a series, through all channels at once; the last window of a row is cut off where the image ends. What is taken
    away has the values of the space's reference rows, over which the output is averaged. Masked rows that are equal are
    evaluated once, and the input itself answers for parts that equal the reference, whose value is exactly 0.

    Values are in output units. A feature's value is the whole loss; each coordinate has the mean, over the windows that
    cover it, of the loss divided by the coordinates of the window. They do not sum to the output.

    Raises:
        RangeError: if the stride is wider than the window, so that something is never covered, or the window is larger
            than the image.
        Unsupported: if the space has no reference, or a window is set for inputs that are neither images nor series.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.explainers import Occlusion
    >>> forward = lambda x: torch.stack([4 * x[:, 0] * x[:, 1] + x[:, 1], torch.zeros(len(x))], 1)
    >>> model = Model(forward=forward, space=Space(reference=torch.zeros(1, 2)))
    >>> Occlusion()(model, torch.tensor([[1.0, 0.5]]), torch.tensor([0])).values
    tensor([[2.0000, 2.5000]])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})

    window: int = param(0, "side of a sliding window, in pixels or measurements; 0 takes one feature at a time", low=0)
    stride: int = param(0, "from one window to the next; 0 is as far as the window is wide", low=0)

    def attribute(self, model: Model, inputs: Inputs, targets: Labels) -> Inputs:
        if self.stride > self.window:
            raise RangeError(
                f"Occlusion.stride = {self.stride} is wider than its window of {self.window}, so that something would "
                "never be covered; give a window of at least that"
            )
        space, axes = self._windows(model.space, inputs)
        cut, home = replace(model, space=space), exact(inputs.device)
        sizes = space.by_feature(torch.ones_like(inputs[:1], dtype=torch.float32)).to(home).double()[0]
        active = differs_from_reference(space, inputs)
        total, times = sizes.new_zeros(len(inputs), len(sizes)), torch.zeros_like(sizes)
        for covered in _covered(axes):
            masks = torch.cat([torch.ones(1, len(sizes), dtype=torch.bool), ~covered])
            values = coalition_values(cut, inputs, targets, masks, self.output, near=True)
            shares = covered.to(home).double()
            # Where all that a window covers equals the references it takes nothing away.
            lost = torch.where(active.double() @ shares.mT > 0, values[:, :1] - values[:, 1:], 0.0)
            total += (lost / (shares @ sizes)) @ shares
            times += shares.sum(0)
        return to_coordinates(total * sizes / times, space, inputs)

    def _windows(self, space: Space, inputs: Inputs) -> "tuple[Space, tuple[_Axis, ...]]":
        """A space whose features are the cells that windows are made of, and the windows along each axis."""
        if not self.window:
            each = torch.arange(space.feature_count(inputs))
            return space, (_Axis(each, each + 1, len(each)),)
        form = space.form_of(inputs)
        if not form.near:
            raise Unsupported(
                f"a window needs images or series, but these inputs are {form.read_as}; "
                "set window=0 to occlude one feature at a time"
            )
        shape = inputs.shape[2:]
        if self.window > min(shape):
            raise RangeError(f"Occlusion.window = {self.window}, expected at most {min(shape)}, the side of the input")
        cells, axes = torch.zeros(1, dtype=torch.long), []
        for length in shape:
            axis, cell = _axis(length, self.window, self.stride or self.window)
            cells = cells[..., None] * axis.cells + cell
            axes.append(axis)
        plain = replace(
            form, names=(), kinds=(), missing=(True,) * prod(a.cells for a in axes) if any(form.missing) else ()
        )
        grid = cells.expand(inputs.shape[1:])
        return Space(bounds=space.bounds, features=grid, reference=space.reference, form=plain), tuple(axes)


class _Axis(NamedTuple):
    """The windows along one axis: each covers the cells from `first` to before `last`."""

    first: Edges
    last: Edges
    cells: int


def _axis(length: int, window: int, stride: int) -> tuple[_Axis, Tensor]:
    """The windows along an axis, and the cell of each of its places; no edge of a window lies inside a cell."""
    first = torch.arange(0, length - window + stride, stride)
    last = (first + window).clamp(max=length)
    edges = torch.tensor(sorted({*first.tolist(), *last.tolist()}))
    starts = edges[:-1]
    cell = torch.searchsorted(starts, torch.arange(length), right=True) - 1
    return _Axis(torch.searchsorted(edges, first), torch.searchsorted(edges, last), len(starts)), cell


def _covered(axes: tuple[_Axis, ...]) -> Iterator[Presence]:
    """Which cells each window covers, in parts that fit in memory."""
    counts = [len(axis.first) for axis in axes]
    for span in spans(prod(counts), max(1, _FLAGS // prod(axis.cells for axis in axes))):
        left, covered = torch.arange(prod(counts))[span], torch.ones(1, 1, dtype=torch.bool)
        for axis in reversed(axes):
            at, left = left % len(axis.first), left // len(axis.first)
            cell = torch.arange(axis.cells)
            along = (cell >= axis.first[at, None]) & (cell < axis.last[at, None])
            covered = (along[:, :, None] & covered[:, None, :]).flatten(1)
        yield covered
