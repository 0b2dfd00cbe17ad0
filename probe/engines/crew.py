"""A crew: workers that each hold something, such as a model and its rows, and answer messages about it.

A message is a batch to be asked, and its answer the result. The messages of a worker that is lost are sent again, to
another. Nothing here knows what is held, or where workers are.
"""

import traceback
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from probe.errors import is_out_of_memory

TIMES = 3  # how often a message is sent whose worker is lost, and a worker started that is lost as it begins
AHEAD = 2  # messages that a worker has at once, so that it need not wait for the next
Held = Callable[[Any], Any]  # answers a message
Make = Callable[[], Held]  # makes, in a worker, what is held


@dataclass(frozen=True)
class Answer:
    """What a worker answered."""

    value: Any = None
    error: Exception | None = None

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

    def first(self, coming: Sequence[Any]) -> tuple[Any, Answer | None]:
        """The first of the answers that come, and what it is; None if its worker was lost."""

    def stop(self, worker: Any) -> None:
        """End a worker."""


@dataclass(frozen=True, eq=False)
class _Sent:
    """A message on its way; without a key, a worker was asked to begin."""

    number: int  # of the worker
    worker: Any
    key: Hashable | None
    message: Any


class Crew:
    """Workers at a place. Messages have keys, by which their answers are known."""

    def __init__(self, place: Place, workers: int, report: Callable[[str], None] = lambda line: None) -> None:
        self._place, self._report, self._held = place, report, None
        self._queue: deque[tuple[Hashable, Any, int | None]] = deque()
        self._sent: dict[Any, _Sent] = {}
        self._ready: set[int] = set()  # workers that hold what is asked about
        self._lost: dict[Any, int] = defaultdict(int)  # by key, or by number of a worker that was lost as it began
        self._kept: dict[Hashable, Answer] = {}  # that came before they were wanted
        self._workers = {number: place.start() for number in range(workers)}

    def hold(self, make: Make) -> None:
        """Let all workers hold something else; what was sent before is forgotten."""
        self._queue.clear()
        self._sent.clear()
        self._ready.clear()
        self._kept.clear()
        self._lost.clear()
        self._held = self._place.share(make)
        for number in self._workers:
            self._begin(number)

    def send(self, key: Hashable, message: Any, home: int | None = None) -> None:
        """Let a worker answer a message: that of a number if it is there, else any."""
        self._queue.append((key, message, home))

    def forget(self, keys: Sequence[Hashable]) -> None:
        """Leave out what has not been sent yet."""
        left = [each for each in self._queue if each[0] not in keys]
        self._queue = deque(left)

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    @property
    def busy(self) -> bool:
        """Whether answers are to come."""
        return bool(self._queue or self._kept or any(sent.key is not None for sent in self._sent.values()))

    def next(self) -> tuple[Any, Answer]:
        """The key and the answer of a message that is answered.

        Raises:
            ChildProcessError: if workers cannot begin, or those of one message were lost each time.
        """
        while not self._kept:
            self._hear()
        key = next(iter(self._kept))
        return key, self._kept.pop(key)

    def answer(self, key: Hashable) -> Answer:
        """The answer of a message that was sent.

        Raises:
            ChildProcessError: if workers cannot begin, or those of the message were lost each time.
        """
        while key not in self._kept:
            self._hear()
        return self._kept.pop(key)

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            self._place.stop(worker)
        self._workers.clear()

    def _begin(self, number: int) -> None:
        worker = self._workers[number]
        self._sent[self._place.send(worker, self._held, None)] = _Sent(number, worker, None, None)

    def _fill(self) -> None:
        """Send what workers have room for."""
        room = dict.fromkeys(self._ready, AHEAD)
        for sent in self._sent.values():
            if sent.number in room:
                room[sent.number] -= 1
        left: deque[tuple[Hashable, Any, int | None]] = deque()
        while self._queue and any(room.values()):
            key, message, home = self._queue.popleft()
            # A worker that has not begun may take long, as one for which a cluster has no room yet.
            number = max(room, key=lambda each: room[each]) if home is None or home not in room else home
            if not room[number]:
                left.append((key, message, home))
                continue
            room[number] -= 1
            worker = self._workers[number]
            self._sent[self._place.send(worker, self._held, message)] = _Sent(number, worker, key, message)
        self._queue.extendleft(reversed(left))

    def _hear(self) -> None:
        """Wait for one answer, whatever it is of."""
        self._fill()
        assert self._sent, "an answer is awaited that was not asked for"
        token, answer = self._place.first(list(self._sent))
        sent = self._sent[token]
        if answer is None:
            self._replace(sent)
            return
        del self._sent[token]
        if sent.key is not None:
            self._kept[sent.key] = answer
        elif answer.error is not None:
            raise ChildProcessError(f"a worker could not begin: {answer.error}")
        else:
            self._ready.add(sent.number)

    def _replace(self, lost: _Sent) -> None:
        """Start another worker for one that is lost, and send again what it had."""
        mine = {token: sent for token, sent in self._sent.items() if sent.worker is lost.worker}
        for token in mine:
            del self._sent[token]
        had = [sent for sent in mine.values() if sent.key is not None]
        # The first was being answered: the others were waiting, and have no part in the loss.
        blamed = had[0].key if had else lost.number
        self._lost[blamed] += 1
        if self._lost[blamed] >= TIMES:
            raise ChildProcessError(f"a worker was lost {TIMES} times " + (f"at {blamed}" if had else "as it began"))
        self._report("a worker was lost, and " + ("what it had is asked again" if had else "another begins"))
        self._queue.extendleft((sent.key, sent.message, None) for sent in reversed(had))
        self._ready.discard(lost.number)
        self._workers[lost.number] = self._place.start()
        self._begin(lost.number)


class Holder:
    """What runs in a worker: it makes what it is to hold once, and answers."""

    def __init__(self) -> None:
        self._of: Any = None
        self._held: Held | None = None

    def answer(self, name: Any, opened: Callable[[], Make], message: Any) -> Answer:
        """The answer to a message about what has this name; `opened` gives what makes it."""
        try:
            if self._held is None or self._of != name:
                self._held = None  # two models may not fit
                self._held, self._of = opened()(), name
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
