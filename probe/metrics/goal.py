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

    Examples that had reached the goal before the attack are not counted as moved. A model other than the attacked one
    is evaluated on both inputs, which measures transfer. The value is a lower bound: a stronger attack can only raise
    it.

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
        if result.attacked.known and result.attacked.is_of(model):
            return result.success.to(torch.get_default_dtype())
        before, after = (model.check(each) for each in (result.inputs, result.perturbed))
        labels = model.check_labels(result.clean.labels, before)
        done, reached = (
            result.goal.met(model.task, model.logits(each), labels, result.targets) for each in (before, after)
        )
        return (~done & reached).to(torch.get_default_dtype())
