"""A small convolutional network for images."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import nn

from probe_models.networks.dropout import Dropout
from probe_models.networks.hidden import ACTIVATIONS, MAP_NORMS
from probe_models.networks.network import Network, Standardise
from probe_models.networks.shapes import Images, Logits
from probe_models.networks.sides import Side, halved


class ConvNet(Network):
    """Blocks of convolution, halving, normalisation and activation, then dropout and one linear layer.

    Block k maps (w[k-1], h, w) to (w[k], h/2, w/2), w[-1] being channels: x <- activation(norm(MaxPool(W * x))).
    Halving comes first, as the other two then cost a quarter.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128),
        side: Side = 28,
        classes: int = 10,
        norm: str = "batch",
        activation: str = "relu",
        dropout: float = 0.0,
        channels: int = 1,
    ) -> None:
        super().__init__()
        self.standardise = Standardise()
        self.blocks = nn.Sequential(*(_block(a, b, norm, activation) for a, b in pairwise((channels, *widths))))
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(widths[-1] * prod(halved(side, len(widths))), classes)

    def forward(self, inputs: Images) -> Logits:
        return self.head(self.dropout(self.blocks(self.standardise(inputs)).flatten(1)))

    def adapt(self, inputs: Images, generator: torch.Generator) -> None:
        self.standardise.adapt(inputs)


def _block(channels_in: int, channels_out: int, norm: str, activation: str) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=norm == "none"),
        nn.MaxPool2d(2),
        MAP_NORMS[norm](channels_out),
        ACTIVATIONS[activation](),
    )


ARCHITECTURES = {"cnn": ConvNet}
