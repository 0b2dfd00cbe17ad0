"""The smallest of several budgets at which an attack succeeds on each example."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from probe.contracts import Attack
from probe.goals import Goal
from probe.model import Model
from probe.numbers import fraction
from probe.results import Perturbation, Prediction
from probe.shapes import Inputs, Labels, Logits, Targets
from probe.study.batches import batches, together
from probe.study.steps import Advance
from probe.task import Task
from probe.tensors import column
from probe.units import refuse_unit


@dataclass
class SmallestBudgets:
    """The result of an attack on each example at ascending budgets."""

    clean: Labels  # the answer without an attack
    smallest: Targets  # index of the smallest successful budget; the number of budgets if there is none
    answers: Labels  # the answer at that budget; the clean answer if there is none
    points: Inputs  # the perturbed input at that budget; the clean input if there is none
    open: Tensor  # whether each example counts: right without an attack, or its goal not reached, (batch,)
    sure: Tensor | None  # the probability of the answer at that budget, (batch,); None for numbers
    sure_before: Tensor | None  # of the clean answer
    before: Prediction  # the answer without an attack
    logits: Logits  # at that budget; the clean logits if there is none
    targets: Tensor | None  # the target of each example, for a targeted goal

    @classmethod
    def untouched(cls, before: Prediction, inputs: Inputs, count: int, goal: Goal) -> "SmallestBudgets":
        """The state before any attack, for this number of budgets."""
        targets = goal.aims(before.task, before.logits, None)
        logits, clean = before.logits.cpu().clone(), before.predicted.cpu()
        sure = _probability(before.task, logits, clean)
        if goal.counted_alone(before.task):
            done = goal.met(before.task, before.logits, before.labels, targets)
        else:
            done = before.task.wrong(before.logits, before.labels)
        return cls(
            clean=clean,
            smallest=torch.full((len(inputs),), count),
            answers=clean.clone(),
            points=inputs.clone(),
            open=~done.cpu(),
            sure=None if sure is None else sure.clone(),
            sure_before=sure,
            before=before,
            logits=logits,
            targets=None if targets is None else targets.cpu(),
        )

    def record(self, rows: Tensor, smallest: Tensor | int, result: Perturbation) -> None:
        """Store the answers of rows on which an attack succeeded."""
        answers = result.attacked
        self.smallest[rows], self.answers[rows] = torch.as_tensor(smallest), answers.predicted.cpu()
        self.points[rows], self.logits[rows] = result.perturbed.to(self.points), answers.logits.cpu()
        sure = _probability(answers.task, answers.logits.cpu(), self.answers[rows])
        if self.sure is not None and sure is not None:
            self.sure[rows] = sure

    def at(self, k: int, attack: Attack, model: Model, inputs: Inputs) -> Perturbation:
        """The perturbation at the budget of this index; `attack` is set to that budget."""
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
    """The smallest of several ascending budgets at which an attack succeeds, for each example that is right.

    Where the goal is not about right and wrong answers, it is for each example that has not reached it from the start.
    An attack that minimises its change is run once: it succeeds at every budget at least as large as its change. For
    any other attack the budgets are bisected for each example. An example broken at a budget counts as broken at all
    larger ones, which contain the same point. An example not broken at a budget is not attacked at smaller ones. An
    attack that fails at a budget may succeed at a smaller one: such an example counts as robust here, unlike in a run
    at every budget.
    """
    given = model.check(inputs)
    before = Prediction.of(model, given, model.check_labels(labels, given))
    found = SmallestBudgets.untouched(before, inputs, len(radii), attack.goal)
    todo = found.open.nonzero()[:, 0]
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

    for radius in radii:
        refuse_unit(radius, attack.threat, model.space, given)
    (_bisected if attack.budget else _once)(attack, radii, todo, found, run)
    advance(left)
    return found


Run = Callable[[Attack, Tensor], Iterator[tuple[slice, Perturbation]]]  # an attack on some rows, batch by batch


def _bisected(attack: Attack, radii: tuple[str, ...], todo: Tensor, found: SmallestBudgets, run: Run) -> None:
    """Record the results of an attack by bisection over the budgets."""
    waiting = [(0, len(radii), todo)]
    while waiting:
        low, high, rows = waiting.pop()
        if low == high or len(rows) == 0:
            continue
        middle = (low + high) // 2
        successful = torch.zeros(len(rows), dtype=torch.bool)
        for part, result in run(attack.at(radii[middle]), rows):
            successful[part] = success = result.success.cpu()
            # Budgets at which an attack succeeds come in descending order, so the last is the smallest.
            found.record(rows[part][success], middle, result[success.to(result.inputs.device)])
        waiting += [(low, middle, rows[successful]), (middle + 1, high, rows[~successful])]


def _once(attack: Attack, radii: tuple[str, ...], todo: Tensor, found: SmallestBudgets, run: Run) -> None:
    """Record the results of an attack that minimises its change: it succeeds from the size of its change on."""
    budgets = torch.tensor([float(fraction(radius)) for radius in radii], dtype=torch.float64)
    for part, result in run(attack, todo):
        smallest = torch.searchsorted(budgets, result.length.cpu().double())
        near = result.success.cpu() & (smallest < len(radii))
        found.record(todo[part][near], smallest[near], result[near.to(result.inputs.device)])


def _probability(task: Task, logits: Tensor, answers: Labels) -> Tensor | None:
    if not task.one_class:
        return None
    sure: Tensor = task.pick(task.probabilities(logits.float()), answers)
    return sure
