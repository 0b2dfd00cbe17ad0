"""Signals that ask a run to end: the current step is finished first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

SHELL = 128  # a shell reports the end by a signal as this much above its number


class Stop:
    """Whether a signal has asked the run to end."""

    def __init__(self) -> None:
        self.asked: int | None = None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Record a signal; a second one ends the process at once."""
        if self.asked is not None:
            _end(self.asked)
        self.asked = number

    def end(self) -> NoReturn:
        """End as the signal would have."""
        _end(self.asked or signal.SIGINT)


@contextmanager
def asked_to_stop(numbers: tuple[int, ...]) -> Iterator[Stop]:
    """Record these signals in the block instead of ending it, unless they have another handler."""
    stop = Stop()
    with _handled(dict.fromkeys(numbers, stop.handle)):
        yield stop


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as an exception, so that files are cleaned up."""
    with _handled({signal.SIGTERM: _end_at_once}):
        yield


@contextmanager
def _handled(handlers: dict[int, Any]) -> Iterator[None]:
    # Only the main thread may set handlers, and a foreign handler is not replaced.
    usual = (signal.SIG_DFL, signal.default_int_handler, _end_at_once)
    alone = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in handlers} if alone else {}
    replaced = {number: handler for number, handler in before.items() if handler in usual}
    for number in replaced:
        signal.signal(number, handlers[number])
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    _end(number)


def _end(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(SHELL + number)
