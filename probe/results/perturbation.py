"""The result of an attack."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, cast

import pandas as pd
import torch
from torch import Tensor

from probe.errors import Unsupported
from probe.formatting import counted
from probe.goals import Goal, Untargeted
from probe.metering import Usage
from probe.method import Method
from probe.results.base import AnyResult, cost_in_words, dtype_name, worded
from probe.results.drawing import drawer, drawn, example
from probe.results.prediction import Prediction
from probe.shapes import Inputs, PerExample
from probe.space import Space
from probe.tensors import column, to_numpy, wide
from probe.threats import Ball, Threat
from probe.units import in_units

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from probe.plots import Example


@dataclass(frozen=True, eq=False, repr=False)
class Perturbation(AnyResult):
    """Inputs before and after an attack. Inputs that reach the goal from the start are not changed.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import FGSM
    >>> model = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
    >>> found = FGSM(eps=0.2)(model, torch.tensor([[0.6], [0.9]]), torch.tensor([0, 0]))
    >>> found.success, found.distance().round(decimals=2)
    (tensor([ True, False]), tensor([0.2000, 0.2000]))
    >>> found.to_frame()[["label", "clean", "attacked"]].to_dict("list")
    {'label': ['high', 'high'], 'clean': ['high', 'high'], 'attacked': ['low', 'high']}
    """

    per_row: ClassVar[tuple[str, ...]] = (
        *("inputs", "perturbed", "clean", "attacked"),
        *("targets", "budget", "success", "forwards", "backwards", "queries", "unconfirmed"),
    )

    inputs: Inputs
    perturbed: Inputs
    clean: Prediction
    attacked: Prediction
    method: Method
    space: Space
    cost: Usage = field(default_factory=Usage)  # of the call that made it, also in a part of it
    targets: Tensor | None = None  # the target of each example, for targeted goals
    budget: PerExample | None = None  # the budget of each example, in the unit of the threat
    # Whether each example reached the goal by the attack; computed from the outputs unless given.
    success: Tensor = field(default=cast(Tensor, None))
    forwards: PerExample | None = None  # passes of each example, including its outputs before and after
    backwards: PerExample | None = None
    queries: PerExample | None = None  # forward passes by the attack itself
    unconfirmed: Tensor | None = (
        None  # whether a search in half precision reached the goal where the model itself did not
    )

    def __post_init__(self) -> None:
        if self.success is None:
            before, after = (self._reached(answers) for answers in (self.clean, self.attacked))
            object.__setattr__(self, "success", ~before & after)

    @property
    def goal(self) -> Goal:
        """The goal of the attack: what it maximises, and when it is reached."""
        found = getattr(self.method, "goal", None)
        return found if isinstance(found, Goal) else Untargeted()

    @property
    def threat(self) -> Threat:
        """The threat model: what may change, and how the change is measured."""
        found = getattr(self.method, "threat", None)
        return found if isinstance(found, Threat) else Ball()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty if they were not named."""
        return self.clean.task.names

    @property
    def length(self) -> PerExample:
        """The size of each example's change, in the unit of the threat."""
        return self.threat.length(self.space, self.perturbed, self.inputs)

    @property
    def needed(self) -> PerExample:
        """The size of the change that reached the goal: 0 where none was needed, infinity where it was not reached."""
        length = torch.where(self.success, self.length, torch.inf)
        return torch.where(self._reached(self.clean), torch.zeros_like(length), length)

    def within(self, amount: float | PerExample) -> "Perturbation":
        """The result at a smaller budget: larger changes are undone.

        For an attack that minimises its change, this is its result at that budget. For any other, running it again at
        that budget could reach the goal for more examples.

        Raises:
            Unsupported: if the threat does not measure changes, such as a severity.
        """
        length = self.length.double() if self.inputs.device.type != "mps" else self.length
        if bool(length.isnan().any()):
            raise Unsupported(
                f"how far {self.method} moved its inputs is not measured in {self.threat.unit}; run it at each budget"
            )
        return self.where(length <= amount)

    def where(self, kept: Tensor) -> "Perturbation":
        """The result with the changes of all other examples undone."""
        attacked = torch.where(column(kept, self.clean.logits), self.attacked.logits, self.clean.logits)
        return replace(
            self,
            perturbed=torch.where(column(kept, self.inputs), self.perturbed, self.inputs),
            attacked=replace(self.attacked, logits=attacked),
            success=self.success & kept,
        )

    def _reached(self, answers: Prediction) -> Tensor:
        reached: Tensor = self.goal.met(answers.task, answers.logits, answers.labels, self.targets)
        return reached

    def distance(self, p: float = torch.inf) -> PerExample:
        """L_p norm of each perturbation, in units of the space's scale; p = 0 counts changed coordinates."""
        moved = self.space.scaled_change(wide(self.perturbed), wide(self.inputs))
        length: Tensor = torch.linalg.vector_norm(moved.flatten(1), ord=p, dim=1)
        return length

    @property
    def names(self) -> tuple[str, ...]:
        return self.clean.task.names

    def to_frame(self) -> pd.DataFrame:
        """One row per example: label, prediction before and after, success, size of the change."""
        sizes = self.space.form_of(self.inputs).lengths
        return pd.DataFrame(
            {
                name: worded(self.clean.task, to_numpy(decided))
                for name, decided in {
                    "label": self.clean.labels,
                    "clean": self.clean.predicted,
                    "attacked": self.attacked.predicted,
                    **({} if self.targets is None else {"target": self.targets}),
                }.items()
            }
            | {"success": to_numpy(self.success)}
            | {name: to_numpy(self.distance(p)) for name, p in sizes.items()}
        )

    def plot(self, index: int = 0, ax: "Axes | None" = None) -> "Axes":
        """Plot what changed in one example."""
        before, after = self._pair(index)
        part = self[index]
        moved = part.space.by_feature(part.space.scaled_change(part.perturbed, part.inputs))[0]
        return drawer(self).attacked(before, after, to_numpy(moved), ax=ax)

    def text(self, index: int) -> str:
        """One example as HTML, where its form reads as text; else empty."""
        return drawer(self).text_diff(*self._pair(index))

    def _pair(self, index: int) -> "tuple[Example, Example]":
        part = self[index]
        return example(part.space, part.inputs), example(part.space, part.perturbed)

    def _figures(self) -> str:
        return drawn(self)

    def _in_words(self) -> tuple[str, ...]:
        broken = int(self.success.sum())
        told = f"{broken} reached the goal {self.goal}"
        if self.goal.answer == "wrong":
            told = f"{int((~self._reached(self.clean)).sum())} right before, {broken} of them wrong after"
        return (
            f"Perturbation of {counted(len(self), 'example')} by {self.method}",
            *self._radius(),
            told,
            *self._lost(),
            f"inputs {tuple(self.inputs.shape)} {dtype_name(self.inputs)}",
            cost_in_words(self.cost),
        )

    def _radius(self) -> tuple[str, ...]:
        """The radius of the ball in every unit that the space has, where there is one."""
        if not isinstance(self.threat, Ball) or self.budget is None or not len(self):
            return ()
        least, most = float(self.budget.min()), float(self.budget.max())
        if least != most or most == torch.inf:
            return ()
        return (f"eps {in_units(most, self.space, self.inputs)}",)

    def _lost(self) -> tuple[str, ...]:
        lost = 0 if self.unconfirmed is None else int(self.unconfirmed.sum())
        return (f"{lost} reached it in half precision only, which was not confirmed",) if lost else ()
