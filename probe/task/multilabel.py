"""Several labels, each true or not."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from probe.errors import DataError, ShapeError
from probe.names import Passed
from probe.task.arrays import ROUNDING, largest, like, log_odds, logit, probable, sigmoid, wide
from probe.task.base import Names, named, one_of
from probe.task.several import Several
from probe.task.single import Single


@dataclass(frozen=True)
class MultiLabel(Several):
    """Several binary labels: a label is predicted where its probability is at least its threshold.

    Labels are 0 or 1, (rows, labels). Metrics are measured per label; a row is wrong if any of its labels is.

    >>> import numpy as np
    >>> from probe import MultiLabel
    >>> task = MultiLabel(("warm", "wet"), threshold=0.5)
    >>> task.predict(np.array([[2.0, -1.0], [0.5, 0.1]]))
    array([[1, 0],
           [1, 1]])
    """

    kind: ClassVar[str] = "multi-label"
    answers: ClassVar[str] = "labels"
    units: ClassVar[tuple[str, str]] = ("label", "labels")

    labels: Names = ()
    threshold: float | tuple[float, ...] = 0.5  # of all labels, or one of each
    outputs: Passed[str] = "logits"  # what the network returns: logits or probabilities

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", named(self.labels, "labels", "('smiling', 'young')"))
        one_of(self.outputs, ("logits", "probabilities"), "MultiLabel")
        cuts = tuple(self.threshold) if isinstance(self.threshold, tuple | list) else (self.threshold,)
        for cut in cuts:
            log_odds(cut)
        if isinstance(self.threshold, tuple | list):
            object.__setattr__(self, "threshold", tuple(map(float, cuts)))
            if len(cuts) != len(self.labels):
                raise DataError(
                    f"threshold has {len(cuts)} numbers, expected one for each of {len(self.labels)} labels"
                )

    @property
    def suspects(self) -> frozenset[str]:  # type: ignore[override]  # a setting decides
        return frozenset({"sigmoid"}) if self.outputs == "logits" else frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        return self.labels

    def expects(self, rows: int) -> str:
        return f"expected ({rows}, {len(self.labels) or 'labels'}): one {self.outputs.rstrip('s')} for each label"

    def check(self, outputs: Any) -> None:
        found = f"forward returned {tuple(outputs.shape)}, {self.expects(len(outputs))}"
        if outputs.ndim != 2 or outputs.shape[1] == 0:
            flat = outputs.ndim > 2 or (outputs.ndim == 1 and len(self.labels) == 1)
            raise ShapeError(found + "; return logits.reshape(len(x), -1)" * flat)
        if self.labels and outputs.shape[1] != len(self.labels):
            raise ShapeError(f"{found}: {', '.join(self.labels)}")

    def logits(self, outputs: Any) -> Any:
        self.check(outputs)
        return outputs if self.outputs == "logits" else logit(probable(outputs))

    def several(self, logits: Any) -> tuple[str, ...]:
        return tuple(self.name(at) for at in range(logits.shape[1]))

    def only(self, answer: Any) -> Single:
        at = self.index(answer)
        cut = self.threshold[at] if isinstance(self.threshold, tuple) else self.threshold
        name = self.name(at)
        outputs = {"logits": "one logit", "probabilities": "one probability"}[self.outputs]
        return Single((f"not {name}", name), cut, outputs, at)

    def alone(self, logits: Any, at: int) -> Any:
        return replace(self, outputs="logits").only(at).logits(logits)

    def predict(self, logits: Any) -> Any:
        """1 for each predicted label, else 0, (rows, labels)."""
        cut = like(self._cut, logits)
        return (wide(logits) >= cut - ROUNDING * (abs(wide(logits)) + abs(cut))) * 1

    def target(self, logits: Any) -> Any:
        """The most probable label of each row."""
        return logits.argmax(-1)

    def probabilities(self, logits: Any) -> Any:
        """The probability of each label, (rows, labels); rows do not sum to 1."""
        return sigmoid(logits)

    def loss(self, logits: Any, labels: Any) -> Any:
        """The log-odds of an error at the label that is closest to one, (rows,)."""
        return largest((wide(logits) - like(self._cut, logits)) * (1 - 2 * labels))

    def words(self, decisions: NDArray[Any]) -> NDArray[Any]:
        """The true labels of each row, joined."""
        listed = [[self.name(int(at)) for at in np.flatnonzero(row)] for row in decisions]
        return np.array([", ".join(names) or "none" for names in listed], dtype=object)

    def in_words(self) -> str:
        if isinstance(self.threshold, tuple):
            each = ", ".join(f"{name} from {cut:g}" for name, cut in zip(self.labels, self.threshold, strict=True))
            return f"each label where its probability is at least its threshold: {each}"
        return f"each label where its probability is at least {self.threshold:g}"

    @property
    def _cut(self) -> list[float]:
        return [log_odds(cut) for cut in (self.threshold if isinstance(self.threshold, tuple) else (self.threshold,))]
