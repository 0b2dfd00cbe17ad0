"""The random changes of Square: windows, sets of columns, and in L2 bumps (arXiv:1912.00049, supplement B)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from probe.shapes import Inputs, PerExample
from probe.space import Space
from probe.tensors import column, wide

Window = tuple[Any, ...]  # an ellipsis, and a slice for each axis
TILES = 5  # bumps along each axis of the first change
LEAST = 3  # side of the smallest bump, which has two halves


def signs(shape: list[int], like: Inputs, source: torch.Generator) -> Tensor:
    """A random sign for each entry of a shape, (1, *shape)."""
    return (torch.randint(2, (1, *shape), generator=source) * 2 - 1).to(like.device, wide(like).dtype)


def columns(space: Space, like: Inputs, share: float, source: torch.Generator) -> Tensor:
    """A random share of the coordinates of each example that may move, at least one, (batch, *shape)."""
    allowed = space.mutable_mask(like).flatten(1)
    drawn = torch.rand(1, allowed.shape[1], generator=source).to(like.device).expand(allowed.shape)
    order = drawn.masked_fill(~allowed, -1.0).argsort(dim=1, descending=True, stable=True).argsort(1)
    most = (share * allowed.sum(1, keepdim=True)).round().clamp(min=1)
    return (order < most).view(like.shape)


def window(lengths: Sequence[int], side: int, source: torch.Generator) -> Window:
    """A random window along the axes of neighbours, which are the last ones."""
    found: list[Any] = [...]
    for length, where in zip(lengths, torch.rand(len(lengths), generator=source).tolist(), strict=True):
        width = min(max(side, 1), length)
        start = int(where * (length - width + 1))
        found.append(slice(start, start + width))
    return tuple(found)


def bumps(space: Space, like: Inputs, source: torch.Generator) -> Tensor:
    """The first change in L2: a grid of bumps; in a table, all columns by a random sign, (1, *shape)."""
    shape, near = list(like.shape[1:]), space.form_of(like).near
    if not near:
        return signs(shape, like, source)
    lengths = shape[-near:]
    sides = [max(1, length // TILES) for length in lengths]
    starts = torch.cartesian_prod(
        *(
            torch.arange((length % side) // 2, length - side + 1, side)
            for length, side in zip(lengths, sides, strict=True)
        )
    ).view(-1, near)
    change = torch.zeros(1, *shape, dtype=wide(like).dtype)
    for start in starts.tolist():
        tile: Window = (..., *(slice(at, at + side) for at, side in zip(start, sides, strict=True)))
        sign = torch.randint(2, (1, *shape[:-near], *[1] * near), generator=source) * 2 - 1
        change[tile] = bump(sides, source).to(change.dtype) * sign
    return change.to(like.device)


def shifted(
    space: Space, like: Inputs, change: Tensor, share: float, radius: PerExample, source: torch.Generator
) -> Tensor:
    """The changes without what one window has of them, whose length another has in addition, as a bump."""
    shape, near = list(like.shape[1:]), space.form_of(like).near
    if near:
        lengths = shape[-near:]
        side = max(round((share * torch.Size(lengths).numel()) ** (1 / near)), LEAST)
        there, gone = (window(lengths, side + (side % 2 == 0), source) for _ in range(2))
        to, off = (torch.zeros(1, *[1] * (len(shape) - near), *lengths, dtype=torch.bool) for _ in range(2))
        to[there], off[gone] = True, True
        to, off = to.to(like.device), off.to(like.device)
        new = torch.zeros(1, *shape, dtype=change.dtype)
        sign = torch.randint(2, (1, *shape[:-near], *[1] * near), generator=source) * 2 - 1
        new[there] = bump([at.stop - at.start for at in there[1:]], source).to(change.dtype) * sign
        new, axes = new.to(like.device), tuple(range(-near, 0))
    else:
        to, off = (columns(space, like, share, source) for _ in range(2))
        new, axes = to * signs(shape, like, source), tuple(range(1, change.ndim))
        new = new / _length(new, axes).clamp(min=1e-12)
    every, channels = tuple(range(1, change.ndim)), torch.Size(shape[: len(shape) - len(axes)]).numel()
    old = change * to
    new = new + old / _length(old, axes).clamp(min=1e-12)
    spare = column(radius.to(change.dtype), change).square() - _length(change, every).square()
    freed = _length(change * (to | off), every).square()
    new = new / _length(new, axes).clamp(min=1e-12) * ((spare.clamp(min=0) + freed) / channels).sqrt()
    return torch.where(to, new, change * ~off)


def bump(sides: Sequence[int], source: torch.Generator) -> Tensor:
    """A hill and a hollow side by side, along a random axis, of length 1, shaped as the sides."""
    axis = int(torch.randint(len(sides), (), generator=source))
    half = sides[axis] // 2
    parts = [
        _hill([part if at == axis else side for at, side in enumerate(sides)]) for part in (half, sides[axis] - half)
    ]
    both = torch.cat([parts[0], -parts[1]], axis)
    return both / torch.linalg.vector_norm(both)


def _hill(sides: Sequence[int]) -> Tensor:
    """One that falls from its middle outwards, of length 1: at ring r the sum of 1 / k^2 over the k above r."""
    far = torch.zeros(*sides, dtype=torch.int64)
    for axis, side in enumerate(sides):
        from_middle = (torch.arange(side) - side // 2).abs()
        far = torch.maximum(far, from_middle.view(*[-1 if at == axis else 1 for at in range(len(sides))]))
    if far.numel() == 0:
        return far.double()
    rings = torch.arange(1, int(far.max()) + 2, dtype=torch.float64).square().reciprocal()
    hill = rings.flip(0).cumsum(0).flip(0)[far]
    return hill / torch.linalg.vector_norm(hill)


def _length(change: Tensor, axes: tuple[int, ...]) -> Tensor:
    return change.square().sum(axes, keepdim=True).sqrt()
