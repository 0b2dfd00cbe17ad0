"""Workers that are copies of this process: they have all that it has, and begin at once."""

import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from probe.engines.forking import can_fork

WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl
FAILED = 1
# Threads whose library makes them ready for a fork: that of the allocator of pyarrow, which pandas loads.
READY = {"jemalloc_bg_thd"}


def can_copy() -> bool:
    """Whether this process can be copied: a copy has none of its other threads, and the locks that they held."""
    if not can_fork():
        return False
    names = [each.read_text().strip() for each in Path("/proc/self/task").glob("*/comm")]
    return sum(name not in READY for name in names) == 1


@contextmanager
def copied(count: int, work: Callable[[], None], report: Callable[[int, str], None]) -> Iterator[None]:
    """Have copies of this process do a work until the block ends. `report` hears which of them was lost, from 0."""
    began: dict[int, int] = {}
    try:
        for number in range(count):
            began[_copy(work)] = number
        yield
    finally:
        for worker, number in began.items():
            ended, status = os.waitpid(worker, os.WNOHANG)
            if not ended:
                os.kill(worker, signal.SIGTERM)
                os.waitpid(worker, 0)
            elif code := os.waitstatus_to_exitcode(status):
                how = "ended with an error" if code == FAILED else f"was lost (exit code {code})"
                report(number, f"its worker {how}, and the others did its part")


def _copy(work: Callable[[], None]) -> int:
    """Begin a copy; the number of its process, here. In the copy it never returns."""
    parent = os.getpid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python counts threads that are ready as well
        if worker := os.fork():
            return worker
    code = FAILED
    with suppress(BaseException):  # it has no caller: whoever copied it meets the same error
        ctypes.CDLL(None).prctl(WITH_PARENT, signal.SIGKILL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches this process too, which ends its copies
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        _before = sys.stdout, sys.stderr  # kept, as what they hold would be written when they are deleted
        sys.stdout = sys.stderr = os.fdopen(nowhere, "w")
        if os.getppid() == parent:
            work()
            code = 0
    os._exit(code)  # nothing of the process that was copied is ended or written twice
