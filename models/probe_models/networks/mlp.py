"""A network for tables, whose numbers it spreads over bins first."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe_models.networks.columns import TableNetwork
from probe_models.networks.hidden import linear
from probe_models.networks.shapes import Logits, Table


class Bins(nn.Module):
    """Piecewise-linear encoding of numbers (arXiv:2203.05556), so that a layer can react to single values of them.

    With edges e[0] < e[1] < ... taken from the training rows, number x becomes one coordinate for each bin:
    clip((x - e[b]) / (e[b+1] - e[b]), 0, 1), which is 1 in the bins below x, 0 in those above, and between in its own.
    """

    edges: Float[Tensor, "numbers bins+1"]

    def __init__(self, numbers: int, bins: int) -> None:
        super().__init__()
        self.register_buffer("edges", torch.zeros(numbers, bins + 1))

    def forward(self, numbers: Float[Tensor, "rows numbers"]) -> Float[Tensor, "rows numbers bins"]:
        low, high = self.edges[:, :-1], self.edges[:, 1:]
        # A number with few values has bins without width, which stay 0.
        width = torch.where(high > low, high - low, 1.0)
        return ((numbers[:, :, None] - low) / width).clamp(0, 1)

    def adapt(self, numbers: Float[Tensor, "rows numbers"]) -> None:
        """Put the edges at quantiles of the distinct training values: rare large values get bins of their own."""
        count = self.edges.shape[1]
        for edges, column in zip(self.edges, numbers.T, strict=True):
            values = column.unique()
            places = torch.linspace(0, len(values) - 1, min(count, len(values))).round().long()
            edges.fill_(values[-1])
            edges[: len(places)] = values[places]


class TableNet(TableNetwork):
    """Linear layers with an activation between, on [bins(numbers), onehots]."""

    def __init__(
        self,
        numbers: int,
        onehots: int,
        bins: int,
        widths: Sequence[int],
        classes: int = 2,
        norm: str = "none",
        activation: str = "relu",
        dropout: float = 0.0,
        columns: Sequence[int] | None = None,
    ) -> None:
        super().__init__(numbers, columns)
        self.bins = Bins(numbers, bins)
        sizes = (numbers * bins + onehots, *widths)
        hidden = (linear(a, b, norm, activation, dropout) for a, b in zip(sizes, widths, strict=False))
        self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], classes))

    def forward(self, inputs: Table) -> Logits:
        numbers, onehots = self.divide(inputs)
        return self.layers(torch.cat((self.bins(numbers).flatten(1), onehots), 1))

    def adapt(self, inputs: Table, generator: torch.Generator) -> None:
        self.bins.adapt(self.divide(inputs)[0])


ARCHITECTURES = {"mlp": TableNet}
