"""A small vision transformer for images."""

import math

import torch
from torch import nn

from probe_models.networks.attention import Layer
from probe_models.networks.network import Network, Standardise
from probe_models.networks.shapes import Images, Logits
from probe_models.networks.sides import Side, sides


class VisionTransformer(Network):
    """Patches become tokens, tokens attend to each other, their mean is classified (arXiv:2010.11929).

    The tokens are x = patches + positions; each layer adds to them twice:
    x <- x + attention(norm(x)), x <- x + W2 GELU(W1 norm(x)).
    """

    def __init__(
        self,
        side: Side = 28,
        width: int = 64,
        layers: int = 4,
        heads: int = 4,
        classes: int = 10,
        dropout: float = 0.0,
        channels: int = 1,
    ) -> None:
        super().__init__()
        self.standardise = Standardise()
        # Convolutions cut the patches (arXiv:2106.14881): from few images a transformer learns edges slowly. Each
        # halves the image, and the patches overlap; 28 pixels give 4x4 of them.
        self.patches = nn.Sequential(
            *_halve(channels, width // 2), *_halve(width // 2, width), nn.Conv2d(width, width, 3, stride=2, padding=1)
        )
        self.positions = nn.Parameter(torch.zeros(math.prod(math.ceil(each / 8) for each in sides(side)), width))
        self.layers = nn.Sequential(*(Layer(width, heads, dropout) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, inputs: Images) -> Logits:
        tokens = self.patches(self.standardise(inputs)).flatten(2).mT + self.positions
        return self.head(self.norm(self.layers(tokens)).mean(1))

    def adapt(self, inputs: Images, generator: torch.Generator) -> None:
        self.standardise.adapt(inputs)
        nn.init.normal_(self.positions, std=0.02, generator=generator)


def _halve(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(channels_out), nn.ReLU()


ARCHITECTURES = {"vit": VisionTransformer}
