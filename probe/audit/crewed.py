"""An audit by a crew: workers open its model and rows, are asked units of its steps, and send the pieces back.

Units are sent in the order of the steps, all at once, so that no worker waits for the end of a step. Those of the next
audit are sent while one is asked, so that none waits for its end either.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

import torch

from probe.audit.continuing import difference
from probe.audit.describing import describe
from probe.audit.evidence import Step, steps
from probe.audit.manifest import Manifest
from probe.audit.pieces import Piece
from probe.audit.plan import Plan
from probe.audit.preparing import prepared
from probe.dataset import Dataset
from probe.engines.crew import Crew, Held
from probe.errors import ProbeError
from probe.metering import Usage
from probe.model import Model
from probe.study.steps import Advance

Opened = Callable[[], tuple[Plan, Model, Dataset]]
SAME = ("probe", "torch", "numpy", "device")  # of the machine; others may have other processors


@dataclass(frozen=True)
class Workers:
    """A crew, and how each of its workers opens the plan, the model and the rows, with how many threads."""

    crew: Crew
    opened: Opened
    threads: int


@contextmanager
def asked_of(workers: Workers, todo: Sequence[Step], head: Manifest, model: Model) -> Iterator[list[Step]]:
    """The steps, whose units the workers are asked; what they count is added to that of the model.

    An answer raises ChildProcessError if workers are lost again and again, or open something else.
    """
    held = workers.crew.hold(partial(Worker, workers.opened, workers.threads, head))
    for step in todo:
        for at, unit in enumerate(step.units):
            # Explainers share what they measure of a unit, so it is one worker's.
            home = at % held.workers if step.planned.kind == "explainer" else None
            held.send((step.name, unit.start), (step.name, unit), home)
    try:
        yield [replace(step, ask=partial(_answered, held, step, model)) for step in todo]
    finally:
        held.close()


def _answered(held: Held, step: Step, model: Model, unit: slice, advance: Advance) -> Piece:
    piece, cost = held.answer((step.name, unit.start)).given
    model.usage.forward += cost.forward
    model.usage.backward += cost.backward
    if isinstance(piece, ProbeError):
        held.forget([(step.name, each.start) for each in step.units])
        raise piece
    advance((unit.stop - unit.start) * step.times)
    found: Piece = piece
    return found


class Worker:
    """What a worker holds of an audit."""

    def __init__(self, opened: Opened, threads: int, head: Manifest) -> None:
        """Open it as the caller did.

        Raises:
            ChildProcessError: if that is not what the caller has.
        """
        torch.set_num_threads(threads)
        plan, self._model, data = prepared(*opened())
        mine = describe(plan, self._model, data)
        other = difference(head, mine, ("plan", "model", "data"))
        other = other or difference(_versions(head), _versions(mine), tuple(SAME))
        if other:
            raise ChildProcessError(f"it opened something else than the caller: {other}")
        self._steps = {step.name: step for step in steps(plan, self._model, data)}
        self._explained: dict[int, set[str]] = defaultdict(set)  # explainers that were asked, by first row of the unit

    def __call__(self, message: tuple[str, slice]) -> tuple[Piece | ProbeError, Usage]:
        """The piece of a unit, or why there is none, and what it cost."""
        name, unit = message
        step = self._steps[name]
        if step.planned.kind == "explainer":
            self._after_those_before(step, unit)
        before = copy(self._model.usage)
        try:
            made: Piece | ProbeError = step.ask(unit, lambda done: None)
        except ProbeError as error:
            made = error
        return made, self._model.usage - before

    def _after_those_before(self, step: Step, unit: slice) -> None:
        """Ask what another worker was asked about this unit before, as explainers know what those before them asked."""
        known = self._explained[unit.start]
        for name, other in self._steps.items():
            if name == step.name:
                break
            if other.planned.kind == "explainer" and name not in known:
                known.add(name)
                with suppress(ProbeError):
                    other.ask(unit, lambda done: None)
        known.add(step.name)


def _versions(head: Manifest) -> dict[str, object]:
    return {name: head.machine[name] for name in SAME}
