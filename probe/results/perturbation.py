"""What an attack did."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, cast

import pandas as pd
import torch
from torch import Tensor

from probe.errors import Unsupported
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

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from probe.plots import Example


@dataclass(frozen=True, eq=False, repr=False)
class Perturbation(AnyResult):
    """Inputs before and after an attack. Inputs that had reached its goal from the start are left as they were.

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
        *("targets", "budget", "success", "forwards", "backwards", "queries"),
    )

    inputs: Inputs
    perturbed: Inputs
    clean: Prediction
    attacked: Prediction
    method: Method
    space: Space
    cost: Usage = field(default_factory=Usage)  # of the call that made it, also in a part of it
    targets: Tensor | None = None  # what each example was to become, where the goal names an answer
    budget: PerExample | None = None  # how far each might be moved, in the unit of the threat
    # Whether each reached the goal by the attack; found in the answers unless given.
    success: Tensor = field(default=cast(Tensor, None))
    forwards: PerExample | None = None  # passes of each example, with its answers before and after
    backwards: PerExample | None = None
    queries: PerExample | None = None  # forward passes that the attack itself asked for

    def __post_init__(self) -> None:
        if self.success is None:
            before, after = (self._reached(answers) for answers in (self.clean, self.attacked))
            object.__setattr__(self, "success", ~before & after)

    @property
    def goal(self) -> Goal:
        """What was climbed, and when it is reached."""
        found = getattr(self.method, "goal", None)
        return found if isinstance(found, Goal) else Untargeted()

    @property
    def threat(self) -> Threat:
        """What could be changed, and how the change is measured."""
        found = getattr(self.method, "threat", None)
        return found if isinstance(found, Threat) else Ball()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty if they were not named."""
        return self.clean.task.names

    @property
    def length(self) -> PerExample:
        """How far each example was moved, in the unit of the threat."""
        return self.threat.length(self.space, self.perturbed, self.inputs)

    def within(self, amount: float | PerExample) -> "Perturbation":
        """What a smaller budget leaves: changes that are longer than that are taken back.

        Of an attack that makes its change as small as it can, this is what it does at that budget; of another, at
        least as much could be reached by running it again.

        Raises:
            Unsupported: where the threat measures nothing, as of a severity.
        """
        length = self.length.double() if self.inputs.device.type != "mps" else self.length
        if bool(length.isnan().any()):
            raise Unsupported(
                f"how far {self.method} moved its inputs is not measured in {self.threat.unit}; run it at each budget"
            )
        return self.where(length <= amount)

    def where(self, kept: Tensor) -> "Perturbation":
        """The same, with the inputs of all other examples taken back."""
        attacked = torch.where(column(kept, self.clean.logits), self.attacked.logits, self.clean.logits)
        return replace(
            self,
            perturbed=torch.where(column(kept, self.inputs), self.perturbed, self.inputs),
            attacked=replace(self.attacked, logits=attacked),
            success=self.success & kept,
        )

    def _reached(self, answers: Prediction) -> Tensor:
        reached: Tensor = self.goal.reached(answers.task, answers.logits, answers.labels, self.targets)
        return reached

    def distance(self, p: float = torch.inf) -> PerExample:
        """L_p length of each perturbation, in the unit of the space's scale; at p = 0 how many coordinates changed."""
        moved = self.space.scaled_change(wide(self.perturbed), wide(self.inputs))
        length: Tensor = torch.linalg.vector_norm(moved.flatten(1), ord=p, dim=1)
        return length

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
        """Draw what was changed of one example, as its form is drawn."""
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
            f"Perturbation of {len(self)} examples by {self.method}",
            told,
            f"inputs {tuple(self.inputs.shape)} {dtype_name(self.inputs)}",
            cost_in_words(self.cost),
        )
