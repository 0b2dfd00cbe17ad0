"""What the outputs of a model mean: which class is decided for, how probable it is, how wrong an answer is.

The only place where scores become probabilities and decisions. Arrays are numpy's or torch's, and both give the same
answers: a verifier without torch decides as the run did that it checks.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from math import log, log1p
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy import special

from probe.errors import DataError, RangeError, Unsupported

ROUNDING = 2.0**-22  # of float32, as a share of what is compared: a probability that equals the threshold is at it


class Task(ABC):
    """What the outputs of a model mean. Each function takes arrays of numpy or of torch, a row for each example."""

    kind: ClassVar[str]  # as a manifest names it

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the outputs, in order; empty where nobody named them."""

    @abstractmethod
    def predict(self, logits: Any) -> Any:
        """The decision for each row of logits."""

    @abstractmethod
    def probabilities(self, logits: Any) -> Any:
        """The probability of each output; of numpy's logits in float64."""

    @abstractmethod
    def likeliest(self, logits: Any) -> Any:
        """The output with the highest probability in each row, whatever threshold a decision has."""

    @abstractmethod
    def wrong(self, logits: Any, labels: Any) -> Any:
        """Whether each row is decided otherwise than its label."""

    @abstractmethod
    def loss(self, logits: Any, labels: Any) -> Any:
        """How wrong each row is, for attacks to climb: it grows as the answer leaves the label."""

    @abstractmethod
    def check_count(self, count: int) -> None:
        """Raise DataError unless there may be so many outputs."""

    @abstractmethod
    def in_words(self) -> str:
        """What is decided from when; empty where there is nothing to say."""

    def short(self, **settings: Any) -> "Task":
        """The same task with other settings, as `Model(classes=..., threshold=...)` names them.

        Raises:
            DataError: where the task has no such setting.
        """
        known = {f.name for f in fields(self)} if is_dataclass(self) else set[str]()
        if unknown := [name for name in settings if name not in known]:
            raise DataError(
                f"{unknown[0]}= is the short way of Classification({unknown[0]}=...), and the task is "
                f"{type(self).__name__}, which has none; leave {unknown[0]} out"
            )
        return replace(self, **settings)  # type: ignore[type-var]  # each task is a dataclass

    def margin(self, logits: Any, labels: Any) -> Any:
        """By how much the best other answer leads the label, in logits; below 0 where the label is decided for."""
        raise Unsupported(f"a margin is one between classes, and the task is {type(self).__name__}; use another goal")

    def least_likely(self, logits: Any) -> Any:
        """The answer that is furthest from being given, in each row."""
        raise Unsupported(f"only classes can be least likely, and the task is {type(self).__name__}; use another goal")

    def comparable(self, logits: Any) -> Any:
        """The logits as two passes of a model can be compared by them."""
        return logits

    def outputs(self, logits: Any, kind: str) -> Any:
        """What is explained: the logits, or the probabilities."""
        return logits if kind == "logit" else self.probabilities(logits)

    def pick(self, outputs: Any, targets: Any) -> Any:
        """Of each row of outputs (rows, outputs) the one that its target names."""
        return _at(outputs, targets)


