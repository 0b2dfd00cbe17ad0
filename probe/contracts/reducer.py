"""Shared by metrics and surveys: how evidence becomes a number, and how that is written and judged."""

from typing import ClassVar, Literal, final, get_args

from probe import reductions
from probe.errors import ContractError
from probe.finding import Aspect, Direction
from probe.formatting import Unit
from probe.method import Method
from probe.statistics import Estimate, Floats


class Reducer(Method):
    """A method that reduces evidence to numbers. Audit, report and viewer know only what is declared here."""

    aspect: ClassVar[Aspect]  # the chapter of its number
    unit: ClassVar[Unit] = "number"  # how the number is written
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    reduction: ClassVar[str] = (
        "mean"  # the reduction of `probe.reductions` that turns evidence into the number and its interval
    )
    threshold: ClassVar[float | None] = None  # the default threshold of an audit; None: no check
    title: ClassVar[str] = ""  # the name of its check; the method's name unless given

    def __post_init__(self) -> None:
        """Raise ContractError if a class declares an unknown aspect, unit or direction."""
        for name, known in (("aspect", get_args(Aspect)), ("unit", get_args(Unit)), ("better", ("higher", "lower"))):
            if (declared := getattr(self, name, None)) not in known:
                raise ContractError(f"{type(self).__name__}.{name} = {declared!r}, expected one of {', '.join(known)}")

    @property
    def direction(self) -> Direction:
        """The passing side of a threshold."""
        return "at least" if self.better == "higher" else "at most"

    @final
    def reduce(self, evidence: Floats) -> float:
        """Turn the evidence of many examples into one number, as an audit and its verifier do."""
        return reductions.reduction(self.reduction, self.config()).value(evidence)

    @final
    def interval(self, evidence: Floats, level: float = 0.95, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """The confidence interval of `reduce(evidence)`."""
        return reductions.reduction(self.reduction, self.config()).interval(evidence, level, draws, seed)

    @final
    def difference(self, one: Floats, other: Floats, level: float = 0.95, draws: int = 1000, seed: int = 0) -> Estimate:
        """`reduce(one) - reduce(other)` of the same rows, with its interval."""
        return reductions.reduction(self.reduction, self.config()).difference(one, other, level, draws, seed)
