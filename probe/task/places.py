"""A class at each place."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from probe.errors import ShapeError, Unsupported
from probe.task.arrays import entry, largest
from probe.task.base import by_name, one_of
from probe.task.classification import Classification


@dataclass(frozen=True)
class Places(Classification):
    """A class at each place: of each token of a text, or each pixel of an image. Logits are (rows, places, classes).

    A row is wrong where any place is. The target of an explanation is the number of a place times the number of
    classes, plus that of a class; nobody names it but the reader. Attacks and surveys study one place: a network that
    returns `logits[:, place]` is a Classification.
    """

    kind: ClassVar[str] = "places"
    one_class: ClassVar[bool] = False

    def __post_init__(self) -> None:
        one_of(self.outputs, ("logits",), "Places")
        super().__post_init__()

    def expects(self, rows: int) -> str:
        return f"expected ({rows}, places, {len(self.classes) or 'classes'}): one logit for each class at each place"

    def check(self, outputs: Any) -> None:
        found = f"forward returned {tuple(outputs.shape)}, {self.expects(len(outputs))}"
        if outputs.ndim != 3:
            raise ShapeError(f"{found}; return logits.flatten(2).mT where classes come before places")
        if outputs.shape[2] < 2 or (self.classes and outputs.shape[2] != len(self.classes)):
            turned = len(self.classes) == outputs.shape[1]
            raise ShapeError(found + "; classes come before places: return logits.mT" * turned)
        self._check_count(outputs.shape[2])

    def target(self, logits: Any) -> Any:
        raise Unsupported(
            f"there is an answer at each of {logits.shape[1]} places, and nobody said which one is explained; give "
            "targets: for class c at place p, p * classes + c"
        )

    def pick(self, outputs: Any, targets: Any) -> Any:
        return entry(outputs.reshape(len(outputs), -1), targets)

    def correct(self, logits: Any, labels: Any) -> Any:
        return self.predict(logits) == labels

    def wrong(self, logits: Any, labels: Any) -> Any:
        return (self.predict(logits) != labels).any(-1)

    def loss(self, logits: Any, labels: Any) -> Any:
        """The largest log-odds of an error over the places, (rows,)."""
        return largest(super().loss(logits, labels))

    def words(self, decisions: NDArray[Any]) -> NDArray[Any]:
        """The classes at the places of each row, one after the other."""
        return np.array([" ".join(map(str, row)) for row in by_name(decisions, self.classes)], dtype=object)

    def details(self, logits: NDArray[Any], labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {"right": self.correct(logits, labels).sum(1)}

    def summary(self, logits: NDArray[Any], labels: NDArray[Any]) -> str:
        right = self.correct(logits, labels)
        return f"{int(right.sum())} of {right.size} places right in {len(logits)} examples"

    def name(self, target: int) -> str:
        count = len(self.classes)
        return f"{self.classes[target % count]} at place {target // count}" if count else f"output {target}"
