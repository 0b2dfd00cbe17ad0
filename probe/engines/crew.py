"""A crew: workers that each hold something, such as a model and its rows, and answer messages about it.

A message is a batch to be asked, and its answer the result. The messages of a worker that is lost are sent again, to
another. What is held next may be asked about before what is held now has been answered, so that no worker waits for
the caller. Nothing here knows what is held, or where workers are.
"""

import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from probe.errors import is_out_of_memory

TIMES = 3  # how often a message is sent whose worker is lost, and a worker started that is lost as it begins
AHEAD = 2  # messages that a worker has at once, so that it need not wait for the next
Make = Callable[[], Callable[[Any], Any]]  # makes, in a worker, what is held and answers messages


@dataclass(frozen=True)
class Answer:
    """What a worker answered."""

    value: Any = None
    error: Exception | None = None
    begun: bool = True  # whether the worker could make what it is to hold

    @property
    def given(self) -> Any:
        """The value; an error is raised."""
        if self.error is not None:
            raise self.error
        return self.value


@runtime_checkable
class Place(Protocol):
    """Where workers are: all that an engine must know."""

    def share(self, make: Make) -> Any:
        """What workers are to hold, as it is sent to each."""

    def start(self) -> Any:
        """A new worker."""

    def send(self, worker: Any, held: Any, message: Any) -> Any:
        """Ask a worker about a message, or, if that is None, to make what it holds; what stands for its answer."""

    def first(self, coming: Sequence[Any]) -> tuple[Any, Answer | None] | None:
        """The first of the answers that come, and what it is: None if its worker was lost.

        None if no answer comes for a moment.
        """

    def stop(self, worker: Any) -> None:
        """End a worker."""


