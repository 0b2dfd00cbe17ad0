"""Gradient ascent that chooses its own step lengths."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from probe.attacks.ascent import Ascent, Begin, IteratedAttack, Momentum
from probe.attacks.losses import Loss, climbing
from probe.ball import Reach
from probe.contracts import Aim
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs
from probe.tensors import column, wide


@dataclass(frozen=True, kw_only=True)
class APGD(IteratedAttack):
    """Gradient ascent with momentum that halves its steps by itself (Croce and Hein 2020, arXiv:2003.01690).

    The first step is two radii long. At checkpoints, 22 % into the steps and then closer and closer, the step of an
    example is halved, and its search goes on from its best point, where the loss rose in fewer than three quarters of
    the steps since the last checkpoint, or where neither its step nor its best loss has changed since then. Starts are
    those of PGD: the input, then random points. Examples that have reached the goal are dropped from the batch.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import APGD
    >>> weights = torch.tensor([[2.0, -2.0], [-1.0, 1.0]])
    >>> model = Model(forward=lambda x: x @ weights, classes=("yes", "no"))
    >>> x, y = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([0, 0])
    >>> found = APGD(eps="1/4", loss="margin", steps=10)(model, x, y)
    >>> found.success, found.perturbed[1]
    (tensor([ True, False]), tensor([0.7500, 0.2500]))
    """

    steps: int = param(100, "gradient steps in each restart", low=1)
    loss: Loss = param("goal", "loss that is climbed: the goal's own, or of logits, scaled logits or probabilities")
    seed: int = param(0, "seed of the random starts", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        return self.climbed(model.space, inputs, climbing(aim, self.loss), halving(self.steps), self.seed)


def halving(steps: int) -> Begin:
    """A run of APGD of so many steps."""

    def begin(start: Tensor, reach: Reach, aim: Aim) -> Ascent:
        length, none = (2 * aim.budget).to(wide(start).dtype), torch.zeros_like(aim.rows)
        return _Halving.at(
            start,
            reach,
            aim,
            checkpoints=checkpoints(steps),
            before=start,
            slope=torch.zeros_like(wide(start)),
            length=length,
            last=torch.full_like(aim.budget, -torch.inf),
            rises=none,
            halved=none > 0,
            best_then=torch.full_like(aim.budget, -torch.inf),
        )

    return begin


def checkpoints(steps: int) -> tuple[int, ...]:
    """The steps after which step lengths are reconsidered, from 0: the published schedule, of whole percents."""
    at = [0, 22]
    while at[-1] < 100:
        at.append(at[-1] + max(at[-1] - at[-2] - 3, 6))
    return tuple(dict.fromkeys(-(-percent * steps // 100) for percent in at if percent <= 100))


@dataclass(kw_only=True)
class _Halving(Momentum):
    checkpoints: tuple[int, ...]
    slope: Tensor  # the gradient at the best point
    length: Tensor  # of the next step, in the unit of the space's scale
    last: Tensor  # the loss at the point before x
    rises: Tensor  # steps since the last checkpoint that raised the loss
    halved: Tensor  # whether the step was halved at the last checkpoint
    best_then: Tensor  # the best loss at the last checkpoint

    enough: ClassVar[float] = 0.75  # share of steps that must raise the loss

    def seen(self, loss: Tensor, gradient: Tensor) -> None:
        self.slope = torch.where(column(self.update_best(loss), gradient), gradient, self.slope)
        self.rises = self.rises + (loss > self.last) * (self.step > 0)
        self.last = loss

    def ascend(self, gradient: Tensor) -> None:
        if self.step in self.checkpoints[1:]:
            gradient = self._reconsider(gradient)
        self.move(gradient, self.length)

    def _reconsider(self, gradient: Tensor) -> Tensor:
        """Halve the steps that no longer help, and return to the best point there; the gradient where x then is."""
        since = self.step - self.checkpoints[self.checkpoints.index(self.step) - 1]
        stuck = ~self.halved & (self.best_loss <= self.best_then)
        self.halved = (self.rises < self.enough * since) | stuck
        self.length = torch.where(self.halved, self.length / 2, self.length)
        self.x = torch.where(column(self.halved, self.x), self.best, self.x)
        self.last = torch.where(self.halved, self.best_loss, self.last)
        self.best_then, self.rises = self.best_loss, torch.zeros_like(self.rises)
        return torch.where(column(self.halved, gradient), self.slope, gradient)
