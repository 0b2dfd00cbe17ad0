"""At which of some budgets an attack reaches its goal with each example."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from probe.contracts import Attack
from probe.model import Model
from probe.numbers import fraction
from probe.results import Perturbation, Prediction
from probe.shapes import Inputs, Labels, Logits, Targets
from probe.study.batches import batches, together
from probe.study.steps import Advance
from probe.task import Task
from probe.tensors import column


@dataclass
class SmallestBudgets:
    """What an attack did to each example at growing budgets."""

    clean: Labels  # the answer without an attack
    smallest: (
        Targets  # the number of the smallest budget at which the goal was reached; beyond all where it was at none
    )
    answers: Labels  # the answer at that budget; the clean one where there is none
    points: Inputs  # the attacked input at that budget; the input itself where there is none
    right: Tensor  # whether each answer was right without an attack, (batch,)
    sure: Tensor | None  # the probability of the answer at that budget, (batch,); None where answers have none
    sure_before: Tensor | None  # and of the clean one
    before: Prediction  # what was answered without an attack
    logits: Logits  # at that budget; the clean ones where there is none
    targets: Tensor | None  # what each example was to become, where the goal names an answer

    @classmethod
    def untouched(cls, before: Prediction, inputs: Inputs, count: int, targets: Tensor | None) -> "SmallestBudgets":
        """Before any attack at so many budgets."""
        logits, clean = before.logits.cpu().clone(), before.predicted.cpu()
        sure = _probability(before.task, logits, clean)
        right = ~before.task.wrong(before.logits, before.labels).cpu()
        return cls(
            clean=clean,
            smallest=torch.full((len(inputs),), count),
            answers=clean.clone(),
            points=inputs.clone(),
            right=right,
            sure=None if sure is None else sure.clone(),
            sure_before=sure,
            before=before,
            logits=logits,
            targets=None if targets is None else targets.cpu(),
        )

    def record(self, rows: Tensor, smallest: Tensor | int, result: Perturbation) -> None:
        """Keep the answers of an attack that reached its goal with all of these rows."""
        answers = result.attacked
        self.smallest[rows], self.answers[rows] = torch.as_tensor(smallest), answers.predicted.cpu()
        self.points[rows], self.logits[rows] = result.perturbed.to(self.points), answers.logits.cpu()
        sure = _probability(answers.task, answers.logits.cpu(), self.answers[rows])
        if self.sure is not None and sure is not None:
            self.sure[rows] = sure

    def at(self, k: int, attack: Attack, model: Model, inputs: Inputs) -> Perturbation:
        """What the attack did at the budget of that number; `attack` has it."""
        successful = self.smallest <= k
        moved = torch.where(column(successful, inputs).to(inputs.device), self.points.to(inputs), inputs)
        where = column(successful, self.logits).to(self.before.logits.device)
        logits = torch.where(where, self.logits.to(self.before.logits), self.before.logits)
        after = replace(self.before, logits=logits)
        targets = None if self.targets is None else self.targets.to(logits.device)
        return Perturbation(
            inputs,
            moved,
            self.before,
            after,
            attack,
            model.space,
            targets=targets,
            success=successful.to(logits.device),
        )


def smallest_budgets(
    attack: Attack, radii: tuple[str, ...], model: Model, inputs: Inputs, labels: Labels, advance: Advance
) -> SmallestBudgets:
    """The smallest of some growing budgets at which an attack reaches its goal with each example that is right.

    An attack that makes its change as small as it can is run once: it succeeds at the budgets that are as large as its
    change. Any other attack is run at some of the budgets, which are bisected
    for each example. An example that is broken at a budget counts as broken at all larger ones, because the same point
    lies within them. One that is not broken is not attacked at smaller budgets. An attack that fails at a budget may
    succeed at a smaller one: such an example counts as robust here, unlike in a run at every budget.
    """
    given = model.check(inputs)
    before = Prediction.of(model, given, model.check_labels(labels, given))
    found = SmallestBudgets.untouched(before, inputs, len(radii), attack.goal.aims(model.task, before.logits, None))
    right = found.right.nonzero()[:, 0]
    left = len(inputs) * len(radii)
    each_counts = 1 if attack.budget else len(radii)

    def count(examples: int) -> None:
        nonlocal left
        left -= examples * each_counts
        advance(examples * each_counts)

    def run(asked: Attack, rows: Tensor) -> Iterator[tuple[slice, Perturbation]]:
        return batches(
            lambda part: asked(model, inputs[rows[part]], labels[rows[part]]), len(rows), together(inputs), count
        )

    (_bisected if attack.budget else _once)(attack, radii, right, found, run)
    advance(left)
    return found


Run = Callable[[Attack, Tensor], Iterator[tuple[slice, Perturbation]]]  # an attack on some rows, batch by batch


def _bisected(attack: Attack, radii: tuple[str, ...], right: Tensor, found: SmallestBudgets, run: Run) -> None:
    """Record what an attack does at each budget."""
    waiting = [(0, len(radii), right)]
    while waiting:
        low, high, rows = waiting.pop()
        if low == high or len(rows) == 0:
            continue
        middle = (low + high) // 2
        successful = torch.zeros(len(rows), dtype=torch.bool)
        for part, result in run(attack.at(radii[middle]), rows):
            successful[part] = success = result.success.cpu()
            # Budgets at which an attack succeeds come in falling order, so that the last is the smallest.
            found.record(rows[part][success], middle, result[success.to(result.inputs.device)])
        waiting += [(low, middle, rows[successful]), (middle + 1, high, rows[~successful])]


def _once(attack: Attack, radii: tuple[str, ...], right: Tensor, found: SmallestBudgets, run: Run) -> None:
    """Record from how long a change on an attack succeeds that makes it as small as it can."""
    budgets = torch.tensor([float(fraction(radius)) for radius in radii], dtype=torch.float64)
    for part, result in run(attack, right):
        smallest = torch.searchsorted(budgets, result.length.cpu().double())
        near = result.success.cpu() & (smallest < len(radii))
        found.record(right[part][near], smallest[near], result[near.to(result.inputs.device)])


def _probability(task: Task, logits: Tensor, answers: Labels) -> Tensor | None:
    if not task.one_class:
        return None
    sure: Tensor = task.pick(task.probabilities(logits.float()), answers)
    return sure
