"""SIGTERM and SIGHUP end a command as Ctrl-C does: what was finished is kept."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SHELL = 128  # the exit code of a process ended by a signal is this plus the signal's number
ENDS = (signal.SIGTERM, signal.SIGHUP)  # sent by `kill` or a scheduler; by a closed terminal


class Terminated(KeyboardInterrupt):
    """A signal asked the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = SHELL + number


@contextmanager
def terminable() -> Iterator[None]:
    """Let the signals that end a process end the block as Ctrl-C does."""
    alone = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in ENDS} if alone else {}
    # An ignored signal, as under nohup, stays ignored, and a foreign handler is not replaced.
    replaced = [number for number, handler in before.items() if handler is signal.SIG_DFL]
    for number in replaced:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated(number)
