"""A targeted goal."""

from dataclasses import dataclass
from typing import Any, ClassVar

from probe.goals import Answer, Goal
from probe.task import Task


@dataclass(frozen=True, kw_only=True)
class NextClass(Goal):
    """The class after the one that is answered before the attack; after the last, the first."""

    answer: ClassVar[Answer] = "target"

    def aims(self, task: Task, logits: Any, targets: Any) -> Any:
        return (task.predict(logits) + 1) % logits.shape[1]

    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return -task.loss(logits, targets)

    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return ~task.wrong(logits, targets)
