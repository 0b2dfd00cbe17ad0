"""A metric of explanations."""

from dataclasses import dataclass
from typing import ClassVar

from probe.contracts import Metric
from probe.finding import Aspect
from probe.model import Model
from probe.results import Attribution
from probe.shapes import Evidence


@dataclass(frozen=True, kw_only=True)
class LargestShare(Metric[Attribution]):
    """The share of the largest value in the sizes of all; higher is better, 1 a single feature."""

    aspect: ClassVar[Aspect] = "explanation"

    def measure(self, model: Model, result: Attribution) -> Evidence:
        sizes = result.by_feature().abs()
        return sizes.max(1).values / sizes.sum(1).clamp(min=1e-12)
