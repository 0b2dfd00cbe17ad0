"""One class of several."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from probe.errors import DataError, RangeError, ShapeError
from probe.names import Passed
from probe.task import refusals
from probe.task.arrays import (
    ROUNDING,
    entry,
    error_log_odds,
    largest_but,
    like,
    log,
    log_odds,
    logit,
    others,
    probable,
    softmax,
    wide,
)
from probe.task.base import Names, Task, by_name, named, numbered, one_of


@dataclass(frozen=True)
class Classification(Task):
    """One of several classes: the most likely one, or with a threshold the second of two classes at that probability.

    A network may return a logit or probability for each class, or one logit or probability of the second of two
    classes. One logit z becomes (-z/2, z/2), probabilities become their logarithms.

    >>> import numpy as np
    >>> from probe import Classification
    >>> task = Classification(("no", "yes"), threshold=0.3)
    >>> logits = np.array([[1.0, 0.5], [2.0, 0.0]])
    >>> task.predict(logits), task.probabilities(logits).round(2)[:, 1]
    (array([1, 0]), array([0.38, 0.12]))
    """

    kind: ClassVar[str] = "classification"
    one_class: ClassVar[bool] = True
    units: ClassVar[tuple[str, str]] = ("class", "classes")

    classes: Names = ()
    threshold: float | None = None  # with two classes: the probability of the second at which it is predicted
    outputs: Passed[str] = "logits"  # what the network returns: logits, one logit, probabilities, one probability

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", named(self.classes, "classes", "('no', 'yes')"))
        one_of(self.outputs, ("logits", "one logit", "probabilities", "one probability"), "Classification")
        if self._single and len(self.classes) not in (0, 2):
            raise DataError(f"{self.outputs} distinguishes two classes, and {len(self.classes)} are named: "
                            f"{', '.join(self.classes)}")  # fmt: skip
        self._check_count(len(self.classes) or 2)
        if self.threshold is not None:
            object.__setattr__(self, "threshold", float(self.threshold))

    @property
    def _single(self) -> bool:
        return self.outputs.startswith("one ")

    @property
    def suspects(self) -> frozenset[str]:  # type: ignore[override]  # a setting decides
        return {"logits": frozenset({"softmax", "sigmoid"}), "one logit": frozenset({"sigmoid"})}.get(
            self.outputs, frozenset()
        )

    @property
    def names(self) -> tuple[str, ...]:
        return self.classes

    def expects(self, rows: int) -> str:
        if self._single:
            return f"expected ({rows},) or ({rows}, 1): {self.outputs} for each row"
        count = len(self.classes) if len(self.classes) > 1 else "classes"
        return f"expected ({rows}, {count}): one {self.outputs.replace('ies', 'ys')[:-1]} for each class"

    def check(self, outputs: Any) -> None:
        if self._single:
            if outputs.ndim > 2 or outputs.shape[1:] not in ((), (1,)):
                raise self._odd(outputs, f"; leave outputs={self.outputs!r} out where there is a number for each class")
            return
        if remedy := refusals.columns(outputs, len(self.classes)):
            raise self._odd(outputs, f"; {remedy}")
        if self.classes and outputs.shape[1] != len(self.classes):
            raise self._odd(outputs, f": {', '.join(self.classes)}")
        self._check_count(outputs.shape[1])

    def _odd(self, outputs: Any, remedy: str) -> ShapeError:
        return ShapeError(f"forward returned {tuple(outputs.shape)}, {self.expects(len(outputs))}{remedy}")

    def logits(self, outputs: Any) -> Any:
        self.check(outputs)
        if self.outputs == "logits":
            return outputs
        if self.outputs == "probabilities":
            return log(probable(outputs, sums=True))
        z = outputs.reshape(len(outputs), 1)
        z = z if self.outputs == "one logit" else logit(probable(z))
        return z * like([-0.5, 0.5], z)

    def predict(self, logits: Any) -> Any:
        """The predicted class of each row; with a threshold, class 1 where its probability is at least that."""
        if self.threshold is None:
            return logits.argmax(-1)
        cut, held = log_odds(self.threshold), wide(logits)
        one, other = held[..., 1], held[..., 0]
        return (one - other >= cut - ROUNDING * (abs(one) + abs(other) + abs(cut))) * 1

    def target(self, logits: Any) -> Any:
        return self.predict(logits)

    def class_index(self, name: Any) -> int:
        """The index of a class by its name; an index is returned as it is.

        Raises:
            RangeError: if there is no such class; the message names the nearest.
        """
        return numbered(name, self.classes, *self.units)

    def likeliest(self, logits: Any) -> Any:
        return logits.argmax(-1)

    def probabilities(self, logits: Any) -> Any:
        return softmax(logits)

    def wrong(self, logits: Any, labels: Any) -> Any:
        return self.predict(logits) != labels

    def loss(self, logits: Any, labels: Any) -> Any:
        """The log-odds of an error, log sum_(k != y) exp z_k - z_y, of `deployed` logits.

        It is monotone in the cross-entropy, so its gradient has the same direction, but it does not vanish where the
        model is so confident that the cross-entropy rounds to zero. Half precision is computed in float32.
        """
        return error_log_odds(wide(self.deployed(logits)), labels)

    def least_sure(self, decisions: NDArray[Any], count: int) -> NDArray[Any]:
        if self.threshold is None:
            return np.full(decisions.shape, 1 / count)
        return np.where(decisions == 1, self.threshold, 1 - self.threshold)

    def margin(self, logits: Any, labels: Any, k: int = 1) -> Any:
        self._check_top(logits, k)
        logits = wide(self.deployed(logits))
        return largest_but(others(logits, labels), k - 1) - entry(logits, labels)

    def beyond_top(self, logits: Any, labels: Any, k: int) -> Any:
        self._check_top(logits, k)
        if k == 1:
            return self.wrong(logits, labels)
        logits = wide(logits)  # there are three classes at least, and no threshold
        own, places = entry(logits, labels)[..., None], like([*range(logits.shape[-1])], logits)
        ahead = (logits > own) | ((logits == own) & (places < labels[..., None]))
        return ahead.sum(-1) >= k

    def energy(self, logits: Any) -> Any:
        """The negative log-sum-exp of the logits, (rows,): high where no class is likely; 0 for probabilities."""
        return -wide(logits).logsumexp(-1)

    def least_likely(self, logits: Any) -> Any:
        """The least likely class of each row; with two classes, the one that is not predicted."""
        return logits.argmin(-1) if logits.shape[-1] > 2 else 1 - self.predict(logits)

    def deployed(self, logits: Any) -> Any:
        """Logits shifted by the threshold, so that the larger one is the prediction; gradients do not change."""
        if self.threshold is None:
            return logits
        moved = logits + 0  # a copy that gradients pass through
        moved[..., 1] -= log_odds(self.threshold)
        return moved

    def comparable(self, logits: Any) -> Any:
        """The logits; probabilities if they are log-probabilities, as logarithms of tiny ones are mostly rounding."""
        return logits.exp() if bool((logits.logsumexp(-1).abs() < 1e-3).all()) else logits

    def in_words(self) -> str:
        if self.threshold is None:
            return ""
        second = self.classes[1] if len(self.classes) == 2 else "class 1"
        return f"{second} where its probability is at least {self.threshold:g}"

    def tied(self, logits: NDArray[Any], labels: NDArray[Any], share: float) -> NDArray[Any]:
        if self.threshold is not None:
            near: NDArray[Any] = np.abs(self.probabilities(logits)[:, -1] - self.threshold) <= share
            return near
        held = logits.astype(np.float64)
        ranked = np.sort(held, axis=1)
        least: NDArray[Any] = ranked[:, -1] - ranked[:, -2:-1].min(1, initial=np.inf)
        return least <= share * np.maximum(1.0, np.abs(held).max(1))

    def words(self, decisions: NDArray[Any]) -> NDArray[Any]:
        return by_name(decisions, self.classes)

    def details(self, logits: NDArray[Any], labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {"confidence": entry(self.probabilities(logits), self.predict(logits))}

    @staticmethod
    def _check_top(logits: Any, k: int) -> None:
        """Raise RangeError unless there are more classes than k."""
        if k >= (count := logits.shape[-1]):
            raise RangeError(
                f"k = {k}, and each of the {count} classes is among the {k} most likely; give k from 1 to {count - 1}"
            )

    def _check_count(self, count: int) -> None:
        """Raise RangeError unless the threshold is in (0, 1), and DataError unless there are two classes."""
        if self.threshold is None:
            return
        log_odds(self.threshold)
        if count != 2:
            named = f": {', '.join(self.classes)}" if self.classes else ""
            raise DataError(
                f"threshold = {self.threshold}, and there are {count} classes{named}; a threshold decides between two, "
                "and among more the most likely one is taken: leave the threshold out"
            )
