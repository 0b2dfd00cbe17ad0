"""A small vision transformer for grey images."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.network import Network, Standardise


class VisionTransformer(Network):
    """Patches become tokens, tokens attend to each other, their mean is classified (arXiv:2010.11929).

    The tokens are x = patches + positions; each layer adds to them twice:
    x <- x + attention(norm(x)), x <- x + W2 GELU(W1 norm(x)).
    """

    def __init__(self, side: int = 28, width: int = 64, layers: int = 4, heads: int = 4, classes: int = 10) -> None:
        super().__init__()
        self.standardise = Standardise()
        # Convolutions cut the patches (arXiv:2106.14881): from few images a transformer learns edges slowly. Each
        # halves the image, and the patches overlap; 28 pixels give 4x4 of them.
        self.patches = nn.Sequential(
            *_halve(1, width // 2), *_halve(width // 2, width), nn.Conv2d(width, width, 3, stride=2, padding=1)
        )
        self.positions = nn.Parameter(torch.zeros(math.ceil(side / 8) ** 2, width))
        self.layers = nn.Sequential(*(Layer(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = self.patches(self.standardise(inputs)).flatten(2).mT + self.positions
        return self.head(self.norm(self.layers(tokens)).mean(1))

    def adapt(self, inputs: Tensor, generator: torch.Generator) -> None:
        self.standardise.adapt(inputs)
        nn.init.normal_(self.positions, std=0.02, generator=generator)


def _halve(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(channels_out), nn.ReLU()


class Layer(nn.Module):
    """Attention among the tokens, then a small network on each of them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(width), Attention(width, heads))
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attend(tokens)
        return tokens + self.think(tokens)


class Attention(nn.Module):
    """Each token takes a mean of all tokens' values: softmax(Q K' / sqrt(d)) V, by several heads at once."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        split = self.project(tokens).view(batch, count, 3, self.heads, width // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(queries, keys, values)
        return self.merge(mixed.transpose(1, 2).reshape(batch, count, width))
