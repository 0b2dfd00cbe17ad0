"""Random numbers of each image, which follow from its pixels and a seed, and images at places between pixels."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from probe.draws import again, keys, uniform

SIDE = 32  # pixels, for which settings were published


class Numbers:
    """Random numbers of each image of a batch; each call draws new ones."""

    def __init__(self, images: Tensor, seed: int, *which: int) -> None:
        self._keys, self._drawn = keys(images, seed), 0
        for number in which:
            self._keys = again(self._keys, number)

    def uniform(self, *shape: int) -> Tensor:
        """Between 0 and 1, (batch, *shape)."""
        self._drawn += 1
        like = torch.zeros(1, *shape)
        return uniform(again(self._keys, self._drawn), like).view(-1, *shape)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, (batch, *shape)."""
        found: Tensor = torch.special.ndtri(self.uniform(*shape).double())
        return found.float()


def unit(images: Tensor) -> float:
    """The length of what is one pixel in an image of 32."""
    return min(images.shape[2:]) / SIDE


def places(images: Tensor) -> tuple[Tensor, Tensor]:
    """The row and the column of each pixel, (height, width)."""
    rows, columns = (torch.arange(float(side)) for side in images.shape[2:])
    found = torch.meshgrid(rows, columns, indexing="ij")
    return found[0], found[1]


def at(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The images at places between pixels, (batch, height, width), linearly; the edge goes on beyond it."""
    height, width = images.shape[2:]
    scaled = [2 * place / max(side - 1, 1) - 1 for place, side in ((columns, width), (rows, height))]
    grid = torch.stack([part.expand(len(images), *part.shape[-2:]) for part in scaled], -1)
    return grid_sample(images, grid, padding_mode="border", align_corners=True)


def zoomed(images: Tensor, factor: float) -> Tensor:
    """The middle of the images, enlarged."""
    rows, columns = (
        (place - (side - 1) / 2) / factor + (side - 1) / 2
        for place, side in zip(places(images), images.shape[2:], strict=True)
    )
    return at(images, rows, columns)
