"""Counts and limits of model evaluations per example."""

from dataclasses import dataclass

import torch
from torch import Tensor

from probe.errors import ContractError
from probe.shapes import Labels, PerExample


@dataclass
class Usage:
    """How many examples went forward and backward through a model."""

    forward: int = 0
    backward: int = 0

    def __sub__(self, earlier: "Usage") -> "Usage":
        return Usage(self.forward - earlier.forward, self.backward - earlier.backward)


class Meter:
    """Forward and backward passes per example, with an optional limit of forward passes.

    A call without `rows` counts one pass per example if it has as many rows as examples; otherwise the passes are
    divided evenly. With a limit, `rows` is required.
    """

    def __init__(self, count: int, most: int | None, device: torch.device) -> None:
        self.forward = torch.zeros(count, device=device)
        self.backward = torch.zeros(count, device=device)
        self.unconfirmed: Tensor | None = None  # by the model itself, of a search in half precision, (count,)
        self.most = most

    @property
    def left(self) -> PerExample:
        """The remaining forward passes of each example; infinity without a limit."""
        return (torch.inf if self.most is None else self.most) - self.forward

    def count_forward(self, number: int, rows: Labels | None) -> None:
        """Count a forward pass.

        Raises:
            ContractError: if an example would exceed its limit.
        """
        if self.most is not None and rows is None and number != len(self.forward):
            raise ContractError(
                f"{number} rows of {len(self.forward)} examples were queried, and the queries of each example "
                "are limited; name the example of each row: model.logits(inputs, rows=aim.rows), or aim.ask(inputs)"
            )
        forward = self.forward + self._shared(number, rows)
        if self.most is not None and bool((forward > self.most).any()):
            raise ContractError(f"an example was queried more than {self.most} times, the maximum allowed")
        self.forward = forward

    def count_backward(self, number: int, rows: Labels | None) -> None:
        """Count a backward pass."""
        self.backward = self.backward + self._shared(number, rows)

    def _shared(self, number: int, rows: Labels | None) -> Tensor:
        """How many of the rows are of each example."""
        if rows is None:
            return torch.full_like(self.forward, number / len(self.forward))
        return torch.zeros_like(self.forward).index_add_(0, rows, self.forward.new_ones(()).expand(len(rows)))
