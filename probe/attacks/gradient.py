"""Gradient attacks inside a ball."""

from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import torch
from torch import Tensor

from probe.ball import place
from probe.contracts import Aim, Attack, Need
from probe.method import param
from probe.model import Model
from probe.norms import NORMS, Norm
from probe.numbers import Number, written
from probe.shapes import Inputs, PerExample
from probe.space import Space
from probe.tensors import column, generator, parted, wide
from probe.threats import Ball, Threat

LATER = 0.3  # longest step after the first, in radii


@dataclass(frozen=True, kw_only=True)
class _GradientAttack(Attack):
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})

    eps: Number = param(written("8/255"), "radius of the ball, in units of the space's scale", low=0.0)
    norm: Literal["linf", "l2"] = param("linf", "norm of the ball")

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)


@dataclass(frozen=True, kw_only=True)
class FGSM(_GradientAttack):
    """One step of length eps up the loss (Goodfellow et al. 2015, arXiv:1412.6572); its L2 form with norm="l2".

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
        step = column(aim.budget.to(gradient.dtype), inputs) * norm.steepest(gradient)
        return place(model.space, inputs, step, norm.p, aim.budget)


@dataclass(frozen=True, kw_only=True)
class PGD(_GradientAttack):
    """Gradient ascent on the loss, projected onto the ball (Madry et al. 2018, arXiv:1706.06083).

    Each example has its own step length: at most .3 radii after the first step, and halved when its loss has stopped
    rising (after arXiv:2003.01690). The best point of each example is kept. Examples that have reached the goal are
    dropped from the batch.

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

    steps: int = param(40, "gradient steps in each restart", low=1)
    restarts: int = param(1, "restarts; the first starts at the input, the others at random points", low=1)
    step: Number = param(
        1.0, "length of the first step, in radii; the next are at most .3; at 1 its point is FGSM's", low=0.0, high=2.0
    )
    seed: int = param(0, "seed of the random starts", low=0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        norm = NORMS[self.norm]
        source = generator(self.seed, inputs.device)
        best, remaining = inputs.clone(), torch.arange(len(inputs), device=inputs.device)
        best_loss = torch.full_like(aim.budget, -torch.inf)
        for restart in range(self.restarts):
            origin, part = inputs[remaining], aim[remaining]
            # All examples share one random start, so that a result does not depend on the rest of the batch.
            start = origin
            if restart > 0:
                away = norm.uniform(wide(inputs[0]), source)
                away = column(part.budget.to(away.dtype), origin) * away
                start = place(model.space, origin, away, norm.p, part.budget)
            found, loss, reached = self._ascend(model.space, norm, _State.at(start, origin, part, self.step))
            better = reached | (loss > best_loss[remaining])
            best[remaining] = torch.where(column(better, found), found, best[remaining])
            best_loss[remaining] = torch.where(better, loss, best_loss[remaining])
            remaining = remaining[parted(reached)[0]]
            if len(remaining) == 0:
                break
        return best

    def _ascend(self, space: Space, norm: Norm, state: "_State") -> tuple[Inputs, PerExample, Tensor]:
        """The best point of one restart for each example, its loss, and whether it reaches the goal."""
        found, highest = state.x.clone(), state.best_loss.clone()
        successful = torch.zeros(len(found), dtype=torch.bool, device=found.device)
        for _ in range(self.steps):
            loss, reached, gradient = loss_and_gradient(space, state.x, state.aim)
            state.update_best(loss)
            others, there = parted(reached)  # the only synchronisation with the device in each step
            if len(there):
                row = state.row[there]
                found[row], highest[row], successful[row] = state.x[there], loss[there], True
                state, gradient = state.keep(others), gradient[others]
            if len(others) == 0:
                return found, highest, successful
            state.ascend(space, norm, gradient)
        loss, reached = state.aim.ask(state.x)
        state.update_best(loss)
        # With more than two classes the point with the highest loss need not be misclassified, and vice versa.
        found[state.row] = torch.where(column(reached, state.x), state.x, state.best)
        highest[state.row], successful[state.row] = torch.where(reached, loss, state.best_loss), reached
        return found, highest, successful


@dataclass
class _State:
    """The examples that remain in one restart of PGD, one row each: current point, best point and step length."""

    row: Tensor  # of the example among those that the restart began with
    origin: Tensor
    aim: Aim
    x: Tensor
    best: Tensor
    best_loss: Tensor
    length: Tensor  # of the next step, in the unit of the space's scale
    stale: Tensor  # steps since the last new best

    patience: ClassVar[int] = 4  # stale steps after which the step is halved and the search goes on from the best point

    @classmethod
    def at(cls, start: Tensor, origin: Tensor, aim: Aim, step: float) -> "_State":
        row = torch.arange(len(start), device=start.device)
        length = (step * aim.budget).to(wide(start).dtype)
        lowest = torch.full_like(aim.budget, -torch.inf)
        return cls(row, origin, aim, start, start, lowest, length, torch.zeros_like(row))

    def keep(self, rows: Tensor) -> "_State":
        return _State(*(getattr(self, f.name)[rows] for f in fields(self)))

    def update_best(self, loss: Tensor) -> None:
        better = loss > self.best_loss
        self.best = torch.where(column(better, self.x), self.x, self.best)
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.stale = torch.where(better, 0, self.stale + 1)

    def ascend(self, space: Space, norm: Norm, gradient: Tensor) -> None:
        stalled, radius = self.stale >= self.patience, self.aim.budget
        self.length = torch.where(stalled, self.length / 2, self.length)
        self.stale = torch.where(stalled, 0, self.stale)
        origin = wide(self.origin)
        change = (wide(self.x) - origin) / space.scale_of(origin) + column(self.length, self.x) * norm.steepest(
            gradient
        )
        # The gradient belongs to x, so an example that returns to its best point takes its next step from there.
        # The first step may cross the ball; steps of that length would only move from side to side.
        self.length = torch.minimum(self.length, (LATER * radius).to(self.length.dtype))
        self.x = torch.where(column(stalled, self.x), self.best, place(space, self.origin, change, norm.p, radius))


def loss_and_gradient(space: Space, inputs: Inputs, aim: Aim) -> tuple[PerExample, Tensor, Inputs]:
    """The loss, whether the goal is reached, and the gradient per unit of the space's scale."""
    loss, reached, gradient = aim.slope(inputs)
    slope = torch.where(space.mutable_mask(inputs), wide(gradient) * space.scale_of(wide(inputs)), 0.0)
    return loss, reached, slope
