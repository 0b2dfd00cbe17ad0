"""A class at each position."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from probe.errors import RangeError, ShapeError, Unsupported
from probe.task.arrays import entry
from probe.task.base import by_name, numbered, one_of
from probe.task.classification import Classification
from probe.task.several import Several
from probe.task.single import Single

NO_LABEL = -100  # the label of a place that has none, as torch's losses leave it out


@dataclass(frozen=True)
class Places(Several, Classification):
    """A class at each position: of each token of a text or pixel of an image. Logits are (rows, places, classes).

    A row is wrong if any position is. A position whose label is -100, as where texts are padded, has no label: it is
    not counted and not attacked. Explanations need an explicit target: `index((place, class))` is the index of a class
    at a position in a row's logits. `only(place)` is the task of one position.

    >>> import numpy as np
    >>> from probe import Places
    >>> task = Places(("name", "other"))
    >>> task.predict(np.array([[[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]]]))  # of one text of three words
    array([[0, 1, 1]])
    """

    kind: ClassVar[str] = "places"
    answers: ClassVar[str] = "places"
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
            f"there is an answer at each of {logits.shape[1]} places, and the one to explain is not named; give "
            "targets, as task.index((3, 'verb')) for a class at a place; on the command line --target 3:verb"
        )

    def several(self, logits: Any) -> tuple[str, ...]:
        return tuple(f"place {at}" for at in range(logits.shape[1]))

    def index(self, output: Any) -> int:
        """The target of a class at a position, as (place, class) or "3:verb": the class by its name or index.

        Raises:
            RangeError: if it is not such a pair.
        """
        if isinstance(output, str) and output.partition(":")[0].isdecimal() and output.isascii():
            output = int(output.partition(":")[0]), output.partition(":")[2]
        pair = isinstance(output, tuple | list) and len(output) == 2
        if not pair or isinstance(output[0], bool) or not isinstance(output[0], int) or output[0] < 0:
            raise RangeError(
                f"{output!r:.60} is not a class at a place, expected a place and a class, such as (3, 'verb')"
            )
        if not self.classes:
            raise RangeError("the classes have no names, so that their number is not known; write Places(classes)")
        return output[0] * len(self.classes) + numbered(output[1], self.classes, *self.units)

    def only(self, answer: Any) -> Single:
        """The task of one position, by its index from 0."""
        if isinstance(answer, str) and answer.isdecimal() and answer.isascii():
            answer = int(answer)
        if isinstance(answer, bool) or not isinstance(answer, int) or answer < 0:
            raise RangeError(f"{answer!r:.60} is not a place, expected its number from 0")
        return Single(self.classes, self.threshold, self.outputs, answer)

    def alone(self, logits: Any, at: int) -> Any:
        return logits[:, at]

    def pick(self, outputs: Any, targets: Any) -> Any:
        return entry(outputs.reshape(len(outputs), -1), targets)

    def labelled(self, labels: Any) -> Any:
        return labels != NO_LABEL

    def loss(self, logits: Any, labels: Any) -> Any:
        """The largest log-odds of an error over the positions that have a label, (rows,)."""
        there = self.labelled(labels)
        odds = super().loss(logits, labels * there)
        if isinstance(odds, np.ndarray):
            return np.where(there, odds, -np.inf).max(-1)
        return odds.masked_fill(~there, -np.inf).amax(-1)

    def beyond_top(self, logits: Any, labels: Any, k: int) -> Any:
        raise Unsupported(
            f"a row has a class at each of {logits.shape[1]} places, and only one class can be among the {k} most "
            "likely; take a place, as in model.only(0), or use another goal"
        )

    def words(self, decisions: NDArray[Any]) -> NDArray[Any]:
        """The classes at the positions of each row, joined; "-" where there is no label."""
        there = self.labelled(decisions)
        named = np.where(there, by_name(decisions * there, self.classes), "-")
        return np.array([" ".join(map(str, row)) for row in named], dtype=object)

    def name(self, target: int) -> str:
        count = len(self.classes)
        return f"{self.classes[target % count]} at place {target // count}" if count else f"output {target}"