@dataclass(frozen=True, eq=False)
class _Sent:
    """A message on its way; without a key, a worker was asked to begin."""

    number: int  # of the worker
    worker: Any
    held: "Held"
    key: Hashable | None
    message: Any


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A message that no worker has."""

    held: "Held"
    key: Hashable
    message: Any
    home: int | None = None


class Held:
    """Something that workers hold. Messages about it have keys, by which their answers are known."""

    def __init__(self, crew: "Crew", shared: Any) -> None:
        self._crew, self._shared, self._turn = crew, shared, crew._turn
        self._asked: set[Hashable] = set()
        self._kept: dict[Hashable, Answer] = {}  # that came before they were wanted
        self._failed: ChildProcessError | None = None

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return self._crew.workers

    @property
    def busy(self) -> bool:
        """Whether there are answers to be heard."""
        with self._turn:
            return bool(self._asked)

    def send(self, key: Hashable, message: Any, home: int | None = None) -> None:
        """Let a worker answer a message: that of a number if it is there, else any."""
        with self._turn:
            self._asked.add(key)
            if self._failed is None:
                self._crew._queue.append(_Waiting(self, key, message, home))
                self._turn.notify_all()

    def forget(self, keys: Sequence[Hashable]) -> None:
        """Leave out what has not been sent yet."""
        with self._turn:
            queue = self._crew._queue
            unsent = [each for each in queue if each.held is self and each.key in keys]
            self._asked -= {each.key for each in unsent}
            self._crew._queue = deque(each for each in queue if each not in unsent)

    def next(self) -> tuple[Any, Answer]:
        """The key and the answer of a message that is answered.

        Raises:
            ChildProcessError: if workers cannot begin, or those of one message were lost each time.
        """
        assert self._asked, "an answer is awaited that was not asked for"
        with self._turn:
            self._wait(lambda: bool(self._kept))
            return self._taken(next(iter(self._kept)))

    def answer(self, key: Hashable) -> Answer:
        """The answer of a message that was sent.

        Raises:
            ChildProcessError: if workers cannot begin, or those of the message were lost each time.
        """
        assert key in self._asked, "an answer is awaited that was not asked for"
        with self._turn:
            self._wait(lambda: key in self._kept)
            return self._taken(key)[1]

    def close(self) -> None:
        """Forget what was sent; answers that are on their way are not kept."""
        self.fail(ChildProcessError("its answers are not heard any more"))
        with self._turn:
            self._asked.clear()
            self._kept.clear()

    def keep(self, key: Hashable, answer: Answer) -> None:
        """Keep an answer for whoever asks."""
        if key in self._asked and self._failed is None:
            self._kept[key] = answer

    def fail(self, error: ChildProcessError) -> None:
        """Let whoever asks hear an error, and leave out what has not been sent."""
        with self._turn:
            self._failed = self._failed or error
            self._crew._queue = deque(each for each in self._crew._queue if each.held is not self)
            self._turn.notify_all()

    def _wait(self, there: Callable[[], bool]) -> None:
        self._turn.wait_for(lambda: there() or self._failed or self._crew._broken)
        if error := self._crew._broken or (None if there() else self._failed):
            raise error

    def _taken(self, key: Hashable) -> tuple[Hashable, Answer]:
        self._asked.discard(key)
        return key, self._kept.pop(key)


class Crew:
    """Workers at a place. A thread sends them what is asked and hears them, whatever the caller does meanwhile."""

    def __init__(self, place: Place, workers: int, report: Callable[[str], None] = lambda line: None) -> None:
        self._place, self._report = place, report
        self._turn = threading.Condition(threading.RLock())
        self._queue: deque[_Waiting] = deque()
        self._sent: dict[Any, _Sent] = {}
        self._ready: set[int] = set()  # workers that have begun
        self._lost: Counter[Any] = Counter()  # by what is held and key, or number of a worker lost as it began
        self._broken: BaseException | None = None  # what has ended the thread
        self._closed = False
        self._workers = {number: place.start() for number in range(workers)}
        self._thread: threading.Thread | None = None
        self._first: Held | None = None

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    def hold(self, make: Make) -> Held:
        """Let workers hold something, once they have answered what was sent before. They begin with the first."""
        held = Held(self, self._place.share(make))
        with self._turn:
            if self._thread is None:
                self._first = held
                for number in self._workers:
                    self._begin(number)
                self._thread = threading.Thread(target=self._serve, name="crew", daemon=True)
                self._thread.start()
        return held

    def close(self) -> None:
        """End all workers."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        if self._thread is not None:
            self._thread.join()
        for worker in self._workers.values():
            self._place.stop(worker)
        self._workers.clear()

    def _serve(self) -> None:
        """Send and hear until the crew is closed."""
        try:
            while True:
                with self._turn:
                    self._fill()
                    while not self._sent and not self._closed:
                        self._turn.wait()
                        self._fill()
                    if self._closed:
                        return
                    coming = list(self._sent)
                if (heard := self._place.first(coming)) is not None:
                    with self._turn:
                        self._hear(*heard)
                        self._turn.notify_all()
        except BaseException as error:  # whoever waits for an answer raises it
            with self._turn:
                self._broken = error
                self._turn.notify_all()

    def _begin(self, number: int) -> None:
        """Let a worker begin with what was held first: what is held later may be what no worker survives."""
        assert self._first is not None, "workers begin once something is held"
        worker, held = self._workers[number], self._first
        self._sent[self._place.send(worker, held._shared, None)] = _Sent(number, worker, held, None, None)

    def _fill(self) -> None:
        """Send what workers have room for."""
        room = dict.fromkeys(self._ready, AHEAD)
        for sent in self._sent.values():
            if sent.number in room:
                room[sent.number] -= 1
        left: deque[_Waiting] = deque()
        while self._queue and any(room.values()):
            each = self._queue.popleft()
            # A worker that has not begun may take long, as one for which a cluster has no room yet.
            number = each.home if each.home in room else max(room, key=lambda one: room[one])
            if not room[number]:
                left.append(each)
                continue
            room[number] -= 1
            worker = self._workers[number]
            token = self._place.send(worker, each.held._shared, each.message)
            self._sent[token] = _Sent(number, worker, each.held, each.key, each.message)
        self._queue.extendleft(reversed(left))

    def _hear(self, token: Any, answer: Answer | None) -> None:
        """Take one answer, whatever it is of."""
        sent = self._sent[token]
        if answer is None:
            self._replace(sent)
            return
        del self._sent[token]
        self._ready.add(sent.number)
        if not answer.begun:
            sent.held.fail(ChildProcessError(f"a worker could not begin: {answer.error}"))
        elif sent.key is not None:
            sent.held.keep(sent.key, answer)

    def _replace(self, lost: _Sent) -> None:
        """Start another worker for one that is lost, and send again what it had."""
        mine = {token: sent for token, sent in self._sent.items() if sent.worker is lost.worker}
        for token in mine:
            del self._sent[token]
        had = [sent for sent in mine.values() if sent.key is not None]
        # The first was being answered: the others were waiting, and have no part in the loss.
        blamed = (had[0].held, had[0].key) if had else lost.number
        self._lost[blamed] += 1
        self._queue.extendleft(_Waiting(sent.held, sent.key, sent.message) for sent in reversed(had))
        self._ready.discard(lost.number)
        if self._lost[blamed] < TIMES:
            self._report("a worker was lost, and " + ("what it had is asked again" if had else "another begins"))
        elif had:
            had[0].held.fail(ChildProcessError(f"a worker was lost {TIMES} times at {had[0].key}"))
        else:
            raise ChildProcessError(f"a worker was lost {TIMES} times as it began")
        self._workers[lost.number] = self._place.start()
        self._begin(lost.number)


class Holder:
    """What runs in a worker: it makes what it is to hold once, and answers."""

    def __init__(self) -> None:
        self._of: Any = None
        self._held: Callable[[Any], Any] | None = None

    def answer(self, name: Any, opened: Callable[[], Make], message: Any) -> Answer:
        """The answer to a message about what has this name; `opened` gives what makes it."""
        try:
            if self._held is None or self._of != name:
                self._held = None  # two models may not fit
                self._held, self._of = opened()(), name
        except Exception as error:
            return Answer(error=_sendable(error), begun=False)
        try:
            return Answer(None if message is None else self._held(message))
        except Exception as error:
            return Answer(error=_sendable(error))


def _sendable(error: Exception) -> Exception:
    """The exception as it survives being sent, with where it was raised."""
    if is_out_of_memory(error):  # its causes, which say so, are not sent
        return MemoryError(str(error))
    error.add_note(traceback.format_exc())
    try:
        copy(error)  # made again from its arguments, as where it arrives
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
