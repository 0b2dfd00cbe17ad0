"""A Metric measures a result: it gathers evidence from each example and reduces it to one number."""

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import replace
from typing import ClassVar, Generic, TypeVar, final, get_type_hints

from probe.method import Method
from probe.model import Model
from probe.reductions import MEAN, PROPORTION, REDUCTIONS, Reduction
from probe.results import Result, Scores
from probe.shapes import Evidence
from probe.statistics import Floats

R = TypeVar("R", bound=Result)


class Metric(Method, ABC, Generic[R]):
    """Gathers evidence from each example of a result and reduces it to one number."""

    family: ClassVar[str] = "metric"
    columns: ClassVar[tuple[str, ...]] = ("evidence",)  # what the evidence of an example holds

    @abstractmethod
    def measure(self, model: Model, result: R) -> Evidence:
        """Return what each example shows, (batch, ...)."""

    def reduction(self) -> Reduction:
        """How the evidence of many examples becomes one number with an interval; audits reduce theirs by the same."""
        return REDUCTIONS.get(self.name(), MEAN)

    def reduce(self, evidence: Floats) -> float:
        """Turn the evidence of many examples into one number: the mean, unless a metric says otherwise."""
        return self.reduction().value(evidence)

    def interval(self, evidence: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
        """Interval of `reduce(evidence)`: a percentile bootstrap over examples, unless a metric knows better."""
        return replace(self.reduction(), value=self.reduce).interval(evidence, level, draws, seed)

    @classmethod
    def reads(cls) -> type[Result]:
        """The kind of result that `measure` is annotated to take."""
        return get_type_hints(cls.measure)["result"]

    @final
    def __call__(self, model: Model, result: R) -> Scores:
        """Measure a result."""
        if not isinstance(result, self.reads()):
            raise TypeError(f"{self} reads {self.reads().__name__}, got {type(result).__name__}")
        before = copy(model.usage)
        return Scores(self.measure(model, result).detach(), self, model.usage - before)


class Proportion(Metric[R], ABC):
    """A metric whose evidence is 0 or 1 for each example, so that its interval is Wilson's."""

    def reduction(self) -> Reduction:
        return PROPORTION
