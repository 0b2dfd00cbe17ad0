"""LeNet-5, an early convolutional network for handwriting."""

import torch
import torch.nn.functional as F
from torch import nn

from probe_models.networks.dropout import Dropout
from probe_models.networks.hidden import ACTIVATIONS
from probe_models.networks.network import Network, Standardise
from probe_models.networks.shapes import Images, Logits
from probe_models.networks.sides import Side, sides


class LeNet(Network):
    """Two convolutions and three linear layers (LeCun et al. 1998, doi:10.1109/5.726791).

    (channels, 28, 28) -> 5x5, 6 -> halve (6, 14, 14) -> 5x5, 16 -> halve (16, 5, 5) -> 120 -> 84 -> classes. As is
    usual today, activations are ReLU instead of tanh, pooling takes the maximum instead of a weighted mean, all 16 maps
    see all 6, and the outputs are logits. The first convolution pads by 2, as the paper's images of 32 pixels did.
    Dropout follows the two linear layers between.
    """

    def __init__(
        self, side: Side = 28, classes: int = 10, activation: str = "relu", dropout: float = 0.0, channels: int = 1
    ) -> None:
        super().__init__()
        self.standardise = Standardise()
        self.first = nn.Conv2d(channels, 6, 5, padding=2)
        self.second = nn.Conv2d(6, 16, 5)
        down, across = ((each // 2 - 4) // 2 for each in sides(side))
        if min(down, across) < 1:
            raise ValueError(
                f"images of {' x '.join(map(str, sides(side)))} pixels are too small; give 12 x 12 or more"
            )
        self.activation = ACTIVATIONS[activation]()
        self.head = nn.Sequential(
            nn.Linear(16 * down * across, 120),
            nn.Sequential(ACTIVATIONS[activation](), Dropout(dropout)),
            nn.Linear(120, 84),
            nn.Sequential(ACTIVATIONS[activation](), Dropout(dropout)),
            nn.Linear(84, classes),
        )

    def forward(self, inputs: Images) -> Logits:
        maps = F.max_pool2d(self.activation(self.first(self.standardise(inputs))), 2)
        maps = F.max_pool2d(self.activation(self.second(maps)), 2)
        return self.head(maps.flatten(1))

    def adapt(self, inputs: Images, generator: torch.Generator) -> None:
        self.standardise.adapt(inputs)


ARCHITECTURES = {"lenet": LeNet}
