"""The objective of a Task."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probe import Dataset
from probe.errors import PlanError
from probe.task import Classification, MultiLabel, Places, Regression, Task
from probe.tensors import rows_per_pass, spans
from probe_models.networks.network import logits_of
from probe_models.training.answers import decided
from probe_models.training.objectives.objective import Evaluation, Objective
from probe_models.training.objectives.own import OwnLoss
from probe_models.training.objectives.regression import LOSSES as NUMBERS
from probe_models.training.objectives.regression import Regression as Numbers
from probe_models.training.settings import Settings


class OfTask(OwnLoss):
    """Cross-entropy of classes, of the class at each position, or of each label; labels are those of the task.

    It is evaluated by that loss and by the accuracy.
    """

    def __init__(self, network: nn.Module, settings: Settings, data: Dataset, task: Task) -> None:
        super().__init__(network, settings, data, self._errors)
        self.task = task

    def evaluate(self, network: nn.Module, data: Dataset) -> Evaluation:
        right = []
        with torch.no_grad():
            for rows in spans(len(data), rows_per_pass(data.inputs)):
                part = data[rows]
                logits = self.task.logits(logits_of(network, part.inputs))
                labels = decided(part.labels) if isinstance(self.task, Classification) else part.labels
                right.append(self.task.correct(logits, labels)[self.task.labelled(labels)].double())
        return Evaluation(super().evaluate(network, data).loss, torch.cat(right).mean())

    def _errors(self, outputs: Tensor, labels: Tensor) -> Tensor:
        self.task.check(outputs)
        logits = self.task.logits(outputs).float()
        if isinstance(self.task, MultiLabel):
            return F.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none")
        # Classes are the last dimension in a task, and the second in torch.
        return F.cross_entropy(logits.movedim(-1, 1), labels, reduction="none")


def of_task(network: nn.Module, settings: Settings, data: Dataset, task: Task) -> Objective:
    """The objective of a task: squared error for regression, else cross-entropy.

    Raises:
        PlanError: if there is no objective for such a task.
    """
    if isinstance(task, Regression):
        return Numbers(network, settings if settings.loss in NUMBERS else replace(settings, loss="squared error"), data)
    if not isinstance(task, Classification | MultiLabel | Places):
        raise PlanError(
            f"there is no loss for a {type(task).__name__}; give objective= a loss of your own: "
            "loss(outputs, labels), a number for each row"
        )
    return OfTask(network, settings, data, task)
