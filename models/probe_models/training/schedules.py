"""The learning rate as a part of the highest one.

Each schedule is a pure function of `done`, the part of all steps that are done, from 0 to 1, so that a run can be
taken up at any step. Plateau is the exception: it also needs to know how the validation loss went.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe_models.training.settings import Settings

FIRST, LAST = 1 / 25, 1 / 250_000  # where a cycle begins and ends, as torch's does


def constant(done: float, settings: "Settings") -> float:
    """It climbs during the warm-up, then stays."""
    return _climb(done, settings.warmup)


def step(done: float, settings: "Settings") -> float:
    """It climbs during the warm-up, then falls `drops` times at equal distances, each time by the factor `drop`."""
    # Rounding must not put off a fall that is due now.
    falls = math.floor(_since(done, settings.warmup) * (settings.drops + 1) + 1e-9)
    return _climb(done, settings.warmup) * settings.drop ** min(falls, settings.drops)


def cosine(done: float, settings: "Settings") -> float:
    """It climbs during the warm-up, then falls to 0 as half a cosine (arXiv:1608.03983)."""
    return climb_and_fall(done, settings.warmup)


def one_cycle(done: float, settings: "Settings") -> float:
    """It climbs from 1/25 as half a cosine during the warm-up, then falls to 1/250000 as another (arXiv:1708.07120)."""
    if done < settings.warmup:
        return _swing(FIRST, 1.0, done / settings.warmup)
    return _swing(1.0, LAST, _since(done, settings.warmup))


Schedule = Callable[[float, "Settings"], float]
SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "step": step,
    "cosine": cosine,
    "one-cycle": one_cycle,
    "plateau": constant,  # Plateau multiplies it.
}


class Plateau:
    """A factor that falls when the validation loss has not for `wait` epochs."""

    def __init__(self, drop: float, wait: int) -> None:
        self.drop, self.wait = drop, wait
        self.factor, self.best, self.waited = 1.0, math.inf, 0

    def see(self, loss: float) -> None:
        """Take in the validation loss after an epoch."""
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        if self.waited == self.wait:
            self.factor, self.waited = self.factor * self.drop, 0


def climb_and_fall(done: float, warmup: float) -> float:
    """The part of the highest rate: it climbs linearly during `warmup`, then falls to 0 as half a cosine."""
    if done < warmup:
        return _climb(done, warmup)
    return 0.5 * (1 + math.cos(math.pi * _since(done, warmup)))


def _climb(done: float, warmup: float) -> float:
    # Not from 0: the first step should do something.
    return max(done, 1e-3) / warmup if done < warmup else 1.0


def _since(done: float, warmup: float) -> float:
    return max(0.0, done - warmup) / (1 - warmup)


def _swing(start: float, end: float, part: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * part))
