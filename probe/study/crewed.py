"""A study by a crew: workers hold its model and rows, batches are sent to them, and results come back.

A message is a batch of rows of a cell, or a cell with the results of all its batches, which its worker measures. Only
the caller writes into the folder.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import nn

from probe.engines.crew import Answer, Crew, Held
from probe.errors import ProbeError
from probe.metering import Usage
from probe.model import Model
from probe.study.asking import Subject, ask_batch, batches_of
from probe.study.cells import Cell
from probe.study.parts import Parts, Sent, on
from probe.study.progress import Clock
from probe.study.steps import Ended, Shelf

WHOLE = -1  # stands for a cell itself where a message is known by cell and first row
CPU = torch.device("cpu")


def ask_crew(cells: Sequence[Cell], crew: Crew, threads: int, shelf: Shelf[Cell], clock: Clock) -> None:
    """Let a crew do the cells that the shelf lacks; one that fails is left to the caller.

    Raises:
        ChildProcessError: if workers are lost again and again, or cannot begin.
    """
    subject = cells[0].subject
    own = replace(subject, model=_moved(subject.model, CPU), parts=None)
    sent = tuple(replace(cell, subject=own) for cell in cells)
    held = crew.hold(partial(Worker, sent, subject.model.device.type, threads))
    going = {at: _Going(at, cell, held) for at, cell in enumerate(cells) if not shelf.has(cell)}
    while held.busy:
        (at, start), answer = held.next()
        if at not in going:
            continue
        if isinstance(answer.error, ProbeError):
            held.forget([(at, first) for first in going.pop(at).missing])
        elif start == WHOLE:
            record = answer.given
            del going[at]
            shelf.keep(cells[at], record)
            shelf.ended(cells[at], Ended("done", "", record.seconds, Usage(record.forwards, record.backwards)))
            clock(cells[at].name, cells[at].total, cells[at].total)
        else:
            clock(cells[at].name, going[at].take(start, answer), cells[at].total)


class _Going:
    """A cell whose messages are on their way."""

    def __init__(self, at: int, cell: Cell, held: Held) -> None:
        assert cell.subject.parts, "a study of several workers has a folder"
        self._at, self._cell, self._held, self._parts = at, cell, held, cell.subject.parts
        self._batches = {rows.start: rows for rows in batches_of(cell.method, cell.subject)}
        self.missing = [start for start, rows in self._batches.items() if not self._parts.has(rows)]
        self._send()

    def take(self, start: int, answer: Answer) -> int:
        """Save a batch, and send the cell when all are there; the rows that are done."""
        result, seconds = answer.given
        self._parts.keep(self._batches[start], result, seconds)
        self.missing.remove(start)
        if not self.missing:
            self._send()
        return self._cell.total - sum(self._batches[each].stop - each for each in self.missing)

    def _send(self) -> None:
        """Send the batches that are missing, or the cell; a batch that cannot be read is asked again."""
        results: dict[int, Any] = {}
        saved = Parts(self._parts.path)  # which counts the seconds
        if not self.missing:
            results = {start: saved.get(rows, self._cell.method, CPU) for start, rows in self._batches.items()}
            self.missing = [start for start, result in results.items() if result is None]
        for start in self.missing:
            self._held.send((self._at, start), (self._at, self._batches[start], None))
        if not self.missing:
            self._held.send((self._at, WHOLE), (self._at, None, (results, saved.spent)))


class Worker:
    """What a worker holds of a study."""

    def __init__(self, cells: Sequence[Cell], device: str, threads: int) -> None:
        torch.set_num_threads(threads)
        own = replace(cells[0].subject, model=_moved(cells[0].subject.model, torch.device(device)))
        self._cells = [replace(cell, subject=own) for cell in cells]

    def __call__(self, message: tuple[int, slice | None, tuple[dict[int, Any], float] | None]) -> Any:
        """A batch of a cell with its seconds, or the record of a cell."""
        at, rows, sent = message
        cell = self._cells[at]
        if rows is not None:
            began = perf_counter()
            result = on(ask_batch(cell.method, cell.subject, rows), CPU)
            return result, perf_counter() - began
        assert sent is not None, "a cell comes with its batches"
        subject: Subject = replace(cell.subject, parts=Sent(*sent))
        return replace(cell, subject=subject).asked(lambda done: None)[1]


def _moved(model: Model, device: torch.device) -> Model:
    """The model with a copy of its network on a device; a function stays where it is."""
    if model.device.type == device.type:
        return model

    def moved(each: Any) -> Any:
        return deepcopy(each).to(device) if isinstance(each, nn.Module) else each

    return replace(model, forward=moved(model.forward), embed=moved(model.embed))
