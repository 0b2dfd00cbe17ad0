"""The process that workers are forked from: it loads modules and waits. `forking.py` starts it.

A request brings a socket of its own and the standard error of the worker, and over that socket come the command, the
folder and the environment. The exit code goes back; a socket that is closed for writing asks the worker to end.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl


@dataclass(frozen=True)
class Asked:
    """What a worker is to do."""

    command: list[str]
    folder: str
    environment: dict[str, str]


@dataclass(frozen=True)
class Worker:
    """A worker that runs."""

    pid: int
    ends: int  # a descriptor that can be read once it has ended
    told: socket.socket


class Forking:
    """Forks a worker for each request."""

    def __init__(self, asked: socket.socket) -> None:
        self._asked, self._selector = asked, selectors.DefaultSelector()
        self._workers: set[Worker] = set()
        self._open = True
        self._selector.register(asked, selectors.EVENT_READ)

    def next(self) -> Asked | None:
        """What to do, in a worker; None in the process that forks, once no more is asked and all workers have ended."""
        while self._open or self._workers:
            for key, _ in self._selector.select():
                worker: Worker | None = key.data
                if worker is None:
                    message, given, _, _ = socket.recv_fds(self._asked, 1, 2)
                    if not message:
                        self._open = False
                        self._selector.unregister(self._asked)
                    elif (mine := self._begun(socket.socket(fileno=given[0]), given[1])) is not None:
                        return mine
                elif worker not in self._workers:  # its end was read just now
                    continue
                elif key.fileobj is worker.told:
                    self._selector.unregister(worker.told)
                    os.kill(worker.pid, signal.SIGTERM)
                else:
                    self._ended(worker)
        return None

    def _begun(self, told: socket.socket, stderr: int) -> Asked | None:
        with told.makefile("rb") as file:
            asked = Asked(*json.loads(file.readline()))
        pid, parent = None, os.getpid()
        with warnings.catch_warnings():
            # Python warns of threads. Those of numpy's BLAS stop before a fork; torch starts none while it is loaded.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid:
            os.close(stderr)
            worker = Worker(pid, os.pidfd_open(pid), told)
            self._workers.add(worker)
            self._selector.register(worker.ends, selectors.EVENT_READ, worker)
            self._selector.register(worker.told, selectors.EVENT_READ, worker)
            return None
        ctypes.CDLL(None).prctl(WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.dup2(stderr, 2)
        os.close(stderr)
        # That of the process that forks is one of another file.
        sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
        self._close(told)
        return asked

    def _ended(self, worker: Worker) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.ends)
        with suppress(KeyError):
            self._selector.unregister(worker.told)
        _, status = os.waitpid(worker.pid, 0)
        os.close(worker.ends)
        with worker.told, suppress(OSError):  # nobody may listen any more
            worker.told.sendall(b"%d" % os.waitstatus_to_exitcode(status))

    def _close(self, told: socket.socket) -> None:
        """Close, in a worker, what is not its own."""
        self._selector.close()
        for each in (self._asked, told, *(worker.told for worker in self._workers)):
            each.close()
        for worker in self._workers:
            os.close(worker.ends)


def become(asked: Asked) -> None:
    """Go on as the interpreter does that is started with a command."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.environ.clear()
    os.environ.update(asked.environment)
    os.chdir(asked.folder)
    if numpy := sys.modules.get("numpy.random"):
        numpy.seed()  # each process has its own, which this one was forked with
    _, how, *rest = sys.orig_argv = asked.command
    module = how == "-m"
    first = Path.cwd() if module else Path(how).resolve().parent
    if "PYTHONSAFEPATH" not in os.environ:
        sys.path.insert(0, str(first))
    sys.argv = rest if module else [how, *rest]
    if module:
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(how, run_name="__main__")


def main() -> None:
    """Load what is named, and fork until the other side ends; in a worker, run its command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the process that asks; workers have their own
    for name in sys.argv[2:]:
        with suppress(ImportError):  # a worker that needs it says so
            importlib.import_module(name)
    gc.freeze()
    # Until here it ends as it is told to, and from here on once no more is asked and its workers have ended.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    asked = Forking(socket.socket(fileno=int(sys.argv[1]))).next()
    if asked is not None:
        become(asked)


if __name__ == "__main__":
    main()
