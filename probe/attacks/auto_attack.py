"""The standard ensemble of attacks, as it was published."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from probe.attacks.ascent import Ascent, Begin, Run, Search
from probe.attacks.auto import halving
from probe.attacks.fab import FAB
from probe.attacks.losses import towards
from probe.attacks.square import Square
from probe.ball import Reach
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.numbers import Number, written
from probe.shapes import Inputs
from probe.task.arrays import rivals
from probe.tensors import column
from probe.threats import Ball, Threat


@dataclass(frozen=True, kw_only=True)
class AutoAttack(Attack):
    """Four attacks in turn, each on the examples that withstood those before it (Croce and Hein, arXiv:2003.01690).

    Version "standard", with the published settings:

    1. APGD-CE: APGD up the goal's loss, from a random point; of a wrong class its steps are those of cross-entropy.
    2. APGD-T: APGD from a random point up the DLR loss towards each of the 9 likeliest wrong classes.
    3. FAB-T: steps to the boundary of each of these classes; a change within the ball counts.
    4. Square, with 5,000 queries.

    Runs of 2 go side by side, and an example ends them all when one reaches the goal; so do those of 3, to their ends.

    With fewer than four classes DLR is not defined, and 2 climbs the margin of the class over the label. A goal with a
    target has that one class in 2 and 3; for other goals and tasks 2 is left out. Published figures are those of this
    attack; `Cascade` finds about as much in a small part of its evaluations.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import AutoAttack
    >>> weights = torch.tensor([[2.0, -2.0], [-1.0, 1.0]])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"))
    >>> x, y = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([0, 0])
    >>> AutoAttack(eps="1/4", norm="l2", steps=10, max_queries=20)(model, x, y).success
    tensor([ True, False])
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    passes: ClassVar[int] = 4

    eps: Number = param(written("8/255"), "radius of the ball, in units of the space's scale", low=0.0)
    norm: Literal["linf", "l2"] = param("linf", "norm of the ball")
    version: Literal["standard"] = param("standard", "which attacks run, in which order")
    steps: int = param(100, "gradient steps of APGD in each run, and of FAB towards each class", low=1)
    candidates: int = param(9, "likeliest wrong classes that APGD-T and FAB-T aim at", low=1)
    max_queries: int = param(5000, "queries of Square", low=1)
    seed: int = param(0, "seed of the random starts and squares", low=0)

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        search = Search(model.space, NORMS[self.norm], inputs, aim, self.seed)
        search.climb([Run(halving(self.steps), self.steps, anew=True)])
        if len(search.remaining):
            search.climb_at_once([*self._targeted(inputs, aim)])
        for last in (self._fab, self._square):
            rows = search.remaining
            if len(rows):
                found = last(model, inputs[rows], aim[rows])
                _, reached = aim[rows].ask(found)
                search.best[rows] = torch.where(column(reached, found), found, search.best[rows])
                search.remaining = rows[~reached]
        return search.best

    def _targeted(self, inputs: Inputs, aim: Aim) -> Iterator[Run]:
        """APGD up the DLR loss towards each class, side by side: an example that falls to one ends the others."""
        task = aim.model.task
        if not (task.one_class and aim.goal.answer):
            return
        logits = aim.model.logits(inputs, rows=aim.rows)
        loss: Literal["margin", "dlr"] = "dlr" if logits.shape[1] >= 4 else "margin"
        likely = rivals(logits, aim.labels, self.candidates) if aim.targets is None else aim.targets[:, None]
        for place in range(likely.shape[1]):
            begin = _Towards(aim.rows, likely[:, place], loss, halving(self.steps))
            yield Run(begin, self.steps, anew=True)

    def _fab(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        fab = FAB(goal=self.goal, norm=self.norm, steps=self.steps, candidates=self.candidates, halvings=0)
        found = fab.perturb(model, inputs, aim)
        return self.threat.project(model.space, found, inputs, aim.budget)

    def _square(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        return Square(
            goal=self.goal, norm=self.norm, eps=self.eps, max_queries=self.max_queries, seed=self.seed
        ).perturb(model, inputs, aim)


@dataclass(frozen=True, eq=False)
class _Towards:
    """Begins runs towards a class of each example."""

    rows: Tensor
    targets: Tensor  # one of each of the rows
    loss: Literal["margin", "dlr"]
    begin: Begin

    def __call__(self, start: Tensor, reach: Reach, aim: Aim) -> Ascent:
        targets = self.targets[torch.searchsorted(self.rows, aim.rows)]
        return self.begin(start, reach, towards(aim, targets, self.loss))
