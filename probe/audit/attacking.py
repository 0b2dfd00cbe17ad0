"""At which of some radii each example falls, and whether an attack could change it at all."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from probe.attacks.ball import place
from probe.attacks.norms import NORMS
from probe.contracts import Attack
from probe.model import Model
from probe.shapes import Inputs, Labels
from probe.space import Space
from probe.task import Task
from probe.tensors import rows_per_pass, spans, wide

Tick = Callable[[int], None]  # told how many more examples are done


@dataclass(frozen=True)
class Fallen:
    """What an attack did to each example at growing radii."""

    clean: Labels  # the answer without an attack
    least: Labels  # the number of the smallest radius at which an example fell; beyond all where none did
    answers: Labels  # the answer at that radius; the clean one where there is none
    points: Inputs  # the attacked input at that radius; the input itself where there is none
    sure: Tensor  # the probability of that answer, (batch,)
    sure_before: Tensor  # and of the clean one


def smallest_radii(
    attack: Attack, radii: tuple[str, ...], model: Model, inputs: Inputs, labels: Labels, tick: Tick
) -> Fallen:
    """The smallest of some growing radii at which an attack breaks each example that is right to begin with.

    What falls at a radius has fallen at all larger ones, as its point lies in their balls too. What stands at a radius
    is not attacked at smaller ones, whose points that attack could have reached. So the radii of each example are
    bisected. An attack that fails in a ball may have succeeded in a smaller one: then an example counts as standing
    that would have fallen had every radius been tried.
    """
    logits = model.logits(model.check(inputs))
    clean, labels = model.decide(logits).cpu(), labels.cpu()
    sure_before = _probability(model.task, logits.cpu(), clean)
    least, answers, points = torch.full((len(inputs),), len(radii)), clean.clone(), inputs.clone()
    sure = sure_before.clone()
    waiting, asked = [(0, len(radii), (clean == labels).nonzero()[:, 0])], 0
    while waiting:
        low, high, rows = waiting.pop()
        if low == high or len(rows) == 0:
            continue
        middle = (low + high) // 2
        fell = torch.zeros(len(rows), dtype=torch.bool)
        for part in spans(len(rows), max(100, rows_per_pass(inputs))):
            chosen = rows[part]
            result = at_radius(attack, radii[middle])(model, inputs[chosen], labels[chosen])
            answered = result.attacked.predicted.cpu()
            fell[part] = answered != labels[chosen]
            # Radii at which an example falls come in falling order, so that the last is the smallest.
            down = chosen[fell[part]]
            answers[down], points[down] = answered[fell[part]], result.perturbed.to(points)[fell[part]]
            sure[down] = _probability(model.task, result.attacked.logits.cpu()[fell[part]], answers[down])
            asked += len(chosen)
            tick(len(chosen))
        least[rows[fell]] = middle
        waiting += [(low, middle, rows[fell]), (middle + 1, high, rows[~fell])]
    tick(len(inputs) * len(radii) - asked)
    return Fallen(clean, least, answers, points, sure, sure_before)


def could_move(attack: Attack, space: Space, inputs: Inputs) -> Tensor:
    """Whether the ball of an attack holds another input than each example itself that the space admits, (batch,)."""
    p, radius = attack.radius()
    allowed = space.movable(inputs)
    if p:
        step = torch.full_like(wide(inputs), radius)
        # As attacks place their points: what the precision of the inputs rounds back to its origin has not moved.
        points = [place(space, inputs, change, NORMS["linf"], radius) for change in (step, -step)]
        allowed = torch.stack([point != inputs for point in points]).any(0) & ~inputs.isnan()
    elif space.form_of(inputs) == "graph":
        # An edge is two places, and both must be free.
        nodes = allowed.shape[1]
        adjacency = allowed[:, :, :nodes] & ~torch.eye(nodes, dtype=torch.bool, device=allowed.device)
        allowed = adjacency & adjacency.mT
    elif space.form_of(inputs) == "tokens" and int(space.ordinary(space.tokens(inputs)).sum()) < 2:
        allowed = torch.zeros_like(allowed)
    return (allowed.flatten(1).any(1) & (radius > 0)).cpu()


def _probability(task: Task, logits: Tensor, answers: Labels) -> Tensor:
    sure: Tensor = task.pick(task.probabilities(logits.float()), answers)
    return sure


def at_radius(attack: Attack, eps: str) -> Attack:
    """The same attack at another radius; a plan admits only attacks that have one."""
    settings: dict[str, Any] = {"eps": eps}
    return replace(attack, **settings)
