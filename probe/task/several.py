"""Tasks with several answers per row, each correct or wrong by itself."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from probe.task.base import Task


@dataclass(frozen=True)
class Several(Task):
    """A task with several answers per row: a row is wrong if any of them is."""

    answers: ClassVar[str]  # what they are called

    def correct(self, logits: Any, labels: Any) -> Any:
        return self.predict(logits) == labels

    def wrong(self, logits: Any, labels: Any) -> Any:
        return self.differs(self.predict(logits), labels)

    def differs(self, decisions: Any, labels: Any) -> Any:
        return ((decisions != labels) & self.labelled(labels)).any(-1)

    def tied(self, logits: NDArray[Any], labels: NDArray[Any], share: float) -> NDArray[Any]:
        each = [self.only(at).tied(self.alone(logits, at), labels[:, at], share) for at in range(logits.shape[1])]
        near: NDArray[Any] = np.logical_or.reduce(each)
        return near

    def details(self, logits: NDArray[Any], labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {"right": self.correct(logits, labels).sum(1)}

    def summary(self, logits: NDArray[Any], labels: NDArray[Any]) -> str:
        right, counted = self.correct(logits, labels), self.labelled(labels)
        return f"{int(right.sum())} of {int(counted.sum())} {self.answers} right in {len(logits)} examples"
