"""Regression."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from probe import Dataset
from probe.errors import DataError, PlanError
from probe_models.training.objectives.own import Loss, OwnLoss
from probe_models.training.settings import Settings

LOSSES: Mapping[str, Loss] = {
    "squared error": lambda outputs, labels: (outputs - labels).square(),
    "absolute error": lambda outputs, labels: (outputs - labels).abs(),
}


class Regression(OwnLoss):
    """The mean error in standard deviations of the training labels, so that learning rates suit any unit."""

    is_of: ClassVar[str] = "the loss is of numbers"
    deviation: Tensor

    def __init__(self, network: nn.Module, settings: Settings, data: Dataset) -> None:
        if data.classes:
            raise PlanError(
                f"Settings.loss is {settings.loss!r}, which is for numbers, and the labels of {data.name} "
                f"are the classes {', '.join(data.classes)[:60]}; take the loss 'cross-entropy'"
            )
        super().__init__(network, settings, data, self._errors)
        self.of = LOSSES[settings.loss]
        deviation = data.labels.reshape(len(data), -1).float().std(0, correction=0)
        # Not a part of the state: the rows say it.
        self.register_buffer("deviation", torch.where(deviation > 0, deviation, 1.0), persistent=False)

    def _errors(self, outputs: Tensor, labels: Tensor) -> Tensor:
        right = labels.reshape(len(labels), -1)
        if outputs.shape != right.shape:
            raise DataError(
                f"{type(self.network).__name__} returns shape {tuple(outputs.shape)}, and the labels have "
                f"shape {tuple(right.shape)}; give the network an output for each number"
            )
        return self.of(outputs / self.deviation, right / self.deviation)
