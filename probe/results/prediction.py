"""A model's predictions."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pandas as pd

from probe.labels import check_labels
from probe.model import Model
from probe.results.base import AnyResult, worded
from probe.shapes import Evidence, Inputs, Labels, Logits
from probe.task import Classification, Task
from probe.tensors import to_numpy, wide


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(AnyResult):
    """A model's outputs for labelled inputs.

    It records which model made it: a Prediction has no inputs, so metrics cannot evaluate another model on them.

    >>> import torch
    >>> from probe import Model, Prediction
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
    >>> found = Prediction.of(model, torch.tensor([[0.9], [0.2]]), torch.tensor([0, 0]))
    >>> found.correct
    tensor([1., 0.])
    >>> found.to_frame()[["label", "predicted"]].to_dict("list")
    {'label': ['high', 'high'], 'predicted': ['high', 'low']}
    """

    per_row: ClassVar[tuple[str, ...]] = ("logits", "labels")

    logits: Logits
    labels: Labels
    task: Task = field(default_factory=Classification)
    digest: str = ""  # SHA-256 of the model's weights; "" if they are not accessible
    forward: Any = field(default=None, metadata={"saved": False})  # the model's forward function

    @classmethod
    def of(cls, model: Model, inputs: Inputs, labels: Labels) -> "Prediction":
        """The predictions of a model for checked inputs."""
        logits = model.logits(inputs)
        labels = check_labels(labels, model.task, tuple(logits.shape)).to(logits.device)
        return cls(logits, labels, model.task, model.digest() or "", model.edits or model.forward)

    @property
    def known(self) -> bool:
        """Whether the model that made it is known."""
        return bool(self.digest) or self.forward is not None

    def is_of(self, model: Model) -> bool:
        """Whether this model made it; True as well if the model is unknown."""
        if not self.digest:
            return self.forward is None or self.forward is (model.edits or model.forward)
        return self.digest == model.digest() and self.task == model.task

    @property
    def predicted(self) -> Labels:
        """The predicted classes, labels or numbers, shaped as the labels."""
        return self.task.predict(self.logits)

    @property
    def correct(self) -> Evidence:
        """1 where the prediction equals the label, else 0: (batch,), or (batch, ...) for several answers per row.

        NaN at a place without a label.
        """
        right: Evidence = self.task.correct(self.logits, self.labels).to(self.logits.dtype)
        there = self.task.labelled(self.labels)
        return right.masked_fill(~there, float("nan")) if there.shape == right.shape else right

    def only(self, answer: int | str) -> "Prediction":
        """The predictions of one of several answers: a label by name, or a position by index.

        Rows without a label there are left out.

        Raises:
            RangeError: if there is no such answer.
            Unsupported: if each example has only one answer.
        """
        task, there = self.task.only(answer), self.task.labelled(self.labels)
        labels, logits = self.labels[:, task.at], self.task.alone(self.logits, task.at)
        alone = replace(self, logits=logits, labels=labels, task=task)
        there = there[:, task.at]
        return alone if bool(there.all()) else alone[there]

    @property
    def probabilities(self) -> Logits:
        return self.task.probabilities(self.logits)

    def to_frame(self) -> pd.DataFrame:
        """One row per example: label, prediction, and its probability or error. Classes are named."""
        logits, labels = to_numpy(wide(self.logits)), to_numpy(self.labels)
        decided = {"label": worded(self.task, labels), "predicted": worded(self.task, self.task.predict(logits))}
        return pd.DataFrame(decided | self.task.details(logits, labels))

    def _in_words(self) -> tuple[str, ...]:
        said = self.task.summary(to_numpy(wide(self.logits)), to_numpy(self.labels))
        decided = f", {self.task.in_words()}" if self.task.in_words() else ""
        return f"Prediction: {said}", f"{self.logits.shape[-1]} {self.task.units[1]}{decided}"
