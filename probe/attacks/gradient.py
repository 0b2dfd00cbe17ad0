"""Attacks that follow the gradient inside a ball.

Both climb the log-odds of an error, log sum_(k != y) exp z_k - z_y. It grows with the cross-entropy, so its gradient
points the same way, but it does not vanish where the model is so sure that the cross-entropy rounds to zero.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from probe.attacks.norms import NORMS, Norm
from probe.contracts import Attack
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, Labels, Logits, PerExample
from probe.tensors import column, generator


@dataclass(frozen=True, kw_only=True)
class _GradientAttack(Attack):
    eps: float = param(8 / 255, "radius of the ball, in the unit of the space's scale", low=0.0)
    norm: str = param("linf", "how the radius is measured", choices=tuple(NORMS))

    def radius(self) -> tuple[float, float]:
        return NORMS[self.norm].p, self.eps


@dataclass(frozen=True, kw_only=True)
class FGSM(_GradientAttack):
    """One step of length eps up the loss (Goodfellow et al. 2015, arXiv:1412.6572); its L2 form with norm="l2"."""

    def perturb(self, model: Model, inputs: Inputs, labels: Labels) -> Inputs:
        _, gradient = _climb(model, inputs, labels)
        step = self.eps * NORMS[self.norm].steepest(gradient) * model.space.unit(inputs)
        return model.space.admit(inputs + step, inputs)


@dataclass(frozen=True, kw_only=True)
class PGD(_GradientAttack):
    """Steps up the loss, projected back onto the ball (Madry et al. 2018, arXiv:1706.06083).

    Each example controls its own step, which halves when its loss has stopped rising (after arXiv:2003.01690), and
    keeps its best point. An example that has fallen leaves the batch, so strength costs time only where it is needed.
    """

    steps: int = param(40, "gradient steps in each restart", low=1)
    restarts: int = param(1, "starts; the first from the input itself, the others from random points", low=1)
    step: float = param(0.5, "length of the first step, in radii", low=0.0, high=2.0)
    seed: int = param(0, "seed of the random starts", low=0)

    def perturb(self, model: Model, inputs: Inputs, labels: Labels) -> Inputs:
        norm, unit = NORMS[self.norm], model.space.unit(inputs)
        source = generator(self.seed, inputs.device)
        best = inputs.clone()
        standing = torch.arange(len(inputs), device=inputs.device)
        for restart in range(self.restarts):
            origin = inputs[standing]
            # One start for all examples, so that an answer does not depend on its neighbours.
            start = 0 if restart == 0 else self.eps * norm.uniform(inputs[0], source) * unit
            climb = _Climb(model, norm, self, origin, labels[standing], model.space.admit(origin + start, origin))
            found, fallen = climb.run()
            best[standing] = found
            standing = standing[~fallen]
            if len(standing) == 0:
                break
        return best


class _Climb:
    """One restart of PGD: where each standing example is, its best point, and its step."""

    patience = 4  # steps without a new best before the step halves and the climb resumes from the best point

    def __init__(  # noqa: PLR0913  # the state of one climb, named once
        self, model: Model, norm: Norm, attack: PGD, origin: Tensor, labels: Tensor, start: Tensor
    ) -> None:
        self.model, self.norm, self.attack = model, norm, attack
        self.origin, self.labels, self.x = origin, labels, start
        self.found, self.fallen = start.clone(), torch.zeros(len(start), dtype=torch.bool, device=start.device)
        self.rows = torch.arange(len(start), device=start.device)  # of the examples still standing
        self.best = start.clone()
        self.best_loss = torch.full((len(start),), -torch.inf, dtype=start.dtype, device=start.device)
        self.length = torch.full_like(self.best_loss, attack.step * attack.eps)
        self.stale = torch.zeros_like(self.rows)

    def run(self) -> tuple[Tensor, Tensor]:
        """The best point found for each example, and whether it is misclassified there."""
        for _ in range(self.attack.steps):
            loss, gradient = _climb(self.model, self.x, self.labels)
            self._judge(loss)
            if not len(self.rows):
                return self.found, self.fallen
            self._move(gradient[self.kept])
        self._judge(_error_log_odds_of(self.model, self.x, self.labels))
        self.found[self.rows] = self.best
        return self.found, self.fallen

    def _judge(self, loss: tuple[Tensor, Tensor]) -> None:
        """Remember the best point of each example, and let those that have fallen leave."""
        log_odds, wrong = loss
        better = log_odds > self.best_loss
        self.best = torch.where(column(better, self.x), self.x, self.best)
        self.best_loss = torch.where(better, log_odds, self.best_loss)
        self.stale = torch.where(better, 0, self.stale + 1)
        self.found[self.rows[wrong]] = self.x[wrong]
        self.fallen[self.rows[wrong]] = True
        self.kept = ~wrong
        for name in ("origin", "labels", "x", "rows", "best", "best_loss", "length", "stale"):
            setattr(self, name, getattr(self, name)[self.kept])

    def _move(self, gradient: Tensor) -> None:
        """Step up from the present point, or from the best one with half the step where the climb has stalled."""
        stalled = self.stale >= self.patience
        self.length = torch.where(stalled, self.length / 2, self.length)
        self.stale = torch.where(stalled, 0, self.stale)
        unit = self.model.space.unit(self.x)
        moved = self.x + column(self.length, self.x) * self.norm.steepest(gradient) * unit
        # The gradient at the best point is no longer at hand; resuming there costs one step, taken next.
        moved = torch.where(column(stalled, self.x), self.best, moved)
        change = self.norm.project((moved - self.origin) / unit, self.attack.eps)
        self.x = self.model.space.admit(self.origin + change * unit, self.origin)


def _climb(model: Model, inputs: Inputs, labels: Labels) -> tuple[tuple[PerExample, Tensor], Inputs]:
    """Log-odds of an error, whether it is one, and the gradient by changes in the unit of the space's scale."""
    logits, gradient = model.gradient(inputs, lambda z: _error_log_odds(z, labels))
    movable = model.space.movable(inputs)
    gradient = torch.where(movable, gradient * model.space.unit(inputs), 0.0)
    return (_error_log_odds(logits, labels), logits.argmax(-1) != labels), gradient


def _error_log_odds_of(model: Model, inputs: Inputs, labels: Labels) -> tuple[PerExample, Tensor]:
    logits = model.logits(inputs)
    return _error_log_odds(logits, labels), logits.argmax(-1) != labels


def _error_log_odds(logits: Logits, labels: Labels) -> PerExample:
    own = one_hot(labels, logits.shape[-1]).bool()
    return logits.masked_fill(own, -torch.inf).logsumexp(-1) - logits[own]
