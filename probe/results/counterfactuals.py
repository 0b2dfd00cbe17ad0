"""The result of a counterfactual search."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from probe.errors import DataError
from probe.formatting import counted, digits
from probe.metering import Usage
from probe.method import Method
from probe.results.base import AnyResult, cost_in_words, worded
from probe.results.drawing import drawer, drawn, example
from probe.shapes import Candidates, Evidence, Inputs, Labels
from probe.space import Space
from probe.task import Classification, Task
from probe.tensors import to_numpy, wide

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from probe.plots import Example


@dataclass(frozen=True, eq=False, repr=False)
class Counterfactuals(AnyResult):
    """Candidates for each input, best first, and whether each gets the desired prediction.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.counterfactuals import NearestReference
    >>> space = Space(reference=torch.tensor([[0.1], [0.6], [0.9]]))
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), space=space, classes=("high", "low"))
    >>> found = NearestReference()(model, torch.tensor([[0.25], [0.75]]))
    >>> found.found(), found.changed(), found.distance().round(decimals=2)
    (tensor([True, True]), tensor([[1],
            [1]]), tensor([[0.3500],
            [0.6500]]))
    """

    per_row = ("inputs", "candidates", "decided", "answers", "reached")

    inputs: Inputs
    candidates: Candidates
    decided: Labels  # the prediction for each input
    answers: Tensor  # the prediction for each candidate, (batch, candidates, ...)
    reached: Tensor  # whether that is the desired one, (batch, candidates)
    method: Method
    space: Space
    task: Task = field(default_factory=Classification)
    cost: Usage = field(default_factory=Usage)  # of the call that made it, also in a part of it

    def found(self) -> Tensor:
        """True where at least one candidate gets the desired prediction, (batch,)."""
        return self.reached.any(1)

    def changed(self) -> Tensor:
        """How many features of each candidate differ from the input, (batch, candidates)."""
        moved = (self._moved() != 0).to(torch.get_default_dtype())
        return (self._repeated().by_feature(moved) > 0).sum(1).reshape(self.reached.shape)

    def moves(self) -> Tensor:
        """The change of each feature of each candidate, in units of the scale, (batch, candidates, features).

        For a feature of several coordinates it is the L1 length with the sign of their sum; a category has no sign.
        """
        space, moved = self._repeated(), self._moved()
        signed, length = space.by_feature(moved), space.by_feature(moved.abs())
        return torch.where(signed < 0, -length, length).reshape(*self.reached.shape, -1)

    def distance(self, p: float = 1.0) -> Evidence:
        """L_p distance to each candidate, in units of the space's scale, (batch, candidates)."""
        return torch.linalg.vector_norm(self._moved().flatten(1), ord=p, dim=1).reshape(self.reached.shape)

    def check(self) -> None:
        """Raise DataError, or an error of the space, if the fields do not fit together."""
        self.space.check(self.inputs)
        shape = self.candidates.shape
        if (shape[0], *shape[2:]) != tuple(self.inputs.shape) or self.reached.shape != shape[:2]:
            raise DataError(f"candidates {tuple(shape)} for inputs {tuple(self.inputs.shape)}")
        if self.reached.dtype != torch.bool or self.answers.shape[:2] != shape[:2]:
            raise DataError("answers are missing for some candidates")
        self._repeated().check(self.candidates.flatten(0, 1))

    @property
    def names(self) -> tuple[str, ...]:
        return self.task.names

    def to_frame(self) -> pd.DataFrame:
        """One row per candidate: example, predictions before and after, whether desired, and what changed."""
        batch, count = self.reached.shape
        return pd.DataFrame(
            {
                "example": torch.arange(batch).repeat_interleave(count).tolist(),
                "given": worded(self.task, to_numpy(self.decided.repeat_interleave(count, 0))),
                "answer": worded(self.task, to_numpy(self.answers.flatten(0, 1))),
                "reached": to_numpy(self.reached.flatten()),
                "changed": to_numpy(self.changed().flatten()),
                "l1": to_numpy(self.distance().flatten()),
            }
        )

    def told(self, index: int) -> str:
        """One example as text: its prediction, that of its best candidate, and what changes."""
        part = self[index]
        before, after = (str(worded(self.task, to_numpy(each))[0]) for each in (part.decided, part.answers[:, 0]))
        if not bool(part.reached[0, 0]):
            return f"{before}: none found"
        changed = drawer(self).told(*self._pair(index), to_numpy(part.moves()[0, 0]))
        features = int(part.changed()[0, 0])
        length = f"{features} feature{'s' * (features != 1)}, L1 {digits(float(part.distance()[0, 0]), 4)}"
        return f"{before} → {after} by {changed} ({length})"

    def plot(self, index: int = 0, ax: "Axes | None" = None) -> "Axes":
        """Plot what the best candidate of one example changes."""
        return drawer(self).attacked(*self._pair(index), to_numpy(self[index].moves()[0, 0]), ax=ax)

    def text(self, index: int) -> str:
        """One example and its best candidate as HTML if the form is text; else empty."""
        return drawer(self).text_diff(*self._pair(index))

    def _pair(self, index: int) -> "tuple[Example, Example]":
        part = self[index]
        return example(part.space, part.inputs), example(part.space, part.candidates[:, 0])

    def _figures(self) -> str:
        return drawn(self)

    def _repeated(self) -> Space:
        """The space of all candidates, grouped by example."""
        rows = torch.arange(len(self)).repeat_interleave(self.reached.shape[1])
        return self.space.of_rows(rows, self.inputs)

    def _moved(self) -> Tensor:
        """The change to each candidate, (batch x candidates, *shape); a missing value is one unit away."""
        origins = self.inputs.repeat_interleave(self.reached.shape[1], 0)
        return self.space.scaled_change(wide(self.candidates.flatten(0, 1)), wide(origins)).nan_to_num(nan=1.0)

    def _in_words(self) -> tuple[str, ...]:
        return (
            f"Counterfactuals of {counted(len(self), 'example')} by {self.method}",
            f"{counted(self.reached.shape[1], 'candidate')} each, "
            f"with another answer for {int(self.found().sum())} of them",
            cost_in_words(self.cost),
        )
