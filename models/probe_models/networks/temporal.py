"""Networks for time series (channels, length): one of convolutions over time, one that reads stretch by stretch."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe_models.networks.dropout import Dropout
from probe_models.networks.network import Network, Standardise
from probe_models.networks.recurrent import GRU
from probe_models.networks.shapes import Logits, Signals


class TemporalConvNet(Network):
    """Residual blocks of convolutions whose reach doubles from block to block, then the largest value over time.

    Block k: x <- ReLU(skip(x) + BatchNorm(W' * ReLU(BatchNorm(W * x)))), each filter 3 wide with gaps of 2^k (Bai et
    al. 2018, arXiv:1803.01271), to both sides, as the series is known as a whole.
    """

    def __init__(self, channels: int, widths: Sequence[int], classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.standardise = Standardise()
        each = enumerate(pairwise((channels, *widths)))
        self.blocks = nn.Sequential(*(Block(a, b, 2**k) for k, (a, b) in each))
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, inputs: Signals) -> Logits:
        return self.head(self.dropout(self.blocks(self.standardise(inputs)).amax(2)))

    def adapt(self, inputs: Signals, generator: torch.Generator) -> None:
        self.standardise.adapt(inputs)


class Block(nn.Module):
    """Two convolutions over time beside a way past them."""

    def __init__(self, channels: int, width: int, gap: int) -> None:
        super().__init__()
        first = nn.Conv1d(channels, width, 3, padding=gap, dilation=gap, bias=False)
        second = nn.Conv1d(width, width, 3, padding=gap, dilation=gap, bias=False)
        self.way = nn.Sequential(first, nn.BatchNorm1d(width), nn.ReLU(), second, nn.BatchNorm1d(width))
        self.past = nn.Conv1d(channels, width, 1)

    def forward(self, inputs: Signals) -> Float[Tensor, "rows width length"]:
        return (self.past(inputs) + self.way(inputs)).relu()


class SeriesGRU(Network):
    """A linear map of each stretch of time, then a GRU forwards and one backwards; the largest states are classified.

    The length of a series is a multiple of `stretch`; what is left over at its end is not read.
    """

    def __init__(
        self, channels: int, classes: int, stretch: int = 4, width: int = 32, hidden: int = 32, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.standardise = Standardise()
        self.cut = nn.Conv1d(channels, width, stretch, stride=stretch)
        self.forwards, self.backwards = GRU(width, hidden), GRU(width, hidden)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, inputs: Signals) -> Logits:
        steps = self.cut(self.standardise(inputs)).mT
        largest = (self.forwards(steps).amax(1), self.backwards(steps.flip(1)).amax(1))
        return self.head(self.dropout(torch.cat(largest, 1)))

    def adapt(self, inputs: Signals, generator: torch.Generator) -> None:
        self.standardise.adapt(inputs)


ARCHITECTURES = {"tcn": TemporalConvNet, "series-gru": SeriesGRU}
