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
    targets: Tensor  # what the network should make of them: labels, distributions over the classes, or clean inputs
    labels: Tensor  # (rows,) the classes, whatever became of the targets
    groups: Tensor  # (rows,) the number of the group that each belongs to
    counts: Tensor  # (rows,) what each counts
    noise: Tensor | None = None  # (rows, ...) what the objective draws for them, or makes of them

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: slice | Tensor) -> "Batch":
        parts: list[Any] = [getattr(self, f.name) for f in fields(self)]
        chosen: list[Any] = [None if part is None else part[rows] for part in parts]
        return Batch(*chosen)


@dataclass(frozen=True)
class Evaluation:
    """How a network does on rows that it is not trained on: a loss, and the share of right answers if there are any.

    They may lie on the device still, so that it is not waited for twice.
    """

    loss: float | Tensor
    accuracy: float | Tensor | None = None


class Objective(nn.Module, ABC):
    """What is made small, as a module around the network: so it can be compiled and distributed as one."""

    def __init__(self, network: nn.Module, settings: Settings, data: Dataset) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.augment: Augmentation = compose(settings.augment)

    def rows(self, data: Dataset) -> Batch:
        """All rows of a data set, as steps take them."""
        nothing = torch.zeros(len(data), dtype=torch.long, device=data.labels.device)
        return Batch(data.inputs, data.labels, data.labels, nothing, torch.ones_like(nothing, dtype=torch.float32))

    def prepare(self, batch: Batch, random: torch.Generator) -> Batch:
        """The rows as they are trained on: augmented, with targets and noise.

        Draws from `random` alone, which lies on the device: torch.rand(n, generator=random, device=random.device).
        """
        return batch

    def perturb(self, batch: Batch) -> Batch:
        """The prepared rows, made harder by looking at the network: adversarial training does that. Draws nothing."""
        return batch

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """The loss of each row (rows,). What is made small is their sum, each times what its row counts."""

    def total(self, batch: Batch) -> Tensor:
        """What that sum is divided by: what the rows count together."""
        return batch.counts.sum()

    def observe(self, batch: Batch, losses: Tensor, add: Add) -> None:
        """Take in the losses of a step, which may change what rows count in the next ones."""

    @abstractmethod
    def evaluate(self, network: nn.Module, data: Dataset) -> Evaluation:
        """How a network in eval mode, this one or its average, does on rows; the lower the loss the better."""

    def catastrophic_overfitting(self, lines: Sequence[Line]) -> bool:
        """Whether the epochs so far, a line each, show that more of them would be in vain."""
        return False

    def finalize(self, network: nn.Module, data: Dataset) -> None:
        """Fill in what depends on rows that were not trained on, once the best weights are back in the network."""
