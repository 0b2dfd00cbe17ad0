"""A small residual network with batch normalisation for grey images."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from models.networks.network import Network, Standardise


class ResNet(Network):
    """Convolutions that learn what to add to what they are given (He et al. 2015, arXiv:1512.03385).

    A first convolution and halving map (1, s, s) to (c[0], s/2, s/2). Then each width c[k] is a stage of `blocks`
    blocks, and each stage but the first halves the image: (c[k-1], t, t) becomes (c[k], t/2, t/2), rounded up. The
    mean over all places is classified by one linear layer, so that any size of image will do.
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 128), blocks: int = 1, classes: int = 10) -> None:
        super().__init__()
        self.standardise = Standardise()
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 3, padding=1, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        stages = [_stage(widths[0], widths[0], blocks, stride=1)]
        stages += [_stage(a, b, blocks, stride=2) for a, b in pairwise(widths)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(self.standardise(inputs))).mean((2, 3)))

    def adapt(self, inputs: Tensor, generator: torch.Generator) -> None:
        self.standardise.adapt(inputs)


class Block(nn.Module):
    """Two convolutions, whose sum with the input goes on: x <- ReLU(s(x) + BN(W2 * ReLU(BN(W1 * x)))).

    The shortcut s is the identity where shapes stay, and else BN(W * x) with W of 1x1.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, maps: Tensor) -> Tensor:
        return (self.shortcut(maps) + self.change(maps)).relu()


def _stage(channels_in: int, channels_out: int, blocks: int, stride: int) -> nn.Module:
    rest = (Block(channels_out, channels_out, 1) for _ in range(blocks - 1))
    return nn.Sequential(Block(channels_in, channels_out, stride), *rest)
