"""Regression."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from probe.errors import RangeError, ShapeError, Unsupported
from probe.task.arrays import largest, wide
from probe.task.base import Names, Task, named

UNNAMED = ("output",)  # the default name of a single output


@dataclass(frozen=True)
class Regression(Task):
    """One or several numbers per row. A prediction within the tolerance of its label is correct.

    Without a tolerance, no prediction is correct or wrong. Labels are floating point: (rows,) for one output, (rows,
    outputs) for several.

    >>> import numpy as np
    >>> from probe import Regression
    >>> task = Regression(("price",), tolerance=1.0)
    >>> task.wrong(np.array([[10.0], [12.0]]), np.array([10.5, 15.0]))
    array([False,  True])
    """

    kind: ClassVar[str] = "regression"

    outputs: Names = UNNAMED
    tolerance: float | None = None  # largest error that counts as correct, in the unit of the outputs

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", named(self.outputs, "outputs", "('price',)") or UNNAMED)
        if self.tolerance is None:
            return
        if (
            isinstance(self.tolerance, bool)
            or not isinstance(self.tolerance, Real)
            or not (isfinite(self.tolerance) and self.tolerance >= 0)
        ):
            raise RangeError(
                f"tolerance = {self.tolerance!r}, expected a number of at least 0 in the unit of {self.outputs[0]}"
            )
        object.__setattr__(self, "tolerance", float(self.tolerance))

    @property
    def judges(self) -> bool:
        return self.tolerance is not None

    @property
    def names(self) -> tuple[str, ...]:
        return self.outputs

    def called(self, names: Sequence[str]) -> Task:
        return replace(self, outputs=tuple(names)) if names and self.outputs == UNNAMED else self

    def check_names(self, names: Sequence[str], theirs: str, remedy: str) -> None:
        if UNNAMED not in (self.outputs, tuple(names)):
            super().check_names(names, theirs, remedy)

    def expects(self, rows: int) -> str:
        one = f"({rows},) or " if len(self.outputs) == 1 else ""
        return f"expected {one}({rows}, {len(self.outputs)}): a number for each of {', '.join(self.outputs)}"

    def check(self, outputs: Any) -> None:
        count = len(self.outputs)
        if outputs.shape[1:] != (count,) and (outputs.ndim > 1 or count > 1):
            raise ShapeError(
                f"forward returned {tuple(outputs.shape)}, {self.expects(len(outputs))}; name each output: "
                "task=Regression(outputs=(...))"
            )

    def logits(self, outputs: Any) -> Any:
        """The outputs themselves, (rows, outputs)."""
        self.check(outputs)
        return outputs.reshape(len(outputs), len(self.outputs))

    def predict(self, logits: Any) -> Any:
        """The predictions, shaped as labels: (rows,) for one output, (rows, outputs) for several."""
        return logits[..., 0] if len(self.outputs) == 1 else logits

    def target(self, logits: Any) -> Any:
        """The first output."""
        return logits.argmax(-1) * 0

    def probabilities(self, logits: Any) -> Any:
        raise Unsupported(
            "a regression has no probabilities; leave output='logit', which means the number that it answers"
        )

    def error(self, logits: Any, labels: Any) -> Any:
        """The absolute error of each output, (rows, outputs)."""
        labels = labels.reshape(logits.shape)
        # Written so that its gradient at 0 is not 0, as an attack may start there.
        return (logits - labels) * ((logits >= labels) * 2 - 1)

    def wrong(self, logits: Any, labels: Any) -> Any:
        """Whether any output of a row is off by more than the tolerance, (rows,).

        Raises:
            Unsupported: without a tolerance.
        """
        return self.loss(logits, labels) > 0

    def shifted(self, logits: Any, by: float) -> Any:
        return self.predict(logits) + by

    def beyond(self, logits: Any, targets: Any, sign: int) -> Any:
        return -largest(sign * (targets.reshape(logits.shape) - wide(logits)))

    def differs(self, decisions: Any, labels: Any) -> Any:
        rows = labels.shape[0]
        return self.wrong(decisions.reshape(rows, len(self.outputs)), labels)

    def tied(self, logits: NDArray[Any], labels: NDArray[Any], share: float) -> NDArray[Any]:
        if self.tolerance is None:
            return super().tied(logits, labels, share)
        given = np.stack([logits, labels.reshape(logits.shape)]).astype(np.float64)
        size = share * np.abs(given).max((0, 1), initial=0.0)  # an output may be in any unit
        near: NDArray[Any] = (np.abs(self.error(logits, labels) - self.tolerance) <= size).any(1)
        return near

    def apart(self, one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
        size = np.abs(one).max(0, initial=0.0)
        gap: NDArray[Any] = (np.abs(one - other) / np.where(size > 0, size, 1.0)).max(1)
        return gap

    def loss(self, logits: Any, labels: Any) -> Any:
        """The largest error of each row minus the tolerance, (rows,)."""
        if self.tolerance is None:
            raise Unsupported(
                "a regression without a tolerance has no wrong answers; name one, as in "
                f"task=Regression({self.outputs!r}, tolerance=5.0); probe train has --tolerance, "
                "and attacks may have a goal without one, such as Shift(by=5.0)"
            )
        return largest(wide(self.error(logits, labels))) - self.tolerance

    def words(self, decisions: NDArray[Any]) -> NDArray[Any]:
        """The numbers as text; several outputs are joined."""
        if len(self.outputs) == 1:
            return decisions.reshape(len(decisions))
        return np.array([", ".join(f"{number:.6g}" for number in row) for row in decisions], dtype=object)

    def details(self, logits: NDArray[Any], labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {"error": self.error(logits, labels).max(1)}

    def summary(self, logits: NDArray[Any], labels: NDArray[Any]) -> str:
        if not len(logits):
            return "no examples"
        return f"off by {self.error(logits, labels).mean():.4g} on average over {len(logits)} examples"

    def in_words(self) -> str:
        return "" if self.tolerance is None else f"right where it is off by {self.tolerance:g} at most"
