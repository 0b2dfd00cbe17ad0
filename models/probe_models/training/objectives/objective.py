"""The contract of an objective."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from probe import Dataset
from probe_models.training.augment import Augmentation, compose
from probe_models.training.groups import Add
from probe_models.training.metrics import Line
from probe_models.training.settings import Settings


@dataclass(frozen=True)
class Batch:
    """The rows of one step."""

    inputs: Tensor  # (rows, ...)
    targets: Tensor  # targets: labels, distributions over the classes, or clean inputs
    labels: Tensor  # (rows,) the labels, also if targets are mixed
    groups: Tensor  # (rows,) the group of each
    counts: Tensor  # (rows,) the weight of each
    noise: Tensor | None = None  # (rows, ...) noise or adversarial rows of the objective

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: slice | Tensor) -> "Batch":
        parts: list[Any] = [getattr(self, f.name) for f in fields(self)]
        chosen: list[Any] = [None if part is None else part[rows] for part in parts]
        return Batch(*chosen)


@dataclass(frozen=True)
class Evaluation:
    """The loss on validation rows, and the accuracy if there is one.

    They may still be on the device, to avoid a second synchronisation.
    """

    loss: float | Tensor
    accuracy: float | Tensor | None = None


class Objective(nn.Module, ABC):
    """A training loss as a module around the network, so that both are compiled and distributed together."""

    def __init__(self, network: nn.Module, settings: Settings, data: Dataset) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.augment: Augmentation = compose(settings.augment)

    def rows(self, data: Dataset) -> Batch:
        """All rows of a dataset as a batch."""
        nothing = torch.zeros(len(data), dtype=torch.long, device=data.labels.device)
        return Batch(data.inputs, data.labels, data.labels, nothing, torch.ones_like(nothing, dtype=torch.float32))

    def prepare(self, batch: Batch, random: torch.Generator) -> Batch:
        """Prepare rows for a step: augmentation, targets and noise.

        Draws only from `random`, which is on the device: torch.rand(n, generator=random, device=random.device).
        """
        return batch

    def perturb(self, batch: Batch) -> Batch:
        """Perturb the prepared rows using the network, as adversarial training does. Draws nothing."""
        return batch

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """The loss of each row (rows,). Training minimises their weighted sum over `total`."""

    def total(self, batch: Batch) -> Tensor:
        """The divisor of the weighted sum: the total weight of the rows."""
        return batch.counts.sum()

    def observe(self, batch: Batch, losses: Tensor, add: Add) -> None:
        """Take the losses of a step, which may change the weights of later rows."""

    @abstractmethod
    def evaluate(self, network: nn.Module, data: Dataset) -> Evaluation:
        """Evaluate a network in eval mode, this one or its moving average, on rows; a lower loss is better."""

    def catastrophic_overfitting(self, lines: Sequence[Line]) -> bool:
        """Whether the metrics of the epochs so far show catastrophic overfitting."""
        return False

    def finalize(self, network: nn.Module, data: Dataset) -> None:
        """Set what depends on validation rows, once the network has its best weights."""
