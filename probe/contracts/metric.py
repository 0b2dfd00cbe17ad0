"""A Metric measures a result: it gathers evidence from each example and reduces it to one number."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from typing import ClassVar, Generic, Literal, TypeVar, final, get_args, get_type_hints

from probe import reductions
from probe.errors import ContractError
from probe.finding import Direction, Lens
from probe.formatting import Unit
from probe.method import Method
from probe.model import Model
from probe.results import Result, Scores
from probe.shapes import Evidence
from probe.statistics import Floats

R = TypeVar("R", bound=Result)


class Metric(Method, ABC, Generic[R]):
    """Gathers evidence from each example of a result and reduces it to one number.

    What it declares is all that an audit, a report and the viewer need to know of it.
    """

    family: ClassVar[str] = "metric"
    lens: ClassVar[Lens]  # the chapter that its number stands in
    unit: ClassVar[Unit] = "number"  # how the number is written
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    reduction: ClassVar[str] = "mean"  # how evidence becomes the number and its interval, of `probe.reductions`
    threshold: ClassVar[float | None] = None  # what an audit asks for unless its plan does; None: nothing
    title: ClassVar[str] = ""  # what its check is called; its name unless given
    columns: ClassVar[tuple[str, ...]] = ("evidence",)  # what the evidence of an example holds

    def __post_init__(self) -> None:
        """Raise ContractError where a class declares what no audit could show."""
        for name, known in (("lens", get_args(Lens)), ("unit", get_args(Unit)), ("better", ("higher", "lower"))):
            if (declared := getattr(self, name, None)) not in known:
                raise ContractError(f"{type(self).__name__}.{name} = {declared!r}, expected one of {', '.join(known)}")

    @abstractmethod
    def measure(self, model: Model, result: R) -> Evidence:
        """Return what each example shows, (batch, ...)."""

    def suits(self, result: R) -> bool:
        """Whether the question makes sense for a result; where it does not, an audit does not ask it."""
        return True

    def notes(self, model: Model) -> Mapping[str, str]:
        """What a finding says besides its numbers: by its status, or under "" whatever that is."""
        return {}

    @property
    def direction(self) -> Direction:
        """The side of a threshold that is asked for."""
        return "at least" if self.better == "higher" else "at most"

    @final
    def reduce(self, evidence: Floats) -> float:
        """Turn the evidence of many examples into one number, as an audit and its verifier do."""
        return reductions.reduction(self.reduction, self.config()).value(evidence)

    @final
    def interval(self, evidence: Floats, level: float = 0.95, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """Interval of `reduce(evidence)`."""
        return reductions.reduction(self.reduction, self.config()).interval(evidence, level, draws, seed)

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

    unit: ClassVar[Unit] = "share"
    reduction: ClassVar[str] = "proportion"
