"""The learning rate, as a fraction of its peak.

Each schedule is a pure function of `done`, the fraction of all steps taken, from 0 to 1, so that a run can be resumed
at any step. Plateau is the exception: it also depends on the validation loss.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe_models.training.settings import Settings

FIRST, LAST = 1 / 25, 1 / 250_000  # start and end of one-cycle, as in torch


def constant(done: float, settings: "Settings") -> float:
    """Linear warm-up, then constant."""
    return _linear_warmup(done, settings.warmup)


def step(done: float, settings: "Settings") -> float:
    """Linear warm-up, then `milestones` evenly spaced decays by the factor `gamma`."""
    # Rounding must not delay a decay that is due at this step.
    decays = math.floor(_after_warmup(done, settings.warmup) * (settings.milestones + 1) + 1e-9)
    return _linear_warmup(done, settings.warmup) * settings.gamma ** min(decays, settings.milestones)


def cosine(done: float, settings: "Settings") -> float:
    """Linear warm-up, then cosine decay to 0 (arXiv:1608.03983)."""
    return warmup_cosine(done, settings.warmup)


def one_cycle(done: float, settings: "Settings") -> float:
    """Cosine warm-up from 1/25, then cosine decay to 1/250000 (arXiv:1708.07120)."""
    if done < settings.warmup:
        return _half_cosine(FIRST, 1.0, done / settings.warmup)
    return _half_cosine(1.0, LAST, _after_warmup(done, settings.warmup))


Schedule = Callable[[float, "Settings"], float]
SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "step": step,
    "cosine": cosine,
    "one-cycle": one_cycle,
    "plateau": constant,  # multiplied by Plateau.factor
}


class Plateau:
    """A factor of the learning rate, multiplied by `gamma` after `patience` epochs without a lower validation loss."""

    def __init__(self, gamma: float, patience: int) -> None:
        self.gamma, self.patience = gamma, patience
        self.factor, self.best, self.waited = 1.0, math.inf, 0

    def see(self, loss: float) -> None:
        """Update the factor with the validation loss of an epoch."""
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        if self.waited == self.patience:
            self.factor, self.waited = self.factor * self.gamma, 0


def warmup_cosine(done: float, warmup: float) -> float:
    """The fraction of the peak learning rate: a linear warm-up, then cosine decay to 0.

    >>> [round(warmup_cosine(done, warmup=0.2), 2) for done in (0.1, 0.2, 0.6, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if done < warmup:
        return _linear_warmup(done, warmup)
    return 0.5 * (1 + math.cos(math.pi * _after_warmup(done, warmup)))


def _linear_warmup(done: float, warmup: float) -> float:
    # Not from 0: the first step should change the weights.
    return max(done, 1e-3) / warmup if done < warmup else 1.0


def _after_warmup(done: float, warmup: float) -> float:
    return max(0.0, done - warmup) / (1 - warmup)


def _half_cosine(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * fraction))
