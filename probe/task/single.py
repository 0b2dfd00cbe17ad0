"""One answer of a network that gives several."""

from dataclasses import dataclass
from typing import Any, ClassVar

from probe.errors import RangeError, ShapeError
from probe.task.classification import Classification


@dataclass(frozen=True)
class Single(Classification):
    """One of several answers per row as a classification: one label, or the class at one position.

    `MultiLabel.only` and `Places.only` make one; the other answers are ignored.

    Example:
        >>> from probe import MultiLabel
        >>> MultiLabel(("old", "tall"), threshold=(0.5, 0.3)).only("tall")
        Single(classes=('not tall', 'tall'), threshold=0.3, outputs='one logit', at=1)
    """

    kind: ClassVar[str] = "single"

    at: int = 0  # the number of the answer

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.at, bool) or not isinstance(self.at, int) or self.at < 0:
            raise RangeError(f"Single(at={self.at!r}), expected the number of an answer, from 0")

    def expects(self, rows: int) -> str:
        return f"expected ({rows}, answers, ...), of which number {self.at} is asked for"

    def check(self, outputs: Any) -> None:
        if outputs.ndim < 2 or outputs.shape[1] <= self.at:
            raise ShapeError(f"forward returned {tuple(outputs.shape)}, {self.expects(len(outputs))}")
        self._alone.check(outputs[:, self.at])

    def logits(self, outputs: Any) -> Any:
        self.check(outputs)
        return self._alone.logits(outputs[:, self.at])

    @property
    def _alone(self) -> Classification:
        """The task of a network that gives only this answer."""
        return Classification(self.classes, self.threshold, self.outputs)
