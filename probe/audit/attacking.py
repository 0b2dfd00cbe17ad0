"""At which of some radii each example falls."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from probe.contracts import Attack
from probe.model import Model
from probe.results import Perturbation, Prediction
from probe.shapes import Inputs, Labels, Logits
from probe.task import Task
from probe.tensors import column, rows_per_pass, spans

Tick = Callable[[int], None]  # told how many more examples are done


@dataclass(frozen=True)
class Fallen:
    """What an attack did to each example at growing radii."""

    clean: Labels  # the answer without an attack
    least: Labels  # the number of the smallest radius at which an example fell; beyond all where none did
    answers: Labels  # the answer at that radius; the clean one where there is none
    points: Inputs  # the attacked input at that radius; the input itself where there is none
    right: Tensor  # whether each answer was right without an attack, (batch,)
    sure: Tensor | None  # the probability of the answer at that radius, (batch,); None where answers have none
    sure_before: Tensor | None  # and of the clean one
    before: Prediction  # what was answered without an attack
    logits: Logits  # at that radius; the clean ones where there is none

    def at(self, k: int, attack: Attack, model: Model, inputs: Inputs) -> Perturbation:
        """What the attack did at the radius of that number; `attack` has it."""
        fell = self.least <= k
        moved = torch.where(column(fell, inputs).to(inputs.device), self.points.to(inputs), inputs)
        where = column(fell, self.logits).to(self.before.logits.device)
        logits = torch.where(where, self.logits.to(self.before.logits), self.before.logits)
        return Perturbation(inputs, moved, self.before, replace(self.before, logits=logits), attack, model.space)


def smallest_radii(
    attack: Attack, radii: tuple[str, ...], model: Model, inputs: Inputs, labels: Labels, tick: Tick
) -> Fallen:
    """The smallest of some growing radii at which an attack breaks each example that is right to begin with.

    What falls at a radius has fallen at all larger ones, as its point lies in their balls too. What stands at a radius
    is not attacked at smaller ones, whose points that attack could have reached. So the radii of each example are
    bisected. An attack that fails in a ball may have succeeded in a smaller one: then an example counts as standing
    that would have fallen had every radius been tried.
    """
    given = model.check(inputs)
    before = Prediction.of(model, given, model.check_labels(labels, given))
    logits = before.logits.cpu().clone()
    clean, labels = before.predicted.cpu(), labels.cpu()
    right = ~model.task.wrong(before.logits, before.labels).cpu()
    sure_before = _probability(model.task, logits, clean)
    least, answers, points = torch.full((len(inputs),), len(radii)), clean.clone(), inputs.clone()
    sure = None if sure_before is None else sure_before.clone()
    waiting, asked = [(0, len(radii), right.nonzero()[:, 0])], 0
    while waiting:
        low, high, rows = waiting.pop()
        if low == high or len(rows) == 0:
            continue
        middle = (low + high) // 2
        fell = torch.zeros(len(rows), dtype=torch.bool)
        for part in spans(len(rows), max(100, rows_per_pass(inputs))):
            chosen = rows[part]
            result = attack.at(radii[middle])(model, inputs[chosen], labels[chosen])
            answered = result.attacked.predicted.cpu()
            fell[part] = model.task.differs(answered, labels[chosen])
            # Radii at which an example falls come in falling order, so that the last is the smallest.
            down = chosen[fell[part]]
            answers[down], points[down] = answered[fell[part]], result.perturbed.to(points)[fell[part]]
            logits[down] = result.attacked.logits.cpu()[fell[part]]
            now = _probability(model.task, result.attacked.logits.cpu()[fell[part]], answers[down])
            if sure is not None and now is not None:
                sure[down] = now
            asked += len(chosen)
            tick(len(chosen))
        least[rows[fell]] = middle
        waiting += [(low, middle, rows[fell]), (middle + 1, high, rows[~fell])]
    tick(len(inputs) * len(radii) - asked)
    return Fallen(clean, least, answers, points, right, sure, sure_before, before, logits)


def _probability(task: Task, logits: Tensor, answers: Labels) -> Tensor | None:
    if not task.one_class:
        return None
    sure: Tensor = task.pick(task.probabilities(logits.float()), answers)
    return sure
