"""What an attack is to reach with each of some examples, how far it may go, and how it asks the model."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from probe.arrays import Given
from probe.errors import DataError
from probe.goals import Goal
from probe.labels import check_labels
from probe.model import Model
from probe.results import Prediction
from probe.shapes import Inputs, Labels, PerExample


@dataclass(frozen=True, eq=False)
class Aim:
    """The goal of an attack for some examples, a row each; `aim[rows]` is that of a part of them.

    Every question to the model that goes through it is counted for the example that it is about.
    """

    model: Model
    goal: Goal
    labels: Tensor  # what the examples are, as the task has it
    targets: Tensor | None  # what they are to become; None where the goal names no answer
    budget: PerExample  # how far each may be moved, in the unit of the threat; infinity where the change is made small
    rows: Labels  # the number of each example among those that `perturb` was given

    def ask(self, inputs: Inputs) -> tuple[PerExample, Bool[Tensor, " batch"]]:
        """What is climbed, and whether the goal is reached; without gradients, in passes that fit in memory."""
        return self._judged(self.model.logits(inputs, rows=self.rows))

    def slope(self, inputs: Inputs) -> tuple[PerExample, Bool[Tensor, " batch"], Inputs]:
        """What `ask` says, and the gradient by the inputs of what is climbed."""
        logits, gradient = self.model.gradient(inputs, self._loss, rows=self.rows)
        return (*self._judged(logits), gradient)

    def over_embeddings(self) -> "Aim":
        """The same aim over embeddings (batch, tokens, width), for gradients by the vectors of words."""
        return replace(self, model=self.model.over_embeddings())

    def repeated(self, times: int) -> "Aim":
        """Each row so many times, one after another: for several candidates of each example."""
        return self[torch.arange(len(self), device=self.rows.device).repeat_interleave(times)]

    @classmethod
    def of(cls, method: Any, model: Model, clean: Prediction, targets: Given | None, budget: PerExample) -> "Aim":
        """What a method that has a goal is to reach with each example.

        Raises:
            DataError: if the goal names no target, or has no use for those that are given.
        """
        goal, shape = method.goal, tuple(clean.logits.shape)
        if targets is not None and not goal.aimed:
            raise DataError(
                f"targets were given, and the goal {goal} reads none; write {type(method).__name__}(goal=Targeted()), "
                "with Targeted from probe.goals"
            )
        if targets is not None:
            targets = check_labels(targets, model.task, shape, "targets").to(model.device)
        aims = goal.aims(model.task, clean.logits, targets)
        if aims is not None:
            aims = check_labels(aims, model.task, shape)
        return cls(model, goal, clean.labels, aims, budget, torch.arange(len(clean), device=clean.logits.device))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Tensor | slice) -> "Aim":
        entries = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("model", "goal")}
        part: dict[str, Any] = {name: None if each is None else each[rows] for name, each in entries.items()}
        return replace(self, **part)

    def _loss(self, logits: Tensor) -> PerExample:
        loss: PerExample = self.goal.loss(self.model.task, logits, self.labels, self.targets)
        return loss

    def _judged(self, logits: Tensor) -> tuple[PerExample, Bool[Tensor, " batch"]]:
        # Losses are compared in a dtype that is wide enough for any logits, which need not be of the inputs' dtype.
        wide = torch.float32 if logits.device.type == "mps" else torch.float64
        reached: Tensor = self.goal.reached(self.model.task, logits, self.labels, self.targets)
        return self._loss(logits).to(wide), reached
