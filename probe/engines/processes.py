"""Local processes: the engine that needs nothing, and that the others are compared with."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from probe.engines import Engine, Outcome, whereto
from probe.engines.forking import Forks, can_fork

# A worker that is lost must not leave a process behind that holds the lock of its part, which is run again.
WITH_ITS_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, which stays when another program is executed
if os.getppid() != int(sys.argv[1]):
    sys.exit("probe: its parent has ended")
os.execvp(sys.argv[2], sys.argv[2:])
"""
KILLED = 128  # a shell's exit code of a process that a signal ended is this plus the signal's number


@runtime_checkable
class Running(Protocol):
    """A process whose standard error is read."""

    @property
    def returncode(self) -> Any:
        """Its exit code, or less than 0 if a signal ended it; known once it has ended."""

    def communicate(self) -> tuple[Any, str]:
        """Wait for its end; what it said."""

    def terminate(self) -> None:
        """End it as SIGTERM does."""


class Processes:
    """Runs each command as a process of this machine. On Linux it is killed where this process is."""

    def __init__(self, forks: Forks | None = None) -> None:
        """`forks`: what forks those commands that it can."""
        self._running: set[Running] = set()
        self._turn, self._forks = threading.Lock(), forks
        self._ended = False

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> Outcome:
        with self._turn:
            if self._ended:
                return Outcome(KILLED, "stopped before it began")
            process = self._begun(command, environment)
            self._running.add(process)
        try:
            _, said = process.communicate()
        finally:
            with self._turn:
                self._running.discard(process)
        if self._ended:
            return Outcome(KILLED, "stopped with the others")
        return Outcome(process.returncode if process.returncode >= 0 else None, last_line(said))

    def end(self) -> None:
        with self._turn:
            self._ended = True
            for process in self._running:
                process.terminate()
        if self._forks:
            self._forks.close()

    def _begun(self, command: Sequence[str], environment: Mapping[str, str]) -> Running:
        if self._forks and (forked := self._forks.run(*whereto(command), environment)):
            return forked
        return subprocess.Popen(
            [*ending(), *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )


def ending() -> tuple[str, ...]:
    """What runs the command after it; on Linux as a process that ends with this one."""
    on = sys.platform == "linux"
    return (sys.executable, "-I", "-S", "-c", WITH_ITS_PARENT, str(os.getpid())) if on else ()


def last_line(said: str) -> str:
    """The last line of what a command said, without the name of the program."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].removeprefix("probe: ") if lines else ""


def make() -> Engine:
    """The engine."""
    return Processes(Forks(ending()) if can_fork() else None)
