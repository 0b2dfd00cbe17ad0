"""The contract of a task."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from probe.errors import DataError, RangeError, Unsupported
from probe.keywords import Named
from probe.names import Passed, entries, listed, nearest, values_of
from probe.task.arrays import entry

if TYPE_CHECKING:
    Names = tuple[str, ...]
else:
    Names = Passed[Sequence]  # at run time anything that is passed; `named` refuses what is no tuple of names


@dataclass(frozen=True)
class Task(metaclass=Named):
    """What the outputs of a model mean.

    Functions take numpy arrays or torch tensors with one row per example. `logits` makes a table (rows, outputs) of
    what a network returns; all other functions read that table.
    """

    kind: ClassVar[str]
    units: ClassVar[tuple[str, str]] = ("output", "outputs")  # what the outputs are, one and many
    one_class: ClassVar[bool] = False  # whether each row is of one of several classes
    suspects: ClassVar[frozenset[str]] = frozenset()  # what outputs could be mistaken for: softmax, sigmoid

    def spoken(self, output: str) -> str:
        """What an output that is explained is called: the logit or the probability, where there are such."""
        return output if self.units[0] != "output" else "output"

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the outputs, in order; empty if they were not named."""

    @property
    def at(self) -> int:
        """The index of the answer that `only` selected; 0 if each row has one answer."""
        return 0

    @abstractmethod
    def expects(self, rows: int) -> str:
        """The expected shape of a network's outputs for this many rows, in words."""

    @abstractmethod
    def check(self, outputs: Any) -> None:
        """Raise ShapeError, with a remedy, unless outputs (rows, ...) have the task's shape."""

    @abstractmethod
    def logits(self, outputs: Any) -> Any:
        """The outputs of a network as logits, (rows, outputs)."""

    @abstractmethod
    def predict(self, logits: Any) -> Any:
        """The prediction for each row."""

    @abstractmethod
    def target(self, logits: Any) -> Any:
        """The default output to explain for each row, (rows,)."""

    @abstractmethod
    def probabilities(self, logits: Any) -> Any:
        """The probability of each output, (rows, outputs); in float64 for numpy arrays."""

    @abstractmethod
    def wrong(self, logits: Any, labels: Any) -> Any:
        """Whether each row is misclassified, (rows,)."""

    @abstractmethod
    def loss(self, logits: Any, labels: Any) -> Any:
        """The loss of each row, (rows,), which attacks maximise: it grows as the output moves away from the label."""

    @property
    def judges(self) -> bool:
        """Whether predictions can be correct or wrong; False for a regression without a tolerance."""
        return True

    def correct(self, logits: Any, labels: Any) -> Any:
        """Whether each prediction equals its label: (rows,), or (rows, labels) for several labels."""
        return ~self.wrong(logits, labels)

    def pick(self, outputs: Any, targets: Any) -> Any:
        """The output of each row at its target, (rows,)."""
        return entry(outputs, targets)

    def explained(self, logits: Any, output: str) -> Any:
        """The outputs to explain, by the name of the setting: logits or probabilities."""
        return logits if output == "logit" else self.probabilities(logits)

    def labelled(self, labels: Any) -> Any:
        """Whether there is a label, shaped as the labels; only places may have none, where texts are padded."""
        return labels == labels

    def differs(self, decisions: Any, labels: Any) -> Any:
        """Whether each row's prediction differs from its label, (rows,)."""
        return decisions != labels

    def tied(self, logits: NDArray[Any], labels: NDArray[Any], share: float) -> NDArray[Any]:
        """Where a relative rounding of numpy's logits could change the prediction, (rows,)."""
        return np.zeros(len(logits), dtype=bool)

    def apart(self, one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
        """The difference between the outputs of two passes, (rows,): in probability, or relative for numbers."""
        gap: NDArray[Any] = np.abs(self.probabilities(one) - self.probabilities(other))
        return gap.reshape(len(gap), -1).max(1)

    def comparable(self, logits: Any) -> Any:
        """The logits in a form in which two passes of a model can be compared."""
        return logits

    def in_words(self) -> str:
        """The decision rule in words; empty if there is no threshold."""
        return ""

    def margin(self, logits: Any, labels: Any, k: int = 1) -> Any:
        """The k-th largest logit of the other classes minus that of the label, (rows,).

        It is negative where the label is among the k most likely classes: for k = 1, where it is predicted.
        """
        raise Unsupported(f"a margin needs classes, and the task is {type(self).__name__}; use another goal")

    def beyond_top(self, logits: Any, labels: Any, k: int) -> Any:
        """Whether the label is not among the k most likely classes, (rows,); of equal logits the first comes first.

        Raises:
            RangeError: unless there are more than k classes.
            Unsupported: if a row is not of one class.
        """
        raise Unsupported(f"only a class can be among the {k} most likely, and the task is {type(self).__name__}; "
                          "use another goal")  # fmt: skip

    def least_sure(self, decisions: NDArray[Any], count: int) -> NDArray[Any]:
        """The smallest probability with which each decision can be taken, among this many classes."""
        return np.zeros(decisions.shape)

    def energy(self, logits: Any) -> Any:
        """How little all classes together are supported, (rows,)."""
        raise Unsupported(f"an energy needs classes, and the task is {type(self).__name__}")

    def least_likely(self, logits: Any) -> Any:
        """The least likely class of each row."""
        raise Unsupported(f"only classes can be least likely, and the task is {type(self).__name__}; use another goal")

    def beyond(self, logits: Any, targets: Any, sign: int) -> Any:
        """By how much each row is above its targets, or below them for sign -1, (rows,)."""
        return self.shifted(logits, 0.0)

    def shifted(self, logits: Any, by: float) -> Any:
        """The predictions shifted by an amount."""
        raise Unsupported(f"a shift needs a regression, and the task is {type(self).__name__}; use another goal")

    def likeliest(self, logits: Any) -> Any:
        """The most likely class of each row, whatever the decision threshold.

        Raises:
            Unsupported: if the task does not choose between classes.
        """
        raise Unsupported(f"only one of several classes is the most likely, and the task is {type(self).__name__}")

    def several(self, logits: Any) -> tuple[str, ...]:
        """The plural name of a row's answers if it has several, such as labels; else empty."""
        return ()

    def index(self, output: Any) -> int:
        """The index of an output by its name; an index is returned as it is.

        Raises:
            RangeError: if there is no such output; the message names the nearest.
        """
        return numbered(output, self.names, *self.units)

    def class_index(self, name: Any) -> int:
        """The index of a class by its name; an index is returned as it is.

        Raises:
            Unsupported: if the task has no classes.
        """
        if isinstance(name, str) and name.isdecimal() and name.isascii():
            return int(name)
        raise Unsupported(
            f"{name!r:.60} names a class, and the task is {type(self).__name__}; give the wanted answer as numbers: "
            "targets=, one for each example"
        )

    def only(self, answer: Any) -> "Task":
        """The task of one of several answers, by name or index.

        Raises:
            RangeError: if there is no such answer.
            Unsupported: if a row has only one answer.
        """
        raise Unsupported(
            f"a row of {type(self).__name__} has one answer, so none can be selected; leave {answer!r} out"
        )

    def alone(self, logits: Any, at: int) -> Any:
        """The logits of the answer that `only` selected, from the logits of all."""
        return self.only(at).logits(logits)

    def words(self, decisions: NDArray[Any]) -> NDArray[Any]:
        """Labels or predictions as text, (rows,): by name if there are names."""
        return decisions

    def details(self, logits: NDArray[Any], labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Columns for a table of predictions: the confidence or the error."""
        return {}

    def summary(self, logits: NDArray[Any], labels: NDArray[Any]) -> str:
        """Agreement of predictions and labels, in a few words."""
        return f"{int(self.correct(logits, labels).sum())} of {len(logits)} examples right"

    def name(self, target: int) -> str:
        """The name of an output."""
        return self.names[target] if 0 <= target < len(self.names) else f"{self.units[0]} {target}"

    def called(self, names: Sequence[str]) -> "Task":
        """The task with these output names, if it has none and their number fits."""
        if not names or self.names:
            return self
        try:
            return self.short(**{self.units[1]: tuple(names)})
        except DataError:  # a single logit for two classes has no name of its own
            return self

    def check_names(self, names: Sequence[str], theirs: str, remedy: str) -> None:
        """Raise DataError if these outputs and those of something else are named, but not the same in one order.

        Labels are numbers: each would be read as another class.
        """
        if names and self.names and values_of(names) != values_of(self.names):
            raise DataError(f"the model's outputs are {listed(self.names)}, {theirs} are {listed(names)}; {remedy}")

    def short(self, **settings: Any) -> "Task":
        """The task with settings that `Model(classes=..., threshold=...)` names.

        Raises:
            DataError: if the task has no such setting.
        """
        known = {f.name for f in fields(self)}
        if unknown := [name for name in settings if name not in known]:
            raise DataError(
                f"{unknown[0]}= is short for Classification({unknown[0]}=...), and the task is "
                f"{type(self).__name__}, which has none; leave {unknown[0]} out"
            )
        return replace(self, **settings)

    def to_json(self) -> dict[str, Any]:
        """The task as JSON, for a manifest; `from_json` reads it."""
        return {"kind": self.kind, **{k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}}


def named(names: Any, what: str, such: str) -> tuple[str, ...]:
    """The names as texts; what is no sequence of names, and duplicate names, are refused."""
    texts = tuple(map(str, entries(names, what, such)))
    if len(set(texts)) < len(texts):
        twice = next(name for name, count in Counter(texts).items() if count > 1)
        raise DataError(f"{what} name {twice!r:.60} twice, and names must be unique; give each its own")
    return texts


def numbered(output: Any, names: tuple[str, ...], one: str, many: str) -> int:
    """The index of a name; an index is returned as it is if it is in range or there are no names.

    A text of digits is an index unless names are such texts too.

    Raises:
        RangeError: if it is not among them.
    """
    if isinstance(output, str) and output in names:
        return names.index(output)
    if isinstance(output, str) and output.isdecimal() and output.isascii() and not any(map(str.isdecimal, names)):
        output = int(output)
    if isinstance(output, int) and not isinstance(output, bool) and 0 <= output < (len(names) or output + 1):
        return output
    there = f"there are {', '.join(names[:20])}{', ...' * (len(names) > 20)}" if names else f"the {many} have no names"
    near = nearest(output, names) if isinstance(output, str) else ""
    raise RangeError(f"{output!r:.60} is no {one}{near}; {there}")


def one_of(outputs: Any, known: tuple[str, ...], kind: str) -> None:
    """Raise DataError unless `outputs` is one of the known kinds of outputs."""
    if not isinstance(outputs, str) or outputs not in known:
        raise DataError(f"{kind}(outputs={outputs!r}), expected one of {', '.join(map(repr, known))}")


def by_name(numbers: NDArray[Any], names: tuple[str, ...]) -> NDArray[Any]:
    """Classes by name; by index if there are no names, or not one for each."""
    known = len(names) > 0 and (numbers.size == 0 or 0 <= numbers.min() <= numbers.max() < len(names))
    return np.array(names, dtype=object)[numbers] if known else numbers
