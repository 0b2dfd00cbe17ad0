"""How often an attack does not reach its goal."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from probe.contracts import Metric
from probe.contracts.metric import Follows
from probe.finding import Aspect
from probe.formatting import Unit
from probe.metrics.goal import reached
from probe.model import Model
from probe.results import Perturbation
from probe.shapes import Evidence


@dataclass(frozen=True, kw_only=True)
class Withstood(Metric[Perturbation]):
    """Share of examples that the attack could not move to its goal, in [0, 1]; higher is better.

    Examples that had reached the goal before the attack are not counted. It is for goals that are not about right and
    wrong answers, such as Shift; for others there is RobustAccuracy. A model other than the attacked one is evaluated
    on both inputs, which measures transfer. The value is an upper bound: a stronger attack can only lower it.

    >>> import torch
    >>> from probe import Model, Regression
    >>> from probe.attacks import PGD
    >>> from probe.goals import Shift
    >>> from probe.metrics import Withstood
    >>> model = Model(forward=lambda x: x.sum(1), task=Regression(("price",)))
    >>> attacked = PGD(goal=Shift(by=0.3), eps=0.2)(model, torch.tensor([[0.5, 0.5], [0.9, 1.0]]), torch.zeros(2))
    >>> Withstood()(model, attacked).value
    0.5
    """

    aspect: ClassVar[Aspect] = "robustness"
    follows: ClassVar[Follows] = "wholly"
    unit: ClassVar[Unit] = "share"
    reduction: ClassVar[str] = "proportion of those counted"
    threshold: ClassVar[float | None] = 0.5
    columns: ClassVar[tuple[str, ...]] = ("withstood", "counted")

    def suits(self, result: Perturbation) -> bool:
        return result.goal.counted_alone(result.clean.task)

    def measure(self, model: Model, result: Perturbation) -> Evidence:
        before, moved = reached(model, result)
        return torch.stack([~before & ~moved, ~before], 1).to(torch.get_default_dtype())
