"""The queue of one model, and the thread that passes it to the worker process."""

import threading
import time
from collections.abc import Callable
from typing import Any

from probe.errors import ProbeError
from probe.lab.jobs import Kept, Progress, Work
from probe.lab.process import Refused, Setup, Worker
from probe.lab.sources import Source
from probe.lab.wire import Closed, WireError

IDLE = 900.0  # seconds after which an idle process is ended


class Line:
    """The queue of requests to one model. Everything but the waiting of its thread happens under the desk's lock."""

    def __init__(
        self,
        source: Source,
        setup: Setup,
        changed: threading.Condition,
        kept: Kept,
        room: Callable[["Line"], bool],
    ) -> None:
        self.source, self.used = source, time.monotonic()
        self._setup, self._changed, self._kept, self._room = setup, changed, kept, room
        self._queue: list[Work] = []
        self._now: Work | None = None  # the current work
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None
        self._known_by = ""  # the digest of the model that was opened last
        self._last_owner = ""
        self._closed = self._resting = False

    @property
    def holds(self) -> bool:
        """Whether it has or is starting a process."""
        return self._worker is not None or (self._now is not None and self._now.state != "waiting")

    @property
    def idle(self) -> bool:
        """Whether its process is idle."""
        return self._worker is not None and self._now is None and not self._queue

    @property
    def pid(self) -> int | None:
        """The id of its process."""
        return None if self._worker is None else self._worker.pid

    def put(self, work: Work) -> Work:
        """Add work to the queue."""
        self._queue.append(work)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"lab {self.source.key}", daemon=True)
            self._thread.start()
        return work

    def waiting(self, digest: str) -> Work | None:
        """Current or queued work with this digest."""
        now = [] if self._now is None or self._now.ended else [self._now]
        return next((work for work in (*now, *self._queue) if work.digest == digest), None)

    def ahead(self, work: Work) -> int:
        """The approximate number of requests ahead of it."""
        if work not in self._queue:
            return 0
        return self._queue.index(work) + (self._now is not None)

    def give_up(self, work: Work) -> None:
        """Abandon work; if it is running, its process is ended."""
        if work in self._queue:
            self._queue.remove(work)
        elif work is self._now and self._worker is not None:
            threading.Thread(target=self._worker.end, daemon=True).start()
        work.end("cancelled")

    def rest(self) -> None:
        """End the idle process."""
        self._resting = True
        self._changed.notify_all()

    def close(self) -> None:
        """End the process and the thread."""
        self._closed = True
        for work in list(self._queue):
            self.give_up(work)
        if self._now is not None:
            self.give_up(self._now)

    def join(self) -> None:
        """Wait until its thread has ended."""
        if self._thread is not None:
            self._thread.join(60.0)

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                answer, pure = self._opened(work).ask(work.request, work.arrays, lambda told: self._tell(work, told))
            except (Closed, WireError) as error:
                self._lost(work, error)
            except ProbeError as error:
                self._end(work, "refused" if isinstance(error, Refused) else "failed", error=str(error))
            else:
                with self._changed:
                    if pure and not work.ended:
                        self._kept.keep(work.source, work.digest, answer)
                self._end(work, "done", answer=answer)

    def _next(self) -> Work | None:
        """The next work, preferring owners other than the last one served. None if the thread should end."""
        with self._changed:
            self._now, self.used = None, time.monotonic()
            until = time.monotonic() + IDLE
            while not self._queue and not self._closed and not self._resting and time.monotonic() < until:
                self._changed.wait(until - time.monotonic())
            if not self._queue or self._closed:
                self._thread, self._resting = None, False
                worker, self._worker = self._worker, None
            else:
                self._resting = False
                work = next((each for each in self._queue if self._owner(each) != self._last_owner), self._queue[0])
                self._queue.remove(work)
                self._now, self._last_owner = work, self._owner(work)
                while self._worker is None and not self._room(self) and not work.ended:
                    self._changed.wait(1.0)
                return work
        if worker is not None:
            _ended(worker)
            with self._changed:
                self._changed.notify_all()
        return None

    def _opened(self, work: Work) -> Worker:
        """The process with the model, started if there is none."""
        if self._worker is not None and not self._worker.alive:
            self._drop()
        if self._worker is None:
            self._tell(work, Progress(said="starting its process"))
            self._set(work, "opening")
            worker = Worker(self.source, self._setup)
            with self._changed:
                self._worker = worker
                given_up = work.ended
            try:
                if given_up:
                    raise Closed("it was given up")
                opened = worker.open(lambda told: self._tell(work, told))
                known_by = str(opened.get("known_by"))
            except Refused as error:
                self._drop()
                self._refuse_all(str(error))
                raise
            with self._changed:
                if known_by != self._known_by:
                    self._kept.forget(self.source.key)  # the files have changed
                self._known_by = known_by
        self._tell(work, Progress())
        self._set(work, "running")
        assert self._worker is not None, "it was started"
        return self._worker

    def _lost(self, work: Work, error: ProbeError) -> None:
        """Handle a process that ended or sent something invalid."""
        words = self._worker.last_words() if self._worker is not None else ""
        how = f"ended {words}" if isinstance(error, Closed) else f"was ended: {error}"
        self._drop()
        self._end(
            work, "failed", error=f"the process that held {self.source.name} {how}; ask again, and another is started"
        )

    def _drop(self) -> None:
        with self._changed:
            worker, self._worker = self._worker, None
        if worker is not None:
            _ended(worker)

    def _refuse_all(self, why: str) -> None:
        """Refuse all queued work, as the model cannot be opened."""
        with self._changed:
            for work in self._queue:
                work.end("refused", error=why)
            self._queue.clear()
            self._changed.notify_all()

    def _set(self, work: Work, state: Any) -> None:
        with self._changed:
            if not work.ended:
                work.state = state
            self._changed.notify_all()

    def _tell(self, work: Work, told: Progress) -> None:
        with self._changed:
            work.progress = told
            self._changed.notify_all()

    def _end(self, work: Work, state: Any, **outcome: Any) -> None:
        with self._changed:
            given_up = work.ended
            self._now = None  # from here on, abandoning it ends no process
            if not given_up:
                work.end(state, **outcome)
            self._changed.notify_all()
        if given_up:
            self._drop()  # its process is being ended and sends no more answers

    def _owner(self, work: Work) -> str:
        return work.tickets[0].owner if work.tickets else ""


def _ended(worker: Worker) -> None:
    worker.end(grace=1.0)
    worker.discard()
