"""Strided convolutions that shrink an image to a code, and the way back (after DCGAN, arXiv:1511.06434)."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from probe_models.networks.shapes import Codes, Images


class Encoder(nn.Module):
    """(1, side, side) -> code: each convolution halves the image, then one linear layer sees all of it.

    There is no batch normalisation, so that an image's code does not depend on its neighbours, in training either.
    """

    def __init__(self, side: int, widths: Sequence[int], code: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        halved = (nn.Sequential(_shrink(a, b), activation()) for a, b in pairwise((1, *widths)))
        self.blocks = nn.Sequential(*halved)
        self.head = nn.Linear(widths[-1] * _smallest(side, widths) ** 2, code)

    def forward(self, images: Images) -> Codes:
        return self.head(self.blocks(images).flatten(1))


class Decoder(nn.Module):
    """code -> (1, side, side): a linear layer, then each transposed convolution doubles the image.

    Before each of these comes ReLU(BatchNorm(x)). The outputs are log-odds of white: their sigmoid is the brightness.
    """

    def __init__(self, side: int, widths: Sequence[int], code: int) -> None:
        super().__init__()
        smallest, sizes = _smallest(side, widths), (*reversed(widths), 1)
        self.foot = nn.Linear(code, sizes[0] * smallest**2)
        self.unflatten = nn.Unflatten(1, (sizes[0], smallest, smallest))
        self.blocks = nn.Sequential(
            *(nn.Sequential(nn.BatchNorm2d(a), nn.ReLU(), _grow(a, b)) for a, b in pairwise(sizes))
        )

    def forward(self, codes: Codes) -> Images:
        return self.blocks(self.unflatten(self.foot(codes)))


def _shrink(channels_in: int, channels_out: int) -> nn.Module:
    return nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1)


def _grow(channels_in: int, channels_out: int) -> nn.Module:
    # A kernel of 4 and a stride of 2 cover every pixel equally often: no checkerboard.
    return nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1)


def _smallest(side: int, widths: Sequence[int]) -> int:
    smallest, rest = divmod(side, 2 ** len(widths))
    if rest:
        raise ValueError(f"side = {side} cannot be halved {len(widths)} times; give fewer widths")
    return smallest
