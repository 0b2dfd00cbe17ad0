"""A network of linear layers for images, which knows nothing of neighbouring pixels."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import nn

from probe_models.networks.hidden import linear
from probe_models.networks.network import Network, Standardise
from probe_models.networks.shapes import Images, Logits
from probe_models.networks.sides import Side, sides


class ImageMLP(Network):
    """Linear layers with an activation between, on all pixels in a row.

    With h[0] the (channels * height * width,) standardised pixels: h[k] = dropout(activation(norm(W[k] h[k-1] + b[k])))
    of widths[k] numbers, and the logits are W h + b of the last.
    """

    def __init__(
        self,
        side: Side = 28,
        widths: Sequence[int] = (256, 128),
        classes: int = 10,
        norm: str = "none",
        activation: str = "relu",
        dropout: float = 0.0,
        channels: int = 1,
    ) -> None:
        super().__init__()
        self.standardise = Standardise()
        hidden = (linear(a, b, norm, activation, dropout) for a, b in pairwise((channels * prod(sides(side)), *widths)))
        self.layers = nn.Sequential(*hidden, nn.Linear(widths[-1], classes))

    def forward(self, inputs: Images) -> Logits:
        return self.layers(self.standardise(inputs).flatten(1))

    def adapt(self, inputs: Images, generator: torch.Generator) -> None:
        self.standardise.adapt(inputs)


ARCHITECTURES = {"image-mlp": ImageMLP}
