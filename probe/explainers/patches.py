"""Maps that differ from a few others in a patch each, and what convolution and pooling reach of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Maps = Float[Tensor, "_ _ _ _"]
Places = Int[Tensor, " rows"]
Along = Int[Tensor, "rows _"]
Within = Bool[Tensor, "rows _"]


@dataclass(frozen=True, eq=False)
class Patched:
    """Maps that equal one of `base` but for a patch: the map of each, and the first place of its patch."""

    base: Maps
    patch: Maps
    row: Places
    top: Places
    left: Places

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the patches."""
        return self.patch.shape[2], self.patch.shape[3]

    @property
    def places(self) -> tuple[Places, Places]:
        """Where the patches begin along both axes."""
        return self.top, self.left

    def to(self, change: Callable[[Tensor], Tensor]) -> "Patched":
        """The same places after a function of single numbers."""
        return replace(self, base=change(self.base), patch=change(self.patch))

    def whole(self) -> Maps:
        """The maps, with the patches in their places."""
        start = torch.zeros_like(self.row)
        return self.cut(start, start, (self.base.shape[2], self.base.shape[3])).contiguous()

    def change(self) -> Maps:
        """What the patches differ by from what they replace."""
        lines, places = (at[:, None] + torch.arange(many) for at, many in zip(self.places, self.size, strict=True))
        return self.patch - _taken(self.base, self.row, lines, places)

    def cut(self, top: Places, left: Places, size: tuple[int, int]) -> Maps:
        """Other patches of the maps."""
        (down, inside_down), (across, inside_across) = (
            _within(at, old, many, length)
            for at, old, many, length in zip((top, left), self.places, size, self.size, strict=True)
        )
        # Channels last, as all numbers of a place are then copied together.
        table = torch.cat([maps.permute(0, 2, 3, 1).flatten(0, 2) for maps in (self.base, self.patch)])
        (high, wide), (tall, broad) = self.base.shape[2:], self.size
        line = self.row[:, None] * high + top[:, None] + torch.arange(size[0])
        around = line[:, :, None] * wide + (left[:, None] + torch.arange(size[1]))[:, None]
        line = torch.arange(len(self.row))[:, None] * tall + down
        own = len(self.base) * high * wide + line[:, :, None] * broad + across[:, None]
        places = torch.where(inside_down[:, :, None] & inside_across[:, None], own, around)
        return table.index_select(0, places.flatten()).view(*places.shape, -1).permute(0, 3, 1, 2)


class Axis(NamedTuple):
    """How an operation slides along an axis."""

    length: int
    kernel: int  # how far it reaches, with its gaps
    stride: int
    padding: int

    @property
    def outputs(self) -> int:
        """How many places it gives."""
        return (self.length + 2 * self.padding - self.kernel) // self.stride + 1

    def reached(self, changed: int) -> int:
        """The most outputs that so many neighbouring changes reach."""
        return min(self.outputs, (changed + self.kernel - 2) // self.stride + 1)

    def first(self, at: Places, changed: int) -> Places:
        """From which output on they are reached, moved back so that as many follow for each row."""
        first = -((self.kernel - 1 - self.padding - at) // self.stride)
        return first.clamp(0, self.outputs - self.reached(changed))

    def read(self, outputs: int) -> int:
        """How many neighbouring inputs so many outputs read."""
        return (outputs - 1) * self.stride + self.kernel


def sum_of(
    base: Maps, added: Maps, row: Places, begin: Sequence[Places], at: Sequence[Places], size: Sequence[int]
) -> Maps:
    """What patches of maps `at` places are, when to each map is added what may reach beyond them, and begins there."""
    lines, places = (first[:, None] + torch.arange(many) for first, many in zip(at, size, strict=True))
    (down, inside), (across, beside) = (
        _within(first, old, many, length)
        for first, old, many, length in zip(at, begin, size, added.shape[2:], strict=True)
    )
    found = _taken(added, torch.arange(len(row)), down, across)
    counted = inside[:, None, :, None] & beside[:, None, None]
    return found.masked_fill_(~counted, 0.0).add_(_taken(base, row, lines, places))


def _taken(maps: Maps, row: Places, lines: Along, places: Along) -> Maps:
    """Lines and places of the map of each row."""
    _, channels, high, wide = maps.shape
    at = ((row[:, None] * high + lines)[:, :, None] * wide + places[:, None]).flatten()
    # Channels last, as all numbers of a place are then copied together.
    taken = maps.permute(0, 2, 3, 1).reshape(-1, channels).index_select(0, at)
    return taken.view(len(row), lines.shape[1], places.shape[1], channels).permute(0, 3, 1, 2)


def _within(at: Places, old: Places, many: int, length: int) -> tuple[Along, Within]:
    """The places of an old patch that a new one shows, and where it does."""
    place = (at - old)[:, None] + torch.arange(many)
    return place.clamp(0, length - 1), (place >= 0) & (place < length)
