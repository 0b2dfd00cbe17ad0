"""How often an attack reaches its goal."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from probe.contracts import Proportion
from probe.contracts.metric import Follows
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
    follows: ClassVar[Follows] = "wholly"
    better: ClassVar[Literal["higher", "lower"]] = "lower"
    columns: ClassVar[tuple[str, ...]] = ("reached",)

    def measure(self, model: Model, result: Perturbation) -> Evidence:
        _, moved = reached(model, result)
        return moved.to(torch.get_default_dtype())


def reached(model: Model, result: Perturbation) -> tuple[Tensor, Tensor]:
    """Whether each example had reached the goal before the attack, and whether the attack moved it there."""
    clean, goal = result.clean, result.goal
    if result.attacked.known and result.attacked.is_of(model):
        return goal.met(clean.task, clean.logits, clean.labels, result.targets), result.success
    inputs = [model.check(each) for each in (result.inputs, result.perturbed)]
    labels = model.check_labels(clean.labels, inputs[0])
    before, after = (goal.met(model.task, model.logits(each), labels, result.targets) for each in inputs)
    return before, ~before & after
