"""Gradient attacks inside a ball."""

from dataclasses import dataclass
from itertools import cycle, islice
from typing import ClassVar

import torch
from torch import Tensor

from probe.attacks.ascent import Ascent, GradientAttack, IteratedAttack, Run, Search, loss_and_gradient
from probe.attacks.cascade import ROUND, Nearest
from probe.ball import Reach, place, uphill
from probe.contracts import Aim
from probe.method import param
from probe.model import Model
from probe.norms import NORMS
from probe.numbers import Number
from probe.shapes import Inputs
from probe.tensors import column, wide

CANDIDATES = 4  # most likely classes among which the nearest are looked for, a gradient for each
LATER, LAST = 0.3, 0.03  # longest step after the first, and at the end, in radii
EVEN = 0.4  # share of the steps after which the longest becomes shorter


@dataclass(frozen=True, kw_only=True)
class FGSM(GradientAttack):
    """One step of length eps up the loss (Goodfellow et al. 2015, arXiv:1412.6572); `norm` says in which norm.

    The step is the steepest one that stays within the space: of a linear model it finds the worst point of the ball,
    in L1 with up to 50 coordinates. With more, it is spread over the 2 % of them with the steepest slopes.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import FGSM
    >>> weights = torch.tensor([[2.0, -2.0], [-1.0, 1.0]])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"))
    >>> found = FGSM(eps=0.25)(model, torch.tensor([[0.5, 0.5]]), torch.tensor([0]))
    >>> found.perturbed
    tensor([[0.2500, 0.7500]])
    >>> found.success
    tensor([True])
    """

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        _, _, gradient = loss_and_gradient(model.space, inputs, aim)
        norm = NORMS[self.norm]
        step = uphill(model.space, norm, inputs, gradient, aim.budget.to(gradient.dtype))
        return place(model.space, inputs, step, norm.p, aim.budget)


@dataclass(frozen=True, kw_only=True)
class PGD(IteratedAttack):
    """Gradient ascent on the loss, projected onto the ball (Madry et al. 2018, arXiv:1706.06083).

    Each example has its own step length, halved when its loss has stopped rising (after arXiv:2003.01690). After the
    first step it is at most .3 radii, and from two fifths of the steps on less, evenly down to .03. The best point of
    each example is kept. Examples that have reached the goal are dropped from the batch.

    Restarts differ from that run, and in turn from one another, in start, step and loss, as those of `Cascade` do: from
    random points, up the margin of the nearest class to first order, then of the second nearest, then up the goal's
    loss, with first steps of 2, 2 and 1 times `step` that shrink to 0 along a cosine. With two classes, or another task
    or goal, all climb the goal's loss.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import PGD
    >>> weights = torch.tensor([[2.0, -2.0], [-1.0, 1.0]])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"))
    >>> x, y = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([0, 0])
    >>> found = PGD(eps="1/4", norm="l2", steps=10)(model, x, y)
    >>> found.success, found.distance(2)
    (tensor([ True, False]), tensor([0.2500, 0.2500]))
    """

    finds: ClassVar[str] = "fgsm"  # its first point

    step: Number = param(
        1.0, "length of the first step, in radii; the next are at most .3; at 1 its point is FGSM's", low=0.0, high=2.0
    )
    seed: int = param(0, "seed of the random starts", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        space, norm = model.space, NORMS[self.norm]

        def begin(start: Tensor, reach: Reach, part: Aim) -> "_Adaptive":
            length = (self.step * part.budget).to(wide(start).dtype)
            stale = torch.zeros(len(start), dtype=torch.int64, device=start.device)
            return _Adaptive.at(start, reach, part, length=length, stale=stale, steps=self.steps)

        search, nearest = Search(space, norm, inputs, aim, self.seed), Nearest(space, norm, CANDIDATES)
        search.climb([Run(begin, self.steps)])
        for restart, leg in enumerate(islice(cycle(ROUND), self.restarts - 1)):
            # The first is as much shorter as it costs to find the nearest classes.
            found = CANDIDATES + 1 if restart == 0 else 0
            steps = self.steps - found if self.steps > 2 * found else self.steps
            own = leg._replace(steps=steps, first=leg.first * self.step)
            search.climb([Run(own.begun(nearest), steps, anew=True)])
        return search.best


@dataclass(kw_only=True)
class _Adaptive(Ascent):
    """Steps of PGD: halved where the loss has stopped rising."""

    length: Tensor  # of the next step, in the unit of the space's scale
    stale: Tensor  # steps since the last new best
    steps: int  # of the whole ascent
    step: int = 0  # steps taken

    patience: ClassVar[int] = 4  # stale steps after which the step is halved and the search goes on from the best point

    def seen(self, loss: Tensor, gradient: Tensor) -> None:
        self.stale = torch.where(self.update_best(loss), 0, self.stale + 1)

    def ascend(self, gradient: Tensor) -> None:
        stalled, radius = self.stale >= self.patience, self.aim.budget
        self.length = torch.where(stalled, self.length / 2, self.length)
        self.stale = torch.where(stalled, 0, self.stale)
        # The first step may cross the ball; steps of that length would only move from side to side, and long ones at
        # the end would leave what they have climbed.
        if self.step > 0:
            left = (1 - self.step / self.steps) / (1 - EVEN)
            self.length = torch.minimum(self.length, (max(LATER * min(1, left), LAST) * radius).to(self.length.dtype))
        self.step += 1
        # The gradient belongs to x, so an example that returns to its best point takes its next step from there.
        moved = self.reach.nearest(self.reach.uphill(self.x, gradient, self.length))
        self.x = torch.where(column(stalled, self.x), self.best, moved)
