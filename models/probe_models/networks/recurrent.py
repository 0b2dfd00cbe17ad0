"""Recurrent networks for sentences.

The units are implemented here, as torch's own have no input gradient in eval mode on an accelerator. Training uses
torch's own with the same weights: always on an accelerator, and on a CPU if `Settings.recurrent` says so.
"""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe_models.networks.dropout import Dropout
from probe_models.networks.shapes import Logits, Tokens
from probe_models.networks.words import WordNetwork

# One layer that reads forwards, in training.
LAYER: dict[str, Any] = {
    "has_biases": True, "num_layers": 1, "dropout": 0.0, "train": True, "bidirectional": False, "batch_first": True
}  # fmt: skip


class Unit(nn.Module):
    """A recurrent unit with inputs x[t] and states h[t]."""

    layer_kind: ClassVar[Callable[..., nn.RNNBase]]  # of torch's own

    def __init__(self, width: int, hidden: int, parts: int) -> None:
        super().__init__()
        self.fast = False  # whether it trains by torch's own on a CPU, too, which rounds otherwise
        self.read = nn.Linear(width, parts * hidden)
        self.recall = nn.Linear(hidden, parts * hidden)

    def forward(self, embedded: Tokens) -> Float[Tensor, "rows tokens hidden"]:
        """The states, starting from 0."""
        # An accelerator has a kernel for all words together, which has no way back in eval mode.
        fast = self.training and (self.fast or embedded.device.type != "cpu")
        return self.built_in(embedded) if fast else self.written(embedded)

    @abstractmethod
    def written(self, embedded: Tokens) -> Float[Tensor, "rows tokens hidden"]:
        """The states, computed step by step."""

    @abstractmethod
    def built_in(self, embedded: Tokens) -> Float[Tensor, "rows tokens hidden"]:
        """The states, computed by torch's own unit with these weights."""

    def layer(self) -> nn.RNNBase:
        """A layer of torch's own with these weights."""
        made = self.layer_kind(self.read.in_features, self.recall.in_features, batch_first=True)
        parts = {"weight_ih": self.read.weight, "weight_hh": self.recall.weight}
        parts |= {"bias_ih": self.read.bias, "bias_hh": self.recall.bias}
        made.load_state_dict({f"{name}_l0": part for name, part in parts.items()})
        return made

    def weights(self) -> list[Tensor]:
        """Weights and biases in contiguous memory, as cuDNN needs them."""
        parts = [self.read.weight, self.recall.weight, self.read.bias, self.recall.bias]
        pieces = torch.split_with_sizes(torch.cat([part.flatten() for part in parts]), [part.numel() for part in parts])
        return [piece.view_as(part) for piece, part in zip(pieces, parts, strict=True)]

    def nothing(self, embedded: Tokens) -> Float[Tensor, "rows hidden"]:
        """The initial state."""
        return embedded.new_zeros(embedded.shape[0], self.recall.in_features)


def train_fast(network: nn.Module, *, fast: bool) -> None:
    """Set whether the units of a network train by torch's own on a CPU."""
    for unit in network.modules():
        if isinstance(unit, Unit):
            unit.fast = fast


class LSTM(Unit):
    """Long short-term memory (doi:10.1162/neco.1997.9.8.1735), with a forget gate (doi:10.1162/089976600300015015).

    W x[t] + b + U h[t-1] + d has four parts: gates i, f, o = sigmoid of the first, second and fourth, and news
    n = tanh of the third. Memory c[t] = f c[t-1] + i n, and h[t] = o tanh(c[t]).
    """

    layer_kind = nn.LSTM

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(width, hidden, parts=4)

    def built_in(self, embedded: Tokens) -> Float[Tensor, "rows tokens hidden"]:
        nothing = self.nothing(embedded)[None]
        return torch.lstm(embedded, (nothing, nothing), self.weights(), **LAYER)[0]

    def written(self, embedded: Tokens) -> Float[Tensor, "rows tokens hidden"]:
        state = memory = self.nothing(embedded)
        states = []
        for word in self.read(embedded).unbind(1):
            i, f, n, o = (word + self.recall(state)).chunk(4, 1)
            memory = f.sigmoid() * memory + i.sigmoid() * n.tanh()
            state = o.sigmoid() * memory.tanh()
            states.append(state)
        return torch.stack(states, 1)


class GRU(Unit):
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078).

    a = W x[t] + b and p = U h[t-1] + d have three parts each: gates r, z = sigmoid(a + p) of the first and second, and
    news n = tanh(a + r p) of the third. h[t] = (1 - z) n + z h[t-1].
    """

    layer_kind = nn.GRU

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(width, hidden, parts=3)

    def built_in(self, embedded: Tokens) -> Float[Tensor, "rows tokens hidden"]:
        return torch.gru(embedded, self.nothing(embedded)[None], self.weights(), **LAYER)[0]

    def written(self, embedded: Tokens) -> Float[Tensor, "rows tokens hidden"]:
        state = self.nothing(embedded)
        states = []
        for word in self.read(embedded).unbind(1):
            (a_r, a_z, a_n), (p_r, p_z, p_n) = word.chunk(3, 1), self.recall(state).chunk(3, 1)
            r, z = (a_r + p_r).sigmoid(), (a_z + p_z).sigmoid()
            state = (1 - z) * (a_n + r * p_n).tanh() + z * state
            states.append(state)
        return torch.stack(states, 1)


class RecurrentNetwork(WordNetwork):
    """One unit reads forwards, another backwards; of each of their states, the largest over the words is classified."""

    def __init__(
        self,
        unit: Callable[[int, int], Unit],
        words: int,
        width: int = 32,
        hidden: int = 32,
        dropout: float = 0.0,
        classes: int = 2,
    ) -> None:
        super().__init__(words, width)
        self.forwards, self.backwards = unit(width, hidden), unit(width, hidden)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, embedded: Tokens) -> Logits:
        words = self.dropout(embedded)
        largest = (self.forwards(words).amax(1), self.backwards(words.flip(1)).amax(1))
        return self.head(self.dropout(torch.cat(largest, 1)))


ARCHITECTURES = {"lstm": partial(RecurrentNetwork, LSTM), "gru": partial(RecurrentNetwork, GRU)}
