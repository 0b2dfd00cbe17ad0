"""The progress of a study, and the estimated time left."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from probe.study.cells import Cell


class Standing(NamedTuple):
    """The progress of a study.

    >>> from probe.study import Standing
    >>> str(Standing(cell="fgsm", done=20, total=100, number=1, cells=4, left=90.0))
    '1 of 4: fgsm, 20 of 100 examples, about 90 s left'
    """

    cell: str  # the current cell
    done: int  # examples done in it
    total: int
    number: int  # index of the cell, from 1
    cells: int
    left: float | None  # estimated seconds left; None if unknown

    def __str__(self) -> str:
        left = "" if self.left is None else f", about {_duration(self.left)} left"
        return f"{self.number} of {self.cells}: {self.cell}, {self.done:,} of {self.total:,} examples{left}"


Told = Callable[[Standing], object]


def to_stderr(standing: Standing) -> None:
    """Print progress: one line that is updated on a terminal, else one line per finished cell.

    >>> from probe.study import Standing, to_stderr
    >>> to_stderr(Standing(cell="fgsm", done=20, total=100, number=1, cells=4, left=90.0))
    """
    ends = standing.done == standing.total
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{standing}" + "\n" * ends)
    elif ends:
        sys.stderr.write(f"{standing}\n")
    sys.stderr.flush()


class Clock:
    """Turns the progress of steps into the progress of a study, with the time left at the current pace.

    A cell that has not started is assumed to take as long as those of the same method, or as all cells, on average.
    """

    def __init__(self, cells: Sequence[Cell], told: Told, now: Callable[[], float] = time.monotonic) -> None:
        self._cells, self._told, self._now = cells, told, now
        self._number = {cell.name: at for at, cell in enumerate(cells)}
        self._took: dict[str, list[float]] = defaultdict(list)
        self._ended: set[str] = set()
        self._began, self._running = 0.0, ""

    def __call__(self, name: str, done: int, total: int) -> None:
        """Take an update from the loop of steps. After the last example, metrics remain until the cell ends."""
        if done == total and name not in self._ended:
            return
        if name != self._running:
            self._began, self._running = self._now(), name
        at, spent = self._number[name], self._now() - self._began
        left = self._left(at, spent, done / total)
        self._told(Standing(self._shown(self._cells[at]), done, total, at + 1, len(self._cells), left))

    def ended(self, cell: Cell, seconds: float) -> None:
        """Note that a cell finished or failed."""
        self._ended.add(cell.name)
        self._took[cell.method.name()].append(seconds)

    def _left(self, at: int, spent: float, share: float) -> float | None:
        this = spent / share if share else self._usual(self._cells[at])
        coming = [
            self._usual(cell) for cell in self._cells if cell.name not in self._ended and cell is not self._cells[at]
        ]
        coming = [this if each is None else each for each in coming]
        known = [each for each in coming if each is not None]
        if this is None or len(known) < len(coming):
            return None
        return max(0.0, this - spent) + sum(known)

    def _usual(self, cell: Cell) -> float | None:
        took = self._took.get(cell.method.name()) or [each for some in self._took.values() for each in some]
        return sum(took) / len(took) if took else None

    @staticmethod
    def _shown(cell: Cell) -> str:
        head, budget = cell.head, cell.budget
        parts = [head["method"], head["settings"], "" if budget is None else f"eps={budget:g}"]
        parts += ["" if head["seed"] is None else f"seed={head['seed']}"]
        return " ".join(filter(None, parts))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
