"""Findings: a check, its estimate with an interval, and the status that follows."""

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal, NamedTuple

from probe.formatting import NOT_MEASURED, UNDEFINED, Measured, Unit, count, estimate, threshold
from probe.statistics import Estimate

Status = Literal["pass", "fail", "inconclusive", "not run", "error"]
Direction = Literal["at least", "at most"]
About = Literal["model", "explanation", "attack"]
Aspect = Literal["performance", "explanation", "robustness", "bias"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check and its outcome. Numbers that are not defined are None, never 0."""

    aspect: str  # performance, explanation, robustness, bias
    check: str  # the check, in a few words
    status: Status
    about: About = "model"  # what it is about: the model, or the reliability of a method
    estimate: float | None = None
    low: float | None = None  # of the 95 % interval
    high: float | None = None
    n: int | None = None  # examples behind the estimate
    threshold: float | None = None
    direction: Direction = "at least"
    unit: Unit = "share"  # unit of estimate, interval and threshold
    step: str = ""  # the step with its evidence; empty if there are several
    metric: str = ""  # the metric that was compared with the threshold
    method: str = ""  # how it was measured, with its settings
    seed: int | None = None
    note: str = ""  # basis of the status, or why it was not run

    def __post_init__(self) -> None:
        for name in ("estimate", "low", "high", "threshold"):
            value = getattr(self, name)
            if value is not None and not isfinite(value):
                object.__setattr__(self, name, None)

    def written(self) -> "Line":
        """The formatted numbers, the same on every page and table."""
        measured = estimate(self.estimate, self.low, self.high, self.unit)
        asked = threshold(self.threshold, self.direction, self.unit)
        if measured.value == UNDEFINED and (not asked or self.status in ("not run", "error")):
            measured = Measured(NOT_MEASURED, "")
        return Line(measured, asked, count(self.n))

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


class Line(NamedTuple):
    """The formatted numbers of a finding; empty if there are none."""

    estimate: Measured
    threshold: str
    n: str


@dataclass(frozen=True)
class Threshold:
    """The value that an estimate is compared with."""

    value: float
    direction: Direction


def check(aspect: str, name: str, estimate: Estimate, threshold: Threshold, **details: Any) -> Finding:
    """The finding for an estimate; `details` are further fields: unit, method, seed, note."""
    return Finding(
        aspect=aspect,
        check=name,
        status=judge(estimate.low, estimate.high, threshold.value, threshold.direction),
        estimate=estimate.value,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        threshold=threshold.value,
        direction=threshold.direction,
        **details,
    )


def judge(low: float | None, high: float | None, threshold: float, direction: Direction) -> Status:
    """Compare an interval with a threshold: it is conclusive only if it is entirely on one side."""
    if low is None or high is None or not (isfinite(low) and isfinite(high)):
        return "inconclusive"
    if direction == "at least":
        return "pass" if low >= threshold else "fail" if high < threshold else "inconclusive"
    return "pass" if high <= threshold else "fail" if low > threshold else "inconclusive"