@dataclass(frozen=True)
class Classification(Task):
    """One class of several: the most likely one, or the second of two from a threshold of its owner's."""

    kind: ClassVar[str] = "classification"

    classes: tuple[str, ...] = ()
    threshold: float | None = None  # of two classes: the probability from which the second is decided for

    def __post_init__(self) -> None:
        if isinstance(self.classes, str):
            raise DataError(f"classes are one text, {self.classes!r}; give a tuple of names, such as ('no', 'yes')")
        object.__setattr__(self, "classes", tuple(map(str, self.classes)))
        self.check_count(len(self.classes) or 2)
        if self.threshold is not None:
            object.__setattr__(self, "threshold", float(self.threshold))

    @property
    def names(self) -> tuple[str, ...]:
        return self.classes

    def predict(self, logits: Any) -> Any:
        """The class of each row of logits (rows, classes); with a threshold, 1 where its probability reaches it."""
        if self.threshold is None:
            return logits.argmax(-1)
        cut, wide = log_odds(self.threshold), _wide(logits)
        one, other = wide[..., 1], wide[..., 0]
        return (one - other >= cut - ROUNDING * (abs(one) + abs(other) + abs(cut))) * 1

    def likeliest(self, logits: Any) -> Any:
        return logits.argmax(-1)

    def probabilities(self, logits: Any) -> Any:
        if isinstance(logits, np.ndarray):
            return special.softmax(logits.astype(np.float64), axis=-1)
        return logits.softmax(-1)

    def wrong(self, logits: Any, labels: Any) -> Any:
        return self.predict(logits) != labels

    def loss(self, logits: Any, labels: Any) -> Any:
        """The log-odds of an error, log sum_(k != y) exp z_k - z_y, of logits whose larger one is the decision.

        It grows with the cross-entropy, so its gradient points the same way, but it does not vanish where the model is
        so sure that the cross-entropy rounds to zero. Of half precision it is reckoned in float32.
        """
        logits = _wide(self.deployed(logits))
        others = _others(logits, labels)
        summed = special.logsumexp(others, axis=-1) if isinstance(others, np.ndarray) else others.logsumexp(-1)
        return summed - _at(logits, labels)

    def margin(self, logits: Any, labels: Any) -> Any:
        logits = _wide(self.deployed(logits))
        others = _others(logits, labels)
        best = others.max(-1) if isinstance(others, np.ndarray) else others.amax(-1)
        return best - _at(logits, labels)

    def least_likely(self, logits: Any) -> Any:
        """Of two classes the one that is not decided for."""
        return logits.argmin(-1) if logits.shape[-1] > 2 else 1 - self.predict(logits)

    def comparable(self, logits: Any) -> Any:
        """The logits; or probabilities where their logarithms came, as a tiny one's logarithm is mostly rounding."""
        return logits.exp() if bool((logits.logsumexp(-1).abs() < 1e-3).all()) else logits

    def deployed(self, logits: Any) -> Any:
        """Logits whose larger one is the decision. Their differences are the same up to a constant: so are slopes."""
        if self.threshold is None:
            return logits
        moved = logits + 0  # a copy that gradients pass through
        moved[..., 1] -= log_odds(self.threshold)
        return moved

    def check_count(self, count: int) -> None:
        """Raise RangeError unless the threshold is between 0 and 1, or DataError unless there are two classes."""
        if self.threshold is None:
            return
        log_odds(self.threshold)
        if count != 2:
            named = f": {', '.join(self.classes)}" if self.classes else ""
            raise DataError(
                f"threshold = {self.threshold}, and there are {count} classes{named}; a threshold decides between two, "
                "and among more the most likely one is taken: leave the threshold out"
            )

    def in_words(self) -> str:
        """What is decided from when; empty where the most likely class is."""
        if self.threshold is None:
            return ""
        second = self.classes[1] if len(self.classes) == 2 else "class 1"
        return f"{second} where its probability is at least {self.threshold:g}"


def log_odds(threshold: float) -> float:
    """The log-odds of class 1 from which it is decided for.

    Raises:
        RangeError: if the threshold is not a probability between 0 and 1.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, Real) or not 0 < threshold < 1:
        raise RangeError(
            f"threshold = {threshold!r}, expected a probability above 0 and below 1 from which the second class is "
            "decided for, such as 0.3"
        )
    return log(threshold) - log1p(-threshold)


def of(manifest: dict[str, Any]) -> Classification:
    """The task of the model that a manifest describes."""
    model = manifest["model"]
    return Classification(_texts(model["classes"]), model.get("threshold"))


def _texts(names: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, names))


def _at(outputs: Any, targets: Any) -> Any:
    """The entry of each row that its target names."""
    if isinstance(outputs, np.ndarray):
        return np.take_along_axis(outputs, np.asarray(targets)[..., None], -1)[..., 0]
    return outputs.gather(-1, targets[..., None])[..., 0]


def _others(logits: Any, labels: Any) -> Any:
    """The logits of all answers but the label's, which is -infinity."""
    if isinstance(logits, np.ndarray):
        others = logits.astype(np.float64)
        np.put_along_axis(others, labels[:, None], -np.inf, -1)
        return others
    own = (logits.detach().bool() & False).scatter(-1, labels[:, None], value=True)
    return logits.masked_fill(own, -np.inf)


def _wide(logits: Any) -> Any:
    """Half precision in single: its rounding would decide."""
    if logits.dtype.itemsize >= 4:
        return logits
    return logits.astype(np.float32) if isinstance(logits, np.ndarray) else logits.float()
