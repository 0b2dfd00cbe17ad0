"""Strided convolutions that shrink an image to a code, and the way back (after DCGAN, arXiv:1511.06434)."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod

from torch import nn

from probe_models.networks.shapes import Codes, Images
from probe_models.networks.sides import Side, halved, sides


class Encoder(nn.Module):
    """(channels, height, width) -> code: each convolution halves the image, then one linear layer sees all of it.

    There is no batch normalisation, so that an image's code does not depend on its neighbours, in training either.
    """

    def __init__(
        self, side: Side, widths: Sequence[int], code: int, activation: Callable[[], nn.Module], channels: int = 1
    ) -> None:
        super().__init__()
        shrunk = (nn.Sequential(_shrink(a, b), activation()) for a, b in pairwise((channels, *widths)))
        self.blocks = nn.Sequential(*shrunk)
        self.head = nn.Linear(widths[-1] * prod(halved(side, len(widths))), code)

    def forward(self, images: Images) -> Codes:
        return self.head(self.blocks(images).flatten(1))


class Decoder(nn.Module):
    """code -> (channels, height, width): a linear layer, then each transposed convolution doubles the image.

    Before each of these comes ReLU(BatchNorm(x)). The outputs are log-odds of white: their sigmoid is the brightness.
    Where a side cannot be halved so often, what is too much of it is cut off.
    """

    def __init__(self, side: Side, widths: Sequence[int], code: int, channels: int = 1) -> None:
        super().__init__()
        self.height, self.width = sides(side)
        halved(side, len(widths))  # refuses what is too small
        smallest = [-(-each >> len(widths)) for each in sides(side)]
        sizes = (*reversed(widths), channels)
        self.foot = nn.Linear(code, sizes[0] * prod(smallest))
        self.unflatten = nn.Unflatten(1, (sizes[0], *smallest))
        self.blocks = nn.Sequential(
            *(nn.Sequential(nn.BatchNorm2d(a), nn.ReLU(), _grow(a, b)) for a, b in pairwise(sizes))
        )

    def forward(self, codes: Codes) -> Images:
        return self.blocks(self.unflatten(self.foot(codes)))[..., : self.height, : self.width]


def _shrink(channels_in: int, channels_out: int) -> nn.Module:
    return nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1)


def _grow(channels_in: int, channels_out: int) -> nn.Module:
    # A kernel of 4 and a stride of 2 cover every pixel equally often: no checkerboard.
    return nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1)
