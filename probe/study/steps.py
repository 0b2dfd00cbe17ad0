"""The loop of audits and studies: step by step, each counted, timed and kept once it is whole."""

import time
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from probe.errors import ProbeError, Unsupported, is_out_of_memory
from probe.memory import give_back
from probe.metering import Usage
from probe.model import Model

Advance = Callable[[int], None]  # told how many more examples are done
Progress = Callable[[str, int, int], None]  # step, examples done, examples in all


@runtime_checkable
class Step(Protocol):
    """A piece of work that is small enough to lose and to repeat."""

    @property
    def name(self) -> str:
        """What it is kept as."""

    @property
    def total(self) -> int:
        """How many examples it counts."""

    @property
    def work(self) -> Callable[[Advance], Any]:
        """Do it, and return what is to be kept."""


S = TypeVar("S", bound=Step)
S_contra = TypeVar("S_contra", bound=Step, contravariant=True)


@dataclass(frozen=True)
class Ended:
    """How a step ended, and what it cost."""

    status: Literal["done", "not run", "error"]
    note: str  # why it is not done
    seconds: float
    cost: Usage


@runtime_checkable
class Shelf(Protocol[S_contra]):
    """Where finished steps are kept."""

    def has(self, step: S_contra) -> bool:
        """Whether the step need not be run."""

    def keep(self, step: S_contra, made: Any) -> None:
        """Keep what a step made, whole or not at all."""

    def ended(self, step: S_contra, how: Ended) -> None:
        """Note how a step ended."""


def carry_out(steps: Iterable[S], model: Model, shelf: Shelf[S], progress: Progress) -> None:
    """Run each step that the shelf lacks. A step that fails is noted, and the next one is run.

    What ends the process, such as Ctrl-C or a full disk, goes on; then the shelf has the steps that were finished.
    """
    for step in steps:
        if not shelf.has(step):
            shelf.ended(step, _one(step, model, shelf, progress))
            give_back()
            progress(step.name, step.total, step.total)


def _one(step: S, model: Model, shelf: Shelf[S], progress: Progress) -> Ended:
    done, before, started = 0, copy(model.usage), time.perf_counter()

    def advance(examples: int) -> None:
        nonlocal done
        done += examples
        progress(step.name, done, step.total)

    progress(step.name, 0, step.total)
    status: Literal["done", "not run", "error"]
    status, note = "done", ""
    try:
        shelf.keep(step, step.work(advance))
    except Unsupported as error:
        status, note = "not run", str(error)
    except ProbeError as error:
        if is_out_of_memory(error):  # says nothing about the model, and may go well the next time
            raise MemoryError(str(error)) from error
        status, note = "error", str(error)
    return Ended(status, note, time.perf_counter() - started, model.usage - before)
