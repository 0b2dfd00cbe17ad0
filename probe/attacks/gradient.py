"""Attacks that follow the gradient inside a ball. Both climb the log-odds of an error."""

from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import torch
from torch import Tensor

from probe.ball import place
from probe.contracts import Attack, Need
from probe.method import param
from probe.model import Model
from probe.norms import NORMS, Norm
from probe.numbers import Number, written
from probe.shapes import Inputs, Labels, Logits, PerExample
from probe.space import Space
from probe.tensors import column, generator, wide
from probe.threats import Ball, Threat

LATER = 0.3  # longest step after the first, in radii


@dataclass(frozen=True, kw_only=True)
class _GradientAttack(Attack):
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})

    eps: Number = param(written("8/255"), "radius of the ball, in the unit of the space's scale", low=0.0)
    norm: Literal["linf", "l2"] = param("linf", "how the radius is measured")

    @property
    def threat(self) -> Threat:
        return Ball(NORMS[self.norm].p)


@dataclass(frozen=True, kw_only=True)
class FGSM(_GradientAttack):
    """One step of length eps up the loss (Goodfellow et al. 2015, arXiv:1412.6572); its L2 form with norm="l2"."""

    def perturb(self, model: Model, inputs: Inputs, labels: Labels) -> Inputs:
        _, _, gradient = _look_up(model, inputs, labels)
        norm = NORMS[self.norm]
        return place(model.space, inputs, self.eps * norm.steepest(gradient), norm.p, self.eps)


@dataclass(frozen=True, kw_only=True)
class PGD(_GradientAttack):
    """Steps up the loss, projected back onto the ball (Madry et al. 2018, arXiv:1706.06083).

    Each example controls its own step, which after the first is at most .3 radii and halves when its loss has stopped
    rising (after arXiv:2003.01690), and keeps its best point. An example that has fallen leaves the batch, so strength
    costs time only where it is needed.
    """

    steps: int = param(40, "gradient steps in each restart", low=1)
    restarts: int = param(1, "starts; the first from the input itself, the others from random points", low=1)
    step: Number = param(
        1.0, "length of the first step, in radii; the next are at most .3; at 1 its point is FGSM's", low=0.0, high=2.0
    )
    seed: int = param(0, "seed of the random starts", low=0)

    def perturb(self, model: Model, inputs: Inputs, labels: Labels) -> Inputs:
        norm = NORMS[self.norm]
        source = generator(self.seed, inputs.device)
        best, standing = inputs.clone(), torch.arange(len(inputs), device=inputs.device)
        best_loss = torch.full((len(inputs),), -torch.inf, dtype=_losses(inputs), device=inputs.device)
        for restart in range(self.restarts):
            origin = inputs[standing]
            # One start for all examples, so that an answer does not depend on its neighbours.
            start = origin
            if restart > 0:
                away = self.eps * norm.uniform(wide(inputs[0]), source)
                start = place(model.space, origin, away.expand_as(origin), norm.p, self.eps)
            front = _Front.at(start, origin, labels[standing], self.step * self.eps)
            found, loss, fallen = self._climb(model, norm, front)
            better = fallen | (loss > best_loss[standing])
            best[standing[better]], best_loss[standing[better]] = found[better], loss[better]
            standing = standing[~fallen]
            if len(standing) == 0:
                break
        return best

    def _climb(self, model: Model, norm: Norm, front: "_Front") -> tuple[Inputs, PerExample, Tensor]:
        """The best point that one restart finds for each example, its loss, and whether the model errs there."""
        found, highest = front.x.clone(), front.best_loss.clone()
        fallen = torch.zeros(len(found), dtype=torch.bool, device=found.device)
        for _ in range(self.steps):
            loss, wrong, gradient = _look_up(model, front.x, front.labels)
            front.remember(loss)
            found[front.row[wrong]], highest[front.row[wrong]], fallen[front.row[wrong]] = (
                front.x[wrong],
                loss[wrong],
                True,
            )
            front = front.keep(~wrong)
            if len(front.row) == 0:
                return found, highest, fallen
            front.step_up(model.space, norm, gradient[~wrong], self.eps)
        logits = model.logits(front.x)
        loss = _error(model, logits, front.labels, front.x)
        front.remember(loss)
        wrong = model.task.wrong(logits, front.labels)
        # With more than two classes the highest loss need not be an error, and an error need not have it.
        found[front.row] = torch.where(column(wrong, front.x), front.x, front.best)
        highest[front.row], fallen[front.row] = torch.where(wrong, loss, front.best_loss), wrong
        return found, highest, fallen


@dataclass
class _Front:
    """The examples that still stand in one restart of PGD, a row each: where they are, their best point, their step."""

    row: Tensor  # of the example among those that the restart began with
    origin: Tensor
    labels: Tensor
    x: Tensor
    best: Tensor
    best_loss: Tensor
    length: Tensor  # of the next step, in the unit of the space's scale
    stale: Tensor  # steps since the last new best

    patience: ClassVar[int] = 4  # stale steps after which the step halves and the climb resumes from the best point

    @classmethod
    def at(cls, start: Tensor, origin: Tensor, labels: Tensor, length: float) -> "_Front":
        row = torch.arange(len(start), device=start.device)
        lowest = torch.full((len(start),), -torch.inf, dtype=_losses(start), device=start.device)
        length_of_each = torch.full_like(lowest, length, dtype=wide(start).dtype)
        return cls(row, origin, labels, start, start, lowest, length_of_each, torch.zeros_like(row))

    def keep(self, rows: Tensor) -> "_Front":
        if bool(rows.all()):  # as in most steps: nothing to copy
            return self
        return _Front(*(getattr(self, f.name)[rows] for f in fields(self)))

    def remember(self, loss: Tensor) -> None:
        better = loss > self.best_loss
        self.best = torch.where(column(better, self.x), self.x, self.best)
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.stale = torch.where(better, 0, self.stale + 1)

    def step_up(self, space: Space, norm: Norm, gradient: Tensor, radius: float) -> None:
        stalled = self.stale >= self.patience
        self.length = torch.where(stalled, self.length / 2, self.length)
        self.stale = torch.where(stalled, 0, self.stale)
        origin = wide(self.origin)
        change = (wide(self.x) - origin) / space.unit(origin) + column(self.length, self.x) * norm.steepest(gradient)
        # The gradient at hand is that of x, so an example that returns to its best point steps on from there next time.
        # A step across the ball is for its far side; as a stride it would only swing between the walls.
        self.length = self.length.clamp(max=LATER * radius)
        self.x = torch.where(column(stalled, self.x), self.best, place(space, self.origin, change, norm.p, radius))


def _look_up(model: Model, inputs: Inputs, labels: Labels) -> tuple[PerExample, Tensor, Inputs]:
    """Log-odds of an error, whether it is one, and the gradient by changes in the unit of the space's scale."""
    logits, gradient = model.gradient(inputs, lambda z: model.task.loss(z, labels))
    slope = torch.where(model.space.movable(inputs), wide(gradient) * model.space.unit(wide(inputs)), 0.0)
    return _error(model, logits, labels, inputs), model.task.wrong(logits, labels), slope


def _error(model: Model, logits: Logits, labels: Labels, inputs: Inputs) -> PerExample:
    loss: PerExample = model.task.loss(logits, labels).to(_losses(inputs))
    return loss


def _losses(inputs: Inputs) -> torch.dtype:
    """The dtype in which losses are compared: wide enough for any logits, which need not be of the inputs' dtype."""
    return torch.float32 if inputs.device.type == "mps" else torch.float64
