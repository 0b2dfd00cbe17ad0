"""Signals that end a command from outside, as Ctrl-C ends it from inside: what was finished is kept."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SHELL = 128  # a shell reports the end by a signal as this much above its number
ENDS = (signal.SIGTERM, signal.SIGHUP)  # from `kill` or a scheduler; from a terminal that was closed


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = SHELL + number


@contextmanager
def terminable() -> Iterator[None]:
    """Let the signals that end a process end the block as Ctrl-C does."""
    alone = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in ENDS} if alone else {}
    # One that is ignored, as under nohup, stays ignored, and a handler of somebody else's has its reasons.
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
