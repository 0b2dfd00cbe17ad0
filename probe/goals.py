"""Goals of attacks: the loss to maximise, and when it is reached. Arrays are numpy's or torch's."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from probe.errors import ContractError, DataError, RangeError, Unsupported
from probe.method import Method, param, required
from probe.task import Task

__all__ = ["Both", "Custom", "Flip", "Goal", "LeastLikely", "Margin", "Shift", "Targeted", "TopK", "Untargeted"]

Answer = Literal["wrong", "target", ""]


@dataclass(frozen=True, kw_only=True)
class Goal(Method, ABC):
    """The goal of an attack.

    Example:
        >>> from probe.attacks import PGD
        >>> from probe.goals import Targeted
        >>> PGD(goal=Targeted(target=2), eps="8/255").goal
        Targeted(target=2)
    """

    family: ClassVar[str] = "goal"
    # Predictions with which it is reached, if and only if: wrong, or the target; "" if only `reached` can tell.
    answer: ClassVar[Answer] = ""
    errs: ClassVar[bool] = True  # whether it is about right and wrong answers, rather than how far an answer moves

    def counted_alone(self, task: Task) -> bool:
        """Whether robustness against it is how seldom it is reached, rather than how often answers stay right."""
        return not (self.errs and task.judges)

    @property
    def aimed(self) -> bool:
        """Whether it uses the targets of a call, as in `attack(model, inputs, labels, targets=...)`."""
        return False

    def aims(self, task: Task, logits: Any, targets: Any) -> Any:
        """The target of each example; None if the goal has no targets.

        `logits` are those before the attack, `targets` those of the caller.
        """
        return targets

    @abstractmethod
    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        """The loss to maximise, one number per row: higher is closer to the goal."""

    @abstractmethod
    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        """Whether each row reaches the goal."""

    def met(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        """Whether each row reaches the goal, (batch,).

        Raises:
            ContractError: if `reached` does not give one bool for each row.
        """
        found = self.reached(task, logits, labels, targets)
        dtype = str(getattr(found, "dtype", type(found).__name__)).removeprefix("torch.")
        shape = tuple(getattr(found, "shape", ()))
        if dtype != "bool" or shape != (len(logits),):
            raise ContractError(
                f"{type(self).__name__}.reached returned {dtype} of shape {shape} for {len(logits)} rows, expected one "
                "bool for each row"
            )
        return found

    def __and__(self, other: "Goal") -> "Goal":
        """Both goals at once."""
        return Both(first=self, second=other)


@dataclass(frozen=True, kw_only=True)
class Untargeted(Goal):
    """Any wrong prediction.

    >>> from probe.attacks import PGD
    >>> PGD().goal
    Untargeted()
    """

    answer: ClassVar[Answer] = "wrong"

    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return task.loss(logits, labels)

    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return task.wrong(logits, labels)


@dataclass(frozen=True, kw_only=True)
class Targeted(Goal):
    """A target class by index or name: `target`, or one per example, as `attack(model, inputs, labels, targets=...)`.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import PGD
    >>> from probe.goals import Targeted
    >>> model = Model(forward=lambda x: x, classes=("cat", "dog", "bird"))
    >>> attack = PGD(goal=Targeted(target="bird"), eps=0.3)
    >>> found = attack(model, torch.tensor([[0.6, 0.5, 0.4]]), torch.tensor([0]))
    >>> found.attacked.predicted, found.success
    (tensor([2]), tensor([True]))
    """

    answer: ClassVar[Answer] = "target"

    target: str | int | None = param(
        None, "index or name of the target class; none: targets= gives one for each example", low=0
    )

    @property
    def named(self) -> bool:
        """Whether the class is named."""
        return isinstance(self.target, str)

    @property
    def aimed(self) -> bool:
        return self.target is None

    def aims(self, task: Task, logits: Any, targets: Any) -> Any:
        if self.target is not None:
            return task.predict(logits) * 0 + (task.class_index(self.target) if self.named else self.target)
        if targets is None:
            raise DataError(
                "Targeted() has no target; write Targeted(target=3), or give targets=, one for each example"
            )
        return targets

    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return -task.loss(logits, targets)

    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return ~task.wrong(logits, targets)


@dataclass(frozen=True, kw_only=True)
class LeastLikely(Goal):
    """The class that is least likely before the attack (Kurakin et al. 2017, arXiv:1611.01236).

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import PGD
    >>> from probe.goals import LeastLikely
    >>> model = Model(forward=lambda x: x, classes=("cat", "dog", "bird"))
    >>> found = PGD(goal=LeastLikely(), eps=0.3)(model, torch.tensor([[0.6, 0.5, 0.4]]), torch.tensor([0]))
    >>> found.targets, found.success
    (tensor([2]), tensor([True]))
    """

    answer: ClassVar[Answer] = "target"

    def aims(self, task: Task, logits: Any, targets: Any) -> Any:
        return task.least_likely(logits)

    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return -task.loss(logits, targets)

    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return ~task.wrong(logits, targets)


@dataclass(frozen=True, kw_only=True)
class Margin(Goal):
    """A wrong prediction, or the target, by a margin of kappa logits (Carlini and Wagner 2017, arXiv:1608.04644).

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import PGD
    >>> from probe.goals import Margin
    >>> model = Model(forward=lambda x: x)
    >>> found = PGD(goal=Margin(kappa=0.3), eps=0.3)(model, torch.tensor([[0.6, 0.5]]), torch.tensor([0]))
    >>> found.attacked.logits.round(decimals=1), found.success
    (tensor([[0.3000, 0.8000]]), tensor([True]))
    """

    kappa: float = param(0.0, "how far the target's logit must exceed the next, in logits", low=0.0)

    @property
    def aimed(self) -> bool:
        return True

    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return task.margin(logits, labels) if targets is None else -task.margin(logits, targets)

    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        decided = task.wrong(logits, labels) if targets is None else ~task.wrong(logits, targets)
        return decided & (self.loss(task, logits, labels, targets) >= self.kappa)


@dataclass(frozen=True, kw_only=True)
class TopK(Goal):
    """The label is no longer among the k most likely classes; with k = 1, any wrong prediction.

    The loss is the k-th largest logit of the other classes minus that of the label, in logits: 0 where the goal begins.
    Withstood measures it: the share of the labels among the k most likely that stay there.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import PGD
    >>> from probe.goals import TopK
    >>> model = Model(forward=lambda x: x, classes=("cat", "dog", "bird"))
    >>> found = PGD(goal=TopK(k=2), eps=0.2)(model, torch.tensor([[0.6, 0.5, 0.4]]), torch.tensor([0]))
    >>> found.attacked.logits.round(decimals=1), found.success
    (tensor([[0.4000, 0.5000, 0.6000]]), tensor([True]))
    """

    errs: ClassVar[bool] = False  # a wrong prediction need not reach it

    k: int = param(5, "number of most likely classes that the label must leave, below that of all classes", low=1)

    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return task.margin(logits, labels, self.k)

    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return task.beyond_top(logits, labels, self.k)


@dataclass(frozen=True, kw_only=True)
class Flip(Goal):
    """A wrong prediction of one of several answers: a label, or the class at a position. The others do not matter.

    Example:
        >>> Flip(of="smiling")
        Flip(of='smiling')
    """

    of: str | int = required("the label by its name, or the number of a label or of a place")

    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        only, there = self._only(task, labels)
        return only.loss(task.alone(logits, only.at), labels[:, only.at] * there) * there

    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        only, there = self._only(task, labels)
        return only.wrong(task.alone(logits, only.at), labels[:, only.at]) & there

    def _only(self, task: Task, labels: Any) -> tuple[Any, Any]:
        """The task of the one answer, and the rows in which it has a label."""
        only: Any = task.only(self.of)
        labelled = task.labelled(labels)
        if only.at >= labelled.shape[1]:
            raise RangeError(f"Flip.of = {self.of}, expected a place from 0 to {labelled.shape[1] - 1}")
        return only, labelled[:, only.at]


@dataclass(frozen=True, kw_only=True)
class Both(Goal):
    """Two goals at once, as in `Targeted(target=2) & Margin(kappa=1)`; their losses are added.

    >>> from probe.goals import Margin, Targeted
    >>> Targeted(target=2) & Margin(kappa=1.0)
    Both(first=Targeted(target=2), second=Margin(kappa=1.0))
    """

    first: Goal = param(Untargeted(), "one of them")
    second: Goal = param(Margin(), "the other")

    @property
    def aimed(self) -> bool:
        return self.first.aimed or self.second.aimed

    def counted_alone(self, task: Task) -> bool:
        return self.first.counted_alone(task) or self.second.counted_alone(task)

    def aims(self, task: Task, logits: Any, targets: Any) -> Any:
        named = [goal.aims(task, logits, targets) for goal in (self.first, self.second)]
        return named[0] if named[0] is not None else named[1]

    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return self.first.loss(task, logits, labels, targets) + self.second.loss(task, logits, labels, targets)

    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        one, other = (goal.reached(task, logits, labels, targets) for goal in (self.first, self.second))
        return one & other


@dataclass(frozen=True, kw_only=True)
class Shift(Goal):
    """Shift the prediction of a regression by an amount.

    Example:
        >>> Shift(by=-5.0)
        Shift(by=-5.0)
    """

    errs: ClassVar[bool] = False

    by: float = required("how far the output must move, in its unit; below 0: downwards")

    def __post_init__(self) -> None:
        """Raise RangeError for a shift by 0."""
        if self.by == 0:
            raise RangeError("by = 0, expected a number above or below 0: 0 is no shift")

    def aims(self, task: Task, logits: Any, targets: Any) -> Any:
        return task.shifted(logits, self.by)

    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        """By how much the prediction is beyond its target; for several outputs, the minimum."""
        return task.beyond(logits, targets, 1 if self.by > 0 else -1)

    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return self.loss(task, logits, labels, targets) >= 0


@dataclass(frozen=True, kw_only=True)
class Custom(Goal):
    """A custom goal: maximise a function of logits, labels and targets until it is above 0.

    Files store only the name of the function: a loaded result has the name and what was reached.

    Example:
        >>> Custom(score=lambda logits, labels, targets: logits[:, 2] - logits[:, 0]).aimed
        True
    """

    score: Callable[[Any, Any, Any], Any] | str = required("one number for each row, above 0 where the goal is reached")

    @property
    def aimed(self) -> bool:
        return True

    def loss(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        if isinstance(self.score, str):
            raise Unsupported(
                f"a saved file keeps the name {self.score} of a function only; write Custom(score=function)"
            )
        return self.score(logits, labels, targets)

    def reached(self, task: Task, logits: Any, labels: Any, targets: Any) -> Any:
        return self.loss(task, logits, labels, targets) > 0
