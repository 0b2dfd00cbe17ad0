"""What metrics and surveys share: how their evidence becomes a number, and how that is written and judged."""

from typing import ClassVar, Literal, final, get_args

from probe import reductions
from probe.errors import ContractError
from probe.finding import Aspect, Direction
from probe.formatting import Unit
from probe.method import Method
from probe.statistics import Floats


class Reducer(Method):
    """What a method declares of its numbers is all that an audit, a report and the viewer need to know of them."""

    aspect: ClassVar[Aspect]  # the chapter that its number stands in
    unit: ClassVar[Unit] = "number"  # how the number is written
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    reduction: ClassVar[str] = "mean"  # how evidence becomes the number and its interval, of `probe.reductions`
    threshold: ClassVar[float | None] = None  # what an audit asks for unless its plan does; None: nothing
    title: ClassVar[str] = ""  # what its check is called; its name unless given

    def __post_init__(self) -> None:
        """Raise ContractError where a class declares what no audit could show."""
        for name, known in (("aspect", get_args(Aspect)), ("unit", get_args(Unit)), ("better", ("higher", "lower"))):
            if (declared := getattr(self, name, None)) not in known:
                raise ContractError(f"{type(self).__name__}.{name} = {declared!r}, expected one of {', '.join(known)}")

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
