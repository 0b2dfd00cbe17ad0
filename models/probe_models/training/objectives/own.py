"""A custom loss."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from probe import Dataset
from probe.errors import DataError, PlanError
from probe.tensors import rows_per_pass, spans
from probe_models.networks.network import logits_of
from probe_models.training.objectives.objective import Batch, Evaluation, Objective
from probe_models.training.settings import Settings

Loss = Callable[[Tensor, Tensor], Tensor]  # takes outputs and labels, returns one number per row
# Settings that need classes or a built-in loss.
REFUSED = ("label_smoothing", "class_weights", "mixup", "adversary", "balance")


class OwnLoss(Objective):
    """The mean over the rows of a function of outputs and labels, whatever shape either has.

    >>> loss = lambda outputs, labels: (outputs[:, 0] - labels).abs()
    >>> fit(network, data, Settings(), objective=loss, device=cpu)  # doctest: +SKIP
    """

    is_of: ClassVar[str] = "objective= is a custom loss"

    def __init__(self, network: nn.Module, settings: Settings, data: Dataset, loss: Loss) -> None:
        super().__init__(network, settings, data)
        for name in REFUSED:
            if getattr(settings, name) not in (None, 0):
                raise PlanError(f"Settings.{name} works through classes, and {self.is_of}; leave one out")
        self.loss = loss

    def prepare(self, batch: Batch, random: torch.Generator) -> Batch:
        return replace(batch, inputs=self.augment(batch.inputs, random))

    def forward(self, batch: Batch) -> Tensor:
        return self._losses(self.network, batch)

    def evaluate(self, network: nn.Module, data: Dataset) -> Evaluation:
        """The same mean without augmentation."""
        with torch.no_grad():
            each = [
                self._losses(network, self.rows(data[rows])) for rows in spans(len(data), rows_per_pass(data.inputs))
            ]
        return Evaluation(torch.cat(each).mean())

    def _losses(self, network: nn.Module, batch: Batch) -> Tensor:
        losses: Any = self.loss(logits_of(network, batch.inputs), batch.targets)
        if not isinstance(losses, Tensor) or losses.ndim == 0 or len(losses) != len(batch):
            found = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
            raise DataError(
                f"objective= gave {found} for {len(batch)} rows, expected a number for each row; for a "
                'loss of torch, set reduction="none"'
            )
        return losses.flatten(1).mean(1) if losses.ndim > 1 else losses
