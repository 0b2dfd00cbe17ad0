"""What the model answered to each row, beside the label."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.audit.bundle import Bundle
from probe.audit.reading.subject import answer_name


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The answer to one row."""

    row: int
    answer: str
    probability: float  # of the answer; NaN for numbers and several labels, which have no single one
    label: str
    right: bool | None  # None where the task has no wrong answers

    @property
    def differs(self) -> bool:
        """Whether the label reads otherwise than the answer."""
        return self.answer != self.label


def classes(bundle: Bundle) -> list[str]:
    """The names of the outputs, as many as there are logits; an output without a name goes by its number."""
    count = bundle.arrays("predictions")["logits"].shape[1]
    named = list(map(str, bundle.manifest.model.classes))
    return [*named, *(bundle.manifest.task.name(at) for at in range(len(named), count))][:count]


def decisions(bundle: Bundle) -> NDArray[np.generic]:
    """What is decided for in each row."""
    found: NDArray[np.generic] = bundle.manifest.task.predict(bundle.arrays("predictions")["logits"])
    return found


def sureness(bundle: Bundle) -> NDArray[np.float64]:
    """The probability of each decision; NaN for numbers and several labels."""
    task, logits = bundle.manifest.task, bundle.arrays("predictions")["logits"]
    if not task.one_class:
        return np.full(len(logits), np.nan)
    found: NDArray[np.float64] = task.pick(task.probabilities(logits), task.predict(logits))
    return found


def right(bundle: Bundle) -> NDArray[np.bool_] | None:
    """Whether each row is answered as its labels say, all of them where there are several; None where nothing tells."""
    task = bundle.manifest.task
    return ~task.differs(decisions(bundle), bundle.arrays("predictions")["labels"]) if task.judges else None


def answered(bundle: Bundle, row: int) -> Answered:
    """The answer to one row, and its label."""
    manifest, label = bundle.manifest, bundle.arrays("predictions")["labels"][row]
    decided, judged = decisions(bundle)[row], right(bundle)
    return Answered(
        row=row,
        answer=answer_name(manifest, decided),
        probability=float(sureness(bundle)[row]),
        label=answer_name(manifest, label),
        right=None if judged is None else bool(judged[row]),
    )
