"""The result of a metric."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from probe.errors import ShapeError
from probe.formatting import digits
from probe.metering import Usage
from probe.results.base import AnyResult, cost_in_words
from probe.shapes import Evidence
from probe.statistics import Estimate, Floats
from probe.tensors import to_numpy


@runtime_checkable
class Measure(Protocol):
    """The part of a metric that Scores need."""

    columns: ClassVar[tuple[str, ...]]

    def config(self) -> dict[str, Any]: ...
    def reduce(self, evidence: Floats) -> float: ...
    def interval(self, evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]: ...
    def difference(self, one: Floats, other: Floats, level: float, draws: int, seed: int) -> Estimate: ...


@dataclass(frozen=True, eq=False, repr=False)
class Scores(AnyResult):
    """One metric's evidence for every example.

    >>> import torch
    >>> from probe import Dataset, Model, predict
    >>> from probe.metrics import Accuracy
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1))
    >>> data = Dataset(torch.tensor([[0.9], [0.2], [0.6], [0.7]]), torch.tensor([0, 1, 0, 1]))
    >>> scores = Accuracy()(model, predict(model, data))
    >>> scores.value
    0.75
    >>> import pandas as pd
    >>> scores.by(pd.Series(["f", "m", "f", "m"], name="sex"))[["group", "n", "value"]].values.tolist()
    [['f', 2, 1.0], ['m', 2, 0.5]]
    """

    per_row: ClassVar[tuple[str, ...]] = ("evidence",)

    evidence: Evidence
    metric: Measure
    cost: Usage = field(default_factory=Usage)  # of the call that made it, also in a part of it

    @property
    def value(self) -> float:
        """The metric over all examples."""
        return self.metric.reduce(self._array())

    def interval(self, level: float = 0.95, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """Interval of `value`: Wilson's for a proportion, a bootstrap over examples otherwise."""
        return self.metric.interval(self._array(), level, draws, seed)

    def by(self, groups: "pd.Series[Any] | pd.DataFrame", level: float = 0.95) -> pd.DataFrame:
        """The value, its interval and n for each group, and for each combination of several columns."""
        frame = pd.DataFrame(groups).reset_index(drop=True)
        evidence = self._array()
        if len(frame) != len(evidence):
            raise ShapeError(
                f"groups have {len(frame)} rows for {len(evidence)} examples; give the group of each example"
            )
        # Rows with a missing group are counted too, so that the counts add up.
        frame = frame.astype(object).where(frame.notna(), "unknown")
        rows = []
        for key, index in frame.groupby(list(frame.columns), observed=True, sort=True).indices.items():
            part = evidence[index]
            low, high = self.metric.interval(part, level, 1000, 0)
            rows.append((key, len(part), self.metric.reduce(part), low, high))
        return pd.DataFrame(rows, columns=["group", "n", "value", "low", "high"])

    def minus(
        self, other: "Scores", level: float = 0.95, draws: int = 1000, seed: int = 0
    ) -> tuple[float, float, float]:
        """Difference from the same metric of another result on the same examples: value, low, high.

        For a share the interval agrees with McNemar's exact test (`probe.statistics.paired_shares`); for other numbers
        it is a bootstrap.
        """
        mine, theirs = self._array(), other._array()
        if self.metric != other.metric or mine.shape != theirs.shape:
            raise ShapeError(
                f"a paired difference needs the same metric on the same examples, and these are {self.metric} of "
                f"{len(mine)} and {other.metric} of {len(theirs)}; measure both alike"
            )
        difference = self.metric.difference(mine, theirs, level, draws, seed)
        return difference.value, difference.low, difference.high

    def to_frame(self) -> pd.DataFrame:
        """One row per example with the metric's evidence."""
        evidence = self._array().reshape(len(self.evidence), -1)
        return pd.DataFrame(
            evidence, columns=self.metric.columns if len(self.metric.columns) == evidence.shape[1] else None
        )

    def _array(self) -> Floats:
        return to_numpy(self.evidence).astype(np.float64)

    def _in_words(self) -> tuple[str, ...]:
        return f"{self.metric}: {digits(self.value, 4)} over {len(self)} examples", cost_in_words(self.cost)
