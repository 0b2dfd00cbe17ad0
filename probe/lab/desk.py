"""The desk of a lab: requests are queued, answered by worker processes, and cached. Imports no torch."""

import threading
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from probe.lab.jobs import Job, Kept, Ticket, Work, digest
from probe.lab.line import Line
from probe.lab.process import Setup
from probe.lab.sources import LabError, Source
from probe.names import nearest

KEPT = 2**26  # bytes of answers
WAITING = 32  # waiting requests per owner
HELD = 64  # stored requests per owner
PEOPLE = 256  # number of owners stored


class Desk:
    """Takes requests of several owners to several models, and shows each owner their own.

    An owner is identified by a secret token, such as that of a browser session. A request to a model without a worker
    process starts one; at most `most` processes run at a time.

    >>> from probe.lab import Desk, Source
    >>> desk = Desk([Source.named("adult-mlp")])
    >>> job = desk.ask("ann", "adult-mlp", {"ask": "answer", "row": {"row": 3}})  # doctest: +SKIP
    >>> desk.wait("ann", job.id).answer.record["answer"]["decided"]  # doctest: +SKIP
    '<=50K'
    >>> desk.close()
    """

    def __init__(self, sources: Sequence[Source], setup: Setup | None = None, *, most: int = 2) -> None:
        """`most`: maximum number of worker processes."""
        self.sources: Mapping[str, Source] = MappingProxyType({source.key: source for source in sources})
        self.setup = setup or Setup()
        self._changed = threading.Condition(threading.RLock())
        self._kept = Kept(KEPT)
        self._tickets: dict[str, dict[str, Ticket]] = {}  # of each owner, by their id
        self._lines: dict[str, Line] = {}
        self._most, self._closed = most, False

    def ask(self, owner: str, source: str, request: Mapping[str, Any], arrays: Mapping[str, Any] | None = None) -> Job:
        """Submit a request to a model; the job is done at once if the answer is cached.

        Raises:
            LabError: if there is no such model, the request is not plain data, or this owner has too many waiting
            requests.
        """
        arrays = dict(arrays or {})
        try:
            asked = digest(request, arrays)
        except (TypeError, ValueError, RecursionError, AttributeError) as error:
            raise LabError(f"a request is plain data with arrays beside it: {error}") from None
        with self._changed:
            self._check(owner, source)
            if (known := self._kept.get(source, asked)) is not None:
                work = Work(asked, source, request, arrays)
                ticket = self._ticket(owner, work)
                work.end("done", answer=known)
                return ticket.job(0)
            line = self._line(source)
            work = line.waiting(asked) or line.put(Work(asked, source, request, arrays))
            ticket = self._ticket(owner, work)
            self._changed.notify_all()
            return self._seen(ticket)

    def job(self, owner: str, job: str) -> Job:
        """The current state of a job of this owner.

        Raises:
            LabError: if this owner has no job of that id.
        """
        with self._changed:
            return self._seen(self._own(owner, job))

    def jobs(self, owner: str) -> list[Job]:
        """The jobs of this owner, newest first."""
        with self._changed:
            return [self._seen(ticket) for ticket in reversed(self._tickets.get(owner, {}).values())]

    def wait(self, owner: str, job: str, seconds: float = 600.0) -> Job:
        """The job once it has ended, or its state after a timeout in seconds.

        Raises:
            LabError: if this owner has no job of that id.
        """
        until = time.monotonic() + seconds
        with self._changed:
            while True:
                seen = self._seen(self._own(owner, job))
                left = until - time.monotonic()
                if seen.ended or left <= 0:
                    return seen
                self._changed.wait(left)

    def cancel(self, owner: str, job: str) -> Job:
        """Cancel a job. If no other owner waits for the same answer, its worker process ends.

        Raises:
            LabError: if this owner has no job of that id.
        """
        with self._changed:
            ticket = self._own(owner, job)
            if not ticket.work.ended and not ticket.given_up:
                ticket.given_up, ticket.ended = True, time.monotonic()
                ticket.work.tickets.remove(ticket)
                if not ticket.work.tickets:
                    self._lines[ticket.work.source].give_up(ticket.work)
                self._changed.notify_all()
            return self._seen(ticket)

    def forget(self, owner: str) -> None:
        """Cancel and remove all jobs of this owner."""
        with self._changed:
            for job in list(self._tickets.get(owner, {})):
                self.cancel(owner, job)
            self._tickets.pop(owner, None)

    def close(self) -> None:
        """End all worker processes; waiting jobs are cancelled."""
        with self._changed:
            self._closed = True
            lines = list(self._lines.values())
            for line in lines:
                line.close()
            self._changed.notify_all()
        for line in lines:
            line.join()

    def pid(self, source: str) -> int | None:
        """The id of the process that holds a model, if there is one."""
        with self._changed:
            return self._lines[source].pid if source in self._lines else None

    def _check(self, owner: str, source: str) -> None:
        if self._closed:
            raise LabError("this lab is closed")
        if source not in self.sources:
            raise LabError(
                f"no model {source!r:.60} is offered here{nearest(source, self.sources)}; "
                f"there are {', '.join(self.sources) or 'none'}"
            )
        if why := self.sources[source].why:
            raise LabError(why)
        waiting = sum(not self._seen(ticket).ended for ticket in self._tickets.get(owner, {}).values())
        if waiting >= WAITING:
            raise LabError(f"{waiting} requests of yours are waiting; wait for them, or cancel some")

    def _ticket(self, owner: str, work: Work) -> Ticket:
        ticket = Ticket(owner, work)
        work.tickets.append(ticket)
        own = self._tickets.pop(owner, {})
        self._tickets[owner] = own  # the most recent owner is last
        own[ticket.id] = ticket
        for held, most in ((own, HELD), (self._tickets, PEOPLE)):
            _trim(held, most)
        return ticket

    def _own(self, owner: str, job: str) -> Ticket:
        try:
            return self._tickets[owner][job]
        except KeyError:
            raise LabError(f"you have no request {job!r:.40} here; ask again") from None

    def _seen(self, ticket: Ticket) -> Job:
        line = self._lines.get(ticket.work.source)
        return ticket.job(0 if line is None or ticket.given_up else line.ahead(ticket.work))

    def _line(self, source: str) -> Line:
        if source not in self._lines:
            self._lines[source] = Line(self.sources[source], self.setup, self._changed, self._kept, self._room)
        return self._lines[source]

    def _room(self, line: Line) -> bool:
        """Whether a line may start a process; an idle one is ended to make room."""
        others = [other for other in self._lines.values() if other is not line and other.holds]
        if len(others) < self._most:
            return True
        idle = [other for other in others if other.idle]
        if idle:
            min(idle, key=lambda other: other.used).rest()
        return False


def _trim(held: dict[str, Any], most: int) -> None:
    """Drop the oldest finished jobs if there are too many."""
    for key in list(held)[: max(0, len(held) - most)]:
        tickets = held[key].values() if isinstance(held[key], dict) else [held[key]]
        if all(ticket.ended is not None for ticket in tickets):
            del held[key]
