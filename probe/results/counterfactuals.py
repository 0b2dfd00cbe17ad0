"""Inputs that get another answer."""

from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor

from probe.errors import DataError
from probe.metering import Usage
from probe.method import Method
from probe.results.base import AnyResult, cost_in_words, worded
from probe.shapes import Candidates, Evidence, Inputs, Labels
from probe.space import Space
from probe.task import Classification, Task
from probe.tensors import to_numpy, wide


@dataclass(frozen=True, eq=False, repr=False)
class Counterfactuals(AnyResult):
    """Candidates for each input, the best first, and whether the model answers them as was wanted.

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
    decided: Labels  # what is answered to each input
    answers: Tensor  # what is answered to each candidate, (batch, candidates, ...)
    reached: Tensor  # whether that is what was wanted, (batch, candidates)
    method: Method
    space: Space
    task: Task = field(default_factory=Classification)
    cost: Usage = field(default_factory=Usage)  # of the call that made it, also in a part of it

    def found(self) -> Tensor:
        """True where one candidate at least is answered as was wanted, (batch,)."""
        return self.reached.any(1)

    def changed(self) -> Tensor:
        """How many features of each candidate differ from the input, (batch, candidates)."""
        moved = (self._moved() != 0).to(torch.get_default_dtype())
        return (self.space.by_feature(moved) > 0).sum(1).reshape(self.reached.shape)

    def distance(self, p: float = 1.0) -> Evidence:
        """L_p length of the way to each candidate, in the unit of the space's scale, (batch, candidates)."""
        return torch.linalg.vector_norm(self._moved().flatten(1), ord=p, dim=1).reshape(self.reached.shape)

    def check(self) -> None:
        """Raise DataError, or what the space raises, where its parts do not belong together."""
        self.space.check(self.inputs)
        shape = self.candidates.shape
        if (shape[0], *shape[2:]) != tuple(self.inputs.shape) or self.reached.shape != shape[:2]:
            raise DataError(f"candidates {tuple(shape)} for inputs {tuple(self.inputs.shape)}")
        if self.reached.dtype != torch.bool or self.answers.shape[:2] != shape[:2]:
            raise DataError("what is answered to the candidates is not there for each")
        self.space.check(self.candidates.flatten(0, 1))

    def to_frame(self) -> pd.DataFrame:
        """One row per candidate: its example, the answers before and after, whether it was wanted, and what changed."""
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

    def _moved(self) -> Tensor:
        """The way to each candidate, (batch x candidates, *shape)."""
        origins = self.inputs.repeat_interleave(self.reached.shape[1], 0)
        return self.space.scaled_change(wide(self.candidates.flatten(0, 1)), wide(origins))

    def _in_words(self) -> tuple[str, ...]:
        return (
            f"Counterfactuals of {len(self)} examples by {self.method}",
            f"{self.reached.shape[1]} candidates each, with another answer for {int(self.found().sum())} of them",
            cost_in_words(self.cost),
        )
