"""A finished step with its arrays, and the answers that they are checked against."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from probe.audit.aspects.common import Answers
from probe.audit.bundle import Bundle
from probe.audit.consistency.parts import Array
from probe.audit.manifest import PlanRecord, StepRecord
from probe.npz import Stored
from probe.task import Task

TIE = 1e-2  # as a share of the largest logit: the order of two closer answers may depend on the batch


@dataclass(frozen=True)
class Expected:
    """Labels and answers of the audited rows, and which answers are nearly tied."""

    labels: Array
    predicted: Array
    targets: Array  # the outputs that are explained
    task: Task
    tied: Array
    sure: Array | None  # the probability of the most likely class; None where there are none
    probabilities: Array  # of each class; no columns where there are none

    @classmethod
    def of(cls, bundle: Bundle, label: str | int = "") -> "Expected":
        answers = Answers.of(bundle)
        answers = answers if label == "" else answers.only(answers.task.index(label))
        task, logits = answers.task, answers.logits
        tied = task.tied(logits, answers.labels, TIE)
        chances = answers.probabilities if task.one_class else np.zeros((len(logits), 0))
        sure = chances.max(1) if task.one_class else None
        return cls(answers.labels, answers.predicted, task.target(logits), task, tied, sure, chances)


@dataclass(frozen=True)
class Step:
    """One finished step: its record, the arrays of all steps, and the answers."""

    bundle: Bundle
    record: StepRecord
    stored: Mapping[str, Stored]  # of every finished step, by its name
    answers: Expected

    @property
    def name(self) -> str:
        """The name of its array file."""
        return self.record.name

    @property
    def arrays(self) -> Stored:
        """Its arrays."""
        return self.stored[self.name]

    @property
    def output(self) -> str:
        """Which output an explainer explained: the logit or the probability."""
        return str(self.record.method.get("output", "logit"))

    def outputs(self, output: str) -> Array:
        """The recorded output of each row at its target, (rows,)."""
        logits = self.stored["predictions"]["logits"][self.arrays["rows"]].astype(np.float64)
        found: Array = self.answers.task.pick(self.answers.task.explained(logits, output), self.arrays["targets"])
        return found

    @property
    def plan(self) -> PlanRecord:
        """The plan of the audit."""
        return self.bundle.manifest.plan
