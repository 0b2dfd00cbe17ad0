"""The loop of audits and studies: steps are counted, timed and saved once complete."""

import time
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from probe.errors import ProbeError, Unsupported, is_out_of_memory
from probe.memory import give_back
from probe.metering import Usage
from probe.model import Model

Advance = Callable[[int], None]  # takes the number of examples that were just done
Progress = Callable[[str, int, int], None]  # takes step, examples done, examples in total


@runtime_checkable
class Step(Protocol):
    """A piece of work that is small enough to lose and repeat."""

    @property
    def name(self) -> str:
        """The name under which it is saved."""

    @property
    def total(self) -> int:
        """The number of examples that it processes."""

    @property
    def work(self) -> Callable[[Advance], Any]:
        """Do the work and return what is to be saved."""


S = TypeVar("S", bound=Step)
S_contra = TypeVar("S_contra", bound=Step, contravariant=True)


@dataclass(frozen=True)
class Ended:
    """The outcome and cost of a step."""

    status: Literal["done", "not run", "error"]
    note: str  # reason if it is not done
    seconds: float
    cost: Usage


@runtime_checkable
class Shelf(Protocol[S_contra]):
    """Where finished steps are saved."""

    def has(self, step: S_contra) -> bool:
        """Whether the step is already saved."""

    def keep(self, step: S_contra, made: Any) -> None:
        """Save the result of a step atomically."""

    def ended(self, step: S_contra, how: Ended) -> None:
        """Record the outcome of a step."""


def carry_out(steps: Iterable[S], model: Model, shelf: Shelf[S], progress: Progress) -> None:
    """Run each step that the shelf lacks. A failed step is recorded, and the next one runs.

    What ends the process, such as Ctrl-C or a full disk, is passed on; the shelf then holds the finished steps.
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
        if is_out_of_memory(error):  # says nothing about the model, and may work the next time
            raise MemoryError(str(error)) from error
        status, note = "error", str(error)
    return Ended(status, note, time.perf_counter() - started, model.usage - before)
