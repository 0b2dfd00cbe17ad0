"""How often an attack reaches its goal."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from probe.contracts import Proportion
from probe.finding import Aspect
from probe.model import Model
from probe.results import Perturbation
from probe.shapes import Evidence


@dataclass(frozen=True, kw_only=True)
class GoalReached(Proportion[Perturbation]):
    """Share of examples that the attack moved to its goal, in [0, 1]; lower is better.

    Examples that had reached the goal before the attack are not counted as moved. The value is a lower bound: a
    stronger attack can only raise it.

    >>> import torch
    >>> from probe import Model, Regression
    >>> from probe.attacks import PGD
    >>> from probe.goals import Shift
    >>> from probe.metrics import GoalReached
    >>> model = Model(forward=lambda x: x.sum(1), task=Regression(("price",)))
    >>> attacked = PGD(goal=Shift(by=0.3), eps=0.2)(model, torch.tensor([[0.5, 0.5], [0.9, 1.0]]), torch.zeros(2))
    >>> GoalReached()(model, attacked).value
    0.5
    """

    aspect: ClassVar[Aspect] = "robustness"
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    columns: ClassVar[tuple[str, ...]] = ("reached",)

    def measure(self, model: Model, result: Perturbation) -> Evidence:
        return result.success.to(torch.get_default_dtype())
