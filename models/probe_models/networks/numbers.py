"""Networks for tables whose answers are numbers in the user's units."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probe_models.networks.mlp import TableNet
from probe_models.networks.shapes import Examples, Logits, Table


class Unit(nn.Module):
    """From standard deviations back to the unit of the labels: mean + deviation x, for each output."""

    mean: Float[Tensor, " outputs"]
    deviation: Float[Tensor, " outputs"]

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(outputs))
        self.register_buffer("deviation", torch.ones(outputs))

    def forward(self, numbers: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows outputs"]:
        return self.mean + self.deviation * numbers

    def reset_parameters(self) -> None:
        """The unit of labels before training: their own."""
        self.mean.zero_()
        self.deviation.fill_(1.0)

    @torch.no_grad()
    def adapt(self, labels: Examples) -> None:
        """Take mean and deviation of the training labels; where a label never varies there is nothing to scale."""
        columns = labels.reshape(len(labels), -1).to(self.mean)
        deviation = columns.std(0, correction=0)
        self.mean.copy_(columns.mean(0))
        self.deviation.copy_(torch.where(deviation > 0, deviation, 1.0))


class TableRegressor(TableNet):
    """Linear layers with an activation between, on [bins(numbers), onehots], whose answers are numbers."""

    def __init__(
        self,
        numbers: int,
        onehots: int,
        bins: int,
        widths: Sequence[int],
        outputs: int = 1,
        norm: str = "none",
        activation: str = "relu",
        dropout: float = 0.0,
        columns: Sequence[int] | None = None,
    ) -> None:
        super().__init__(numbers, onehots, bins, widths, outputs, norm, activation, dropout, columns)
        self.unit = Unit(outputs)

    def forward(self, inputs: Table) -> Logits:
        return self.unit(super().forward(inputs))

    def adapt_answers(self, labels: Examples) -> None:
        self.unit.adapt(labels)


ARCHITECTURES = {"mlp-regressor": TableRegressor}
