"""A small residual network for images."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe_models.networks.dropout import Dropout
from probe_models.networks.hidden import ACTIVATIONS, MAP_NORMS
from probe_models.networks.network import Network, Standardise
from probe_models.networks.shapes import Images, Logits


class ResNet(Network):
    """Convolutions that learn what to add to what they are given (He et al. 2015, arXiv:1512.03385).

    A first convolution and halving map (channels, h, w) to (w[0], h/2, w/2). Then each width w[k] is a stage of
    `blocks` blocks, and each stage but the first halves the image: its sides t become t/2, rounded up.
    The mean over all places is classified by one linear layer, so that any size of image will do; dropout comes before
    it.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 1,
        classes: int = 10,
        norm: str = "batch",
        activation: str = "relu",
        dropout: float = 0.0,
        channels: int = 1,
    ) -> None:
        super().__init__()
        self.standardise = Standardise()
        first = nn.Conv2d(channels, widths[0], 3, padding=1, bias=norm == "none")
        self.stem = nn.Sequential(first, nn.MaxPool2d(2), MAP_NORMS[norm](widths[0]), ACTIVATIONS[activation]())
        block = partial(Block, norm=norm, activation=activation)
        changes = [(widths[0], widths[0], 1), *((a, b, 2) for a, b in pairwise(widths))]
        self.stages = nn.Sequential(
            *(
                nn.Sequential(block(a, b, stride), *(block(b, b, 1) for _ in range(blocks - 1)))
                for a, b, stride in changes
            )
        )
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, inputs: Images) -> Logits:
        return self.head(self.dropout(self.stages(self.stem(self.standardise(inputs))).mean((2, 3))))

    def adapt(self, inputs: Images, generator: torch.Generator) -> None:
        self.standardise.adapt(inputs)


class Block(nn.Module):
    """Two convolutions, whose sum with the input goes on: x <- f(s(x) + norm(W2 * f(norm(W1 * x)))).

    f is the activation. The shortcut s is the identity where shapes stay, and else norm(W * x) with W of 1x1.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, norm: str, activation: str) -> None:
        super().__init__()
        bias, normalise = norm == "none", MAP_NORMS[norm]
        self.change = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=bias),
            normalise(channels_out),
            ACTIVATIONS[activation](),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=bias),
            normalise(channels_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=bias), normalise(channels_out)
            )
        self.activation = ACTIVATIONS[activation]()

    def forward(
        self, maps: Float[Tensor, "rows channels_in height width"]
    ) -> Float[Tensor, "rows channels_out height_out width_out"]:
        return self.activation(self.shortcut(maps) + self.change(maps))


ARCHITECTURES = {"resnet": ResNet}
