"""What a model answered."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pandas as pd

from probe.model import Model
from probe.results.base import AnyResult, worded
from probe.shapes import Evidence, Inputs, Labels, Logits
from probe.task import Classification, Task
from probe.tensors import to_numpy, wide


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(AnyResult):
    """The model's answer to labelled inputs.

    It knows whose answer it is, where a model made it: metrics of a Prediction hold no inputs, so they cannot ask
    another model.

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
    digest: str = ""  # SHA-256 of the weights that answered; "" where they cannot be seen
    forward: Any = field(default=None, metadata={"saved": False})  # the function that answered

    @classmethod
    def of(cls, model: Model, inputs: Inputs, labels: Labels) -> "Prediction":
        """What a model answers to checked inputs."""
        logits = model.logits(inputs)
        return cls(logits, labels, model.task, model.digest() or "", model.edits or model.forward)

    @property
    def known(self) -> bool:
        """Whether it is known whose answer it is."""
        return bool(self.digest) or self.forward is not None

    def is_of(self, model: Model) -> bool:
        """Whether this model gave the answer; also True where nothing is known of who did."""
        if not self.digest:
            return self.forward is None or self.forward is (model.edits or model.forward)
        return self.digest == model.digest() and self.task == model.task

    @property
    def predicted(self) -> Labels:
        """The decisions, shaped as the labels."""
        return self.task.predict(self.logits)

    @property
    def correct(self) -> Evidence:
        """1 where the decision is the label, else 0: (batch,), or (batch, ...) where each row has several decisions."""
        right: Evidence = self.task.correct(self.logits, self.labels).to(self.logits.dtype)
        return right

    def only(self, answer: int | str) -> "Prediction":
        """One of the several answers to each example, as that of a classifier: a label by name, or a place by number.

        Raises:
            RangeError: if there is no such answer.
            Unsupported: where each example has one answer alone.
        """
        task = self.task.only(answer)
        return replace(self, logits=self.task.alone(self.logits, task.at), labels=self.labels[:, task.at], task=task)

    @property
    def probabilities(self) -> Logits:
        return self.task.probabilities(self.logits)

    def to_frame(self) -> pd.DataFrame:
        """One row per example: label, decision, and its probability or error. Classes go by their names."""
        logits, labels = to_numpy(wide(self.logits)), to_numpy(self.labels)
        decided = {"label": worded(self.task, labels), "predicted": worded(self.task, self.task.predict(logits))}
        return pd.DataFrame(decided | self.task.details(logits, labels))

    def _in_words(self) -> tuple[str, ...]:
        said = self.task.summary(to_numpy(wide(self.logits)), to_numpy(self.labels))
        decided = f", {self.task.in_words()}" if self.task.in_words() else ""
        return f"Prediction: {said}", f"{self.logits.shape[-1]} {self.task.units[1]}{decided}"
