"""What a task is."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from probe.errors import DataError, RangeError, Unsupported
from probe.names import nearest
from probe.task.arrays import entry

if TYPE_CHECKING:
    Names = tuple[str, ...]
else:
    Names = Sequence  # at run time whatever people pass, which ends in a sentence of ours if it is no tuple of names


@dataclass(frozen=True)
class Task(ABC):
    """What the outputs of a model mean.

    Functions take arrays of numpy or of torch, a row for each example. `logits` makes one table (rows, outputs) of what
    a network returns, all others read that table. Of two arrays of labels and logits the rows belong together.
    """

    kind: ClassVar[str]
    units: ClassVar[tuple[str, str]] = ("output", "outputs")  # what the outputs are, one and many
    one_class: ClassVar[bool] = False  # whether each row is of one of several classes
    suspects: ClassVar[frozenset[str]] = frozenset()  # what outputs could be mistaken for: softmax, sigmoid

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the outputs, in order; empty if they were not named."""

    @property
    def at(self) -> int:
        """The number of the answer that `only` took of several; 0 where a row has one."""
        return 0

    @abstractmethod
    def expects(self, rows: int) -> str:
        """The shape of what a network returns for so many rows, in words."""

    @abstractmethod
    def check(self, outputs: Any) -> None:
        """Raise ShapeError, with what to write instead, unless outputs (rows, ...) have the task's shape."""

    @abstractmethod
    def logits(self, outputs: Any) -> Any:
        """What a network returned as logits, (rows, outputs)."""

    @abstractmethod
    def predict(self, logits: Any) -> Any:
        """The decision for each row."""

    @abstractmethod
    def target(self, logits: Any) -> Any:
        """The default output to explain for each row, (rows,)."""

    @abstractmethod
    def probabilities(self, logits: Any) -> Any:
        """The probability of each output, (rows, outputs); of numpy's logits in float64."""

    @abstractmethod
    def wrong(self, logits: Any, labels: Any) -> Any:
        """Whether each row is decided otherwise than its label, (rows,)."""

    @abstractmethod
    def loss(self, logits: Any, labels: Any) -> Any:
        """How wrong each row is, (rows,), for attacks to climb: it grows as the answer leaves the label."""

    @property
    def judges(self) -> bool:
        """Whether an answer is right or wrong at all."""
        return True

    def correct(self, logits: Any, labels: Any) -> Any:
        """Whether each row is decided as its label says, (rows,), or each label of a row, (rows, labels)."""
        return ~self.wrong(logits, labels)

    def pick(self, outputs: Any, targets: Any) -> Any:
        """Of each row of outputs (rows, outputs) the one that its target names, (rows,)."""
        return entry(outputs, targets)

    def explained(self, logits: Any, output: str) -> Any:
        """What an explanation is of, by the name of the setting: the logits, or the probabilities."""
        return logits if output == "logit" else self.probabilities(logits)

    def differs(self, decisions: Any, labels: Any) -> Any:
        """Whether each row's decision is another than its label, (rows,)."""
        return decisions != labels

    def tied(self, logits: NDArray[Any], labels: NDArray[Any], share: float) -> NDArray[Any]:
        """Where rounding of that share of numpy's logits could turn the decision, (rows,)."""
        return np.zeros(len(logits), dtype=bool)

    def apart(self, one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
        """How far the answers of two passes are apart, (rows,): in probability, or as a share of a number."""
        gap: NDArray[Any] = np.abs(self.probabilities(one) - self.probabilities(other))
        return gap.reshape(len(gap), -1).max(1)

    def comparable(self, logits: Any) -> Any:
        """The logits as numbers by which two passes of a model can be compared."""
        return logits

    def in_words(self) -> str:
        """What is decided from when; empty where there is nothing to say."""
        return ""

    def margin(self, logits: Any, labels: Any) -> Any:
        """By how much the best other answer leads the label, in logits; below 0 where the label is decided for."""
        raise Unsupported(f"a margin is one between classes, and the task is {type(self).__name__}; use another goal")

    def least_likely(self, logits: Any) -> Any:
        """The answer that is furthest from being given, in each row."""
        raise Unsupported(f"only classes can be least likely, and the task is {type(self).__name__}; use another goal")

    def beyond(self, logits: Any, targets: Any, sign: int) -> Any:
        """By how much the numbers of each row are above their targets, or below them where the sign is -1, (rows,)."""
        return self.shifted(logits, 0.0)

    def shifted(self, logits: Any, by: float) -> Any:
        """The answers moved by so much."""
        raise Unsupported(f"a shift is one of numbers, and the task is {type(self).__name__}; use another goal")

    def likeliest(self, logits: Any) -> Any:
        """The most likely of several classes of each row, whatever threshold a decision has.

        Raises:
            Unsupported: where the task does not choose between classes.
        """
        raise Unsupported(f"only one of several classes is the most likely, and the task is {type(self).__name__}")

    def several(self, logits: Any) -> tuple[str, ...]:
        """What the answers of a row are called, where it has several that are right or wrong each; else empty."""
        return ()

    def index(self, output: Any) -> int:
        """The number of an output by its name; a number is itself.

        Raises:
            RangeError: if there is no such output, with the nearest that there is.
        """
        return numbered(output, self.names, *self.units)

    def only(self, answer: Any) -> "Task":
        """One of the several answers that each row has, by name or number, as a task of its own.

        Raises:
            RangeError: if there is no such answer.
            Unsupported: where a row has one answer alone.
        """
        raise Unsupported(f"a row of {type(self).__name__} has one answer; leave only({answer!r}) out")

    def alone(self, logits: Any, at: int) -> Any:
        """What `only(at)` makes of the outputs that these logits were made of."""
        return self.only(at).logits(logits)

    def words(self, decisions: NDArray[Any]) -> NDArray[Any]:
        """Labels or decisions of numpy as people read them, (rows,): by name where there are names."""
        return decisions

    def details(self, logits: NDArray[Any], labels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Columns for a table of answers: how sure each is, or by how much it is off."""
        return {}

    def summary(self, logits: NDArray[Any], labels: NDArray[Any]) -> str:
        """How well the answers fit the labels, in a few words."""
        return f"{int(self.correct(logits, labels).sum())} of {len(logits)} examples right"

    def name(self, target: int) -> str:
        """What an output is called."""
        return self.names[target] if 0 <= target < len(self.names) else f"{self.units[0]} {target}"

    def called(self, names: Sequence[str]) -> "Task":
        """The same task with names of its outputs, if it has none and their number fits."""
        if not names or self.names:
            return self
        try:
            return self.short(**{self.units[1]: tuple(names)})
        except DataError:  # a logit of the second of two classes has no name of its own
            return self

    def short(self, **settings: Any) -> "Task":
        """The same task with other settings, as `Model(classes=..., threshold=...)` names them.

        Raises:
            DataError: where the task has no such setting.
        """
        known = {f.name for f in fields(self)}
        if unknown := [name for name in settings if name not in known]:
            raise DataError(
                f"{unknown[0]}= is the short way of Classification({unknown[0]}=...), and the task is "
                f"{type(self).__name__}, which has none; leave {unknown[0]} out"
            )
        return replace(self, **settings)

    def to_json(self) -> dict[str, Any]:
        """As a manifest holds it; `from_json` reads it."""
        return {"kind": self.kind, **{k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}}


def named(names: Any, what: str, such: str) -> tuple[str, ...]:
    """The names as texts; a single text in place of a tuple is refused, and so is a name that stands twice."""
    if isinstance(names, str):
        raise DataError(f"{what} are one text, {names!r}; give a tuple of names, such as {such}")
    texts = tuple(map(str, names))
    if len(set(texts)) < len(texts):
        twice = next(name for name, count in Counter(texts).items() if count > 1)
        raise DataError(f"{what} name {twice!r:.60} twice, and are told apart by their names; give each its own")
    return texts


def numbered(output: Any, names: tuple[str, ...], one: str, many: str) -> int:
    """The place of a name among names; a number is itself, if there is such a place or there are no names.

    Raises:
        RangeError: if it is none of them.
    """
    if isinstance(output, str) and output in names:
        return names.index(output)
    output = (
        int(output) if isinstance(output, str) and not names and output.isdecimal() and output.isascii() else output
    )
    if isinstance(output, int) and not isinstance(output, bool) and 0 <= output < (len(names) or output + 1):
        return output
    there = f"there are {', '.join(names[:20])}{', ...' * (len(names) > 20)}" if names else f"the {many} have no names"
    near = nearest(output, names) if isinstance(output, str) else ""
    raise RangeError(f"{output!r:.60} is no {one}{near}; {there}")


def one_of(outputs: str, known: tuple[str, ...], kind: str) -> None:
    """Raise DataError unless `outputs` is one of the ways in which a network of this kind may answer."""
    if outputs not in known:
        raise DataError(f"{kind}(outputs={outputs!r}), expected one of {', '.join(map(repr, known))}")


def by_name(numbers: NDArray[Any], names: tuple[str, ...]) -> NDArray[Any]:
    """Classes by name; by number where there are no names, or not one for each."""
    known = len(names) > 0 and (numbers.size == 0 or 0 <= numbers.min() <= numbers.max() < len(names))
    return np.array(names, dtype=object)[numbers] if known else numbers
