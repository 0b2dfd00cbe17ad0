"""Workers that start at once: each is forked from a process that has loaded torch, and has done nothing with it."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ACCELERATORS = "/dev/nvidiactl", "/dev/kfd"  # whose drivers need not survive a fork
FORKED = str(Path(__file__).with_name("forked.py"))
METHODS = "attacks", "certificates", "counterfactuals", "explainers", "metrics", "surveys"
LOADED = (
    "probe.cli",
    "probe.audit.sharding",
    "probe.study",
    "probe.zoo",
    *(f"probe.{kind}" for kind in METHODS),
    "scipy.special",
)


class Forks:
    """A process that has loaded torch, and those that it forks. It ends with this one, and they with it.

    It is started by the first command, whose environment it has when it loads torch.
    """

    def __init__(self, ended: Sequence[str] = ()) -> None:
        """`ended`: a command that runs another, given after it, as one that ends with its parent."""
        self._before, self._turn = tuple(ended), threading.Lock()
        self._asked: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str], folder: str, environment: Mapping[str, str]) -> "Forked | None":
        """Begin a command of Python in a folder; None if it must be begun otherwise."""
        if not runs_python(command):
            return None
        mine, other = socket.socketpair()
        reads, writes = os.pipe()
        try:
            with self._turn:
                socket.send_fds(self._ready(environment), [b"."], [other.fileno(), writes])
            with mine.makefile("wb") as file:
                file.write(json.dumps([list(command), folder, dict(environment)]).encode() + b"\n")
        except OSError:  # it has ended
            mine.close()
            os.close(reads)
            self.close()
            return None
        finally:
            other.close()
            os.close(writes)
        return Forked(mine, reads)

    def close(self) -> None:
        """End the process once those that it forked have ended."""
        with self._turn:
            if self._asked is not None:
                self._asked.close()
                self._asked = None
            if self._process is not None:
                self._process.terminate()  # which it heeds while it loads
                self._process.wait()
                self._process = None

    def _ready(self, environment: Mapping[str, str]) -> socket.socket:
        if self._asked is None:
            self._asked, other = socket.socketpair()
            with other:
                self._process = subprocess.Popen(
                    # -P: a file of the folder that we are in is not loaded in place of a module
                    [*self._before, sys.executable, "-P", FORKED, str(other.fileno()), *wanted()],
                    env=dict(environment),
                    pass_fds=[other.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
        return self._asked


class Forked:
    """A process that was forked, with what `subprocess.Popen` has of one whose standard error is read."""

    def __init__(self, told: socket.socket, stderr: int) -> None:
        self._told, self._stderr = told, stderr
        self.returncode: int = -9  # as of a process that was killed, until its end is told

    def communicate(self) -> tuple[None, str]:
        """Wait for its end; what it said on its standard error."""
        with os.fdopen(self._stderr, encoding="utf-8", errors="replace") as file:
            said = file.read()
        with self._told, self._told.makefile("rb") as answers, suppress(ConnectionError):
            if ended := answers.read():
                self.returncode = int(ended)
        return None, said

    def terminate(self) -> None:
        """End it as SIGTERM does."""
        with suppress(OSError):  # it has ended
            self._told.shutdown(socket.SHUT_WR)


def wanted() -> tuple[str, ...]:
    """The modules that workers will need: for those of a command what commands load, of a script what it has loaded."""
    return LOADED if "probe.cli" in sys.modules else tuple(name for name in LOADED if name in sys.modules)


def can_fork() -> bool:
    """Whether workers may be forked here: on Linux, where no accelerator is."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and not any(Path(at).exists() for at in ACCELERATORS)


def runs_python(command: Sequence[str]) -> bool:
    """Whether a command is a module or a script of this Python, without other options."""
    python, how, *_ = [*command, "", ""]
    return python == sys.executable and (how == "-m" or not how.startswith("-")) and bool(how)
