"""What a network was at a step of its training."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from probe.errors import DataError, RangeError
from probe.names import Passed, a_kind


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The weights of a network at a step of its training, and how far the steps after it went.

    Attributes:
        weights: by name, as `network.state_dict()` gives them. Keep copies, as training goes on in place:
            `{name: tensor.clone() for name, tensor in network.state_dict().items()}`.
        rate: how far weights went against the gradient of one row's loss until the next checkpoint: the learning rate
            times how often the row was in a batch, over the rows of a batch. One number, or one for each training row.

    Raises:
        DataError: if weights are no tensors by name, or the rate is no number.
        RangeError: if a rate is negative or infinite.

    >>> import torch
    >>> from probe import Checkpoint
    >>> network = torch.nn.Linear(2, 1)
    >>> Checkpoint(network.state_dict(), rate=0.1 * 5 / 32)  # five epochs of batches of 32 rows, learning rate .1
    Checkpoint(2 weights, rate 0.0156)
    """

    weights: Passed[Mapping[str, Tensor]]
    rate: Passed[float | Tensor] = 1.0

    def __post_init__(self) -> None:
        given = self.weights
        if not isinstance(given, Mapping) or not given or not all(isinstance(each, Tensor) for each in given.values()):
            raise DataError(
                f"Checkpoint.weights is {a_kind(given)}, expected tensors by name; write "
                "Checkpoint(network.state_dict(), rate=0.01)"
            )
        try:
            rate = torch.as_tensor(self.rate, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            raise DataError(
                f"Checkpoint.rate is {a_kind(self.rate)}, expected a number, or a tensor with one for each training row"
            ) from None
        if rate.ndim > 1 or not bool((rate.isfinite() & (rate >= 0)).all()):
            raise RangeError(
                "Checkpoint.rate must be a finite number of at least 0, or one for each training row; write the "
                "learning rate over the rows of a batch, such as rate=0.1 / 32"
            )

    def __repr__(self) -> str:
        """How many weights there are, and the rate."""
        rate = torch.as_tensor(self.rate, dtype=torch.float64)
        told = f"{float(rate):.3g}" if rate.ndim == 0 else f"of {len(rate)} rows"
        return f"Checkpoint({len(self.weights)} weights, rate {told})"
