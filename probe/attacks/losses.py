"""Losses that gradient attacks can climb instead of the goal's own; what reaches the goal stays the goal's."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from torch import Tensor

from probe.contracts import Aim
from probe.errors import Unsupported
from probe.task import Task
from probe.task.arrays import entry, largest, others, wide

Loss = Literal["goal", "margin", "dlr", "probability"]


def climbing(aim: Aim, name: Loss) -> Aim:
    """The aim with one of the losses.

    - goal: the goal's own. Of a wrong class it is the log-odds of an error, whose steps are those of cross-entropy.
    - margin: the logit that is wanted minus the one that is not.
    - dlr: the margin, divided by a difference of sorted logits, so that it does not depend on the scale of logits
      (Croce and Hein 2020, arXiv:2003.01690). Without a target it takes three classes, with one four.
    - probability: the margin of probabilities (Xie et al. 2024, arXiv:2411.15210).

    Raises:
        Unsupported: if the loss does not suit the goal or the task.
    """
    if name == "goal":
        return aim
    if not (aim.goal.answer and aim.model.task.one_class):
        raise Unsupported(
            f"loss = {name!r} is one between a class and the others, and the goal is {aim.goal} of "
            f"{type(aim.model.task).__name__}; write loss='goal', which climbs the goal's own"
        )
    return replace(aim, loss=_LOSSES[name])


def towards(aim: Aim, targets: Tensor, name: Literal["margin", "dlr"] = "margin") -> Aim:
    """The aim that climbs the margin of one class for each example over its label; other classes do not count.

    With "dlr" the margin is divided by a difference of sorted logits, as in `climbing`. It is for goals that ask for
    any wrong class, so that what reaches the goal does not depend on the targets.
    """
    return replace(aim, targets=targets, loss=_over_label if name == "margin" else _dlr)


def _over_label(task: Task, logits: Any, labels: Any, targets: Any) -> Any:
    return entry(wide(logits), targets) - entry(wide(logits), labels)


def _margin(task: Task, logits: Any, labels: Any, targets: Any) -> Any:
    return task.margin(logits, labels) if targets is None else -task.margin(logits, targets)


def _dlr(task: Task, logits: Any, labels: Any, targets: Any) -> Any:
    logits = wide(logits)
    classes, needed = logits.shape[-1], 3 if targets is None else 4
    if classes < needed:
        raise Unsupported(
            f"loss = 'dlr' compares {needed} logits and the model has {classes} classes; write loss='margin'"
        )
    ranked = logits.sort(-1, descending=True).values
    if targets is None:
        rise, spread = largest(others(logits, labels)) - entry(logits, labels), ranked[..., 0] - ranked[..., 2]
    else:
        rise = entry(logits, targets) - entry(logits, labels)
        spread = ranked[..., 0] - (ranked[..., 2] + ranked[..., 3]) / 2
    return rise / (spread + 1e-12)


def _probability(task: Task, logits: Any, labels: Any, targets: Any) -> Any:
    shares = task.probabilities(wide(logits))
    if targets is None:
        return largest(others(shares, labels)) - entry(shares, labels)
    return entry(shares, targets) - largest(others(shares, targets))


_LOSSES: Mapping[str, Callable[[Task, Any, Any, Any], Any]] = {
    "margin": _margin,
    "dlr": _dlr,
    "probability": _probability,
}
