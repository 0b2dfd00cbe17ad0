"""Jobs: requests and their outcomes."""

import hashlib
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from probe import npz

State = Literal["waiting", "opening", "running", "done", "refused", "failed", "cancelled"]
ENDED: frozenset[State] = frozenset({"done", "refused", "failed", "cancelled"})


@dataclass(frozen=True)
class Progress:
    """The progress of a request."""

    done: int = 0
    total: int = 0  # 0: unknown
    said: str = ""  # of what


@dataclass(frozen=True, eq=False)
class Answer:
    """An answer: plain data, and arrays exactly as the library returned them."""

    record: Mapping[str, Any]
    arrays: npz.Arrays = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The approximate size in bytes."""
        return len(json.dumps(self.record)) + sum(array.nbytes for array in self.arrays.values())


@dataclass(frozen=True, eq=False)
class Job:
    """A snapshot of one owner's request; ask the desk again for its current state."""

    id: str
    source: str  # the key of the model
    request: Mapping[str, Any]
    state: State
    progress: Progress = field(default_factory=Progress)
    answer: Answer | None = None  # set once it is done
    error: str = ""  # why it was refused or failed
    ahead: int = 0  # requests ahead of it
    seconds: float = 0.0  # seconds since it was submitted, or until it ended

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDED


@dataclass(eq=False)
class Work:
    """Work for a worker, shared by all owners with the same request."""

    digest: str
    source: str
    request: Mapping[str, Any]
    arrays: Mapping[str, Any]
    tickets: "list[Ticket]" = field(default_factory=list)  # tickets that wait for it
    state: State = "waiting"
    progress: Progress = field(default_factory=Progress)
    answer: Answer | None = None
    error: str = ""

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDED

    def end(self, state: State, *, answer: Answer | None = None, error: str = "") -> None:
        """Report the outcome to all waiting tickets."""
        self.state, self.answer, self.error = state, answer, error
        for ticket in self.tickets:
            ticket.ended = time.monotonic()


@dataclass(eq=False)
class Ticket:
    """One owner's claim to the outcome of some work."""

    owner: str
    work: Work
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    asked: float = field(default_factory=time.monotonic)
    ended: float | None = None
    given_up: bool = False

    def job(self, ahead: int) -> Job:
        """The job as its owner sees it."""
        work, until = self.work, time.monotonic() if self.ended is None else self.ended
        seconds = until - self.asked
        if self.given_up:
            return Job(self.id, work.source, work.request, "cancelled", work.progress, seconds=seconds)
        return Job(
            self.id,
            work.source,
            work.request,
            work.state,
            work.progress,
            work.answer,
            work.error,
            ahead,
            seconds,
        )


class Kept:
    """A cache of answers by the digest of the request; the least recently used are evicted."""

    def __init__(self, most: int) -> None:
        """`most`: bytes."""
        self._most, self._size = most, 0
        self._held: OrderedDict[tuple[str, str], tuple[Answer, int]] = OrderedDict()

    def get(self, source: str, digest: str) -> Answer | None:
        """The answer, if it is cached."""
        if (source, digest) not in self._held:
            return None
        self._held.move_to_end((source, digest))
        return self._held[source, digest][0]

    def keep(self, source: str, digest: str, answer: Answer) -> None:
        """Cache an answer, unless it alone is too large."""
        self._drop((source, digest))
        size = answer.size
        if size > self._most:
            return
        self._held[source, digest] = answer, size
        self._size += size
        while self._size > self._most:
            self._drop(next(iter(self._held)))

    def forget(self, source: str) -> None:
        """Drop all answers of a model that has changed."""
        for key in [key for key in self._held if key[0] == source]:
            self._drop(key)

    def __len__(self) -> int:
        return len(self._held)

    def _drop(self, key: tuple[str, str]) -> None:
        if key in self._held:
            self._size -= self._held.pop(key)[1]


def digest(request: Mapping[str, Any], arrays: Mapping[str, Any]) -> str:
    """SHA-256 of a request with its arrays.

    Raises:
        TypeError, ValueError: if it is not JSON.
    """
    text = json.dumps(request, sort_keys=True, allow_nan=False)
    return hashlib.sha256(f"{text}\n{npz.fingerprint(dict(arrays))}".encode()).hexdigest()
