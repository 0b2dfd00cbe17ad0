"""Groupings of coordinates into features: squares of images, time segments of series."""

import torch
from torch import Tensor

from probe.errors import RangeError
from probe.meaning import Bound
from probe.space import Space


def squares(height: int, width: int, side: int) -> Tensor:
    """Number the squares of `side` pixels that tile an image, (height, width), as features of small images.

    >>> from probe.features import squares
    >>> squares(4, 4, 2)
    tensor([[0, 0, 1, 1],
            [0, 0, 1, 1],
            [2, 2, 3, 3],
            [2, 2, 3, 3]])
    """
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    return rows[:, None] * (int(columns.max()) + 1) + columns


def stretches(length: int, size: int, channels: int = 1) -> Tensor:
    """Number the segments of `size` measurements of a series of (channels, length), as its features.

    Each segment belongs to one channel, and they are numbered channel by channel; the last of a channel may be shorter.
    `stretches(length, size).expand(channels, -1)` gives time segments shared by all channels.

    >>> stretches(5, 2).tolist()
    [[0, 0, 1, 1, 2]]

    Raises:
        RangeError: if any of them is below 1.
    """
    for name, value in (("length", length), ("size", size), ("channels", channels)):
        if value < 1:
            raise RangeError(f"stretches({name}={value}): expected 1 or more")
    within = torch.arange(length) // size
    return torch.arange(channels)[:, None] * (int(within.max()) + 1) + within


def image_space(
    channels: int, height: int, width: int, *, side: int = 0, bounds: tuple[Bound, Bound] = (0.0, 1.0)
) -> Space:
    """The space of images (channels, height, width): features are squares, and an absent one is black.

    Args:
        channels: number of channels.
        height: in pixels.
        width: in pixels.
        side: side of a square in pixels; by default an eighth of the longer side.
        bounds: lowest and highest value. Black is 0, or the bound closest to it.
    """
    side = side or max(1, -(-max(height, width) // 8))
    down, across = -(-height // side), -(-width // side)
    low, high = (torch.as_tensor(bound) for bound in bounds)
    black = torch.zeros(1, channels, height, width).maximum(low).minimum(high)
    return Space(
        bounds=bounds,
        features=squares(height, width, side).expand(channels, -1, -1).contiguous(),
        names=tuple(f"square r{row} c{column}" for row in range(down) for column in range(across)),
        reference=black,
    )
