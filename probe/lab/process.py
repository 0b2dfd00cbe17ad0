"""The worker process that holds a model, and its lifetime."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from probe.errors import ProbeError
from probe.lab.jobs import Answer, Progress
from probe.lab.sources import Source
from probe.lab.wire import DESK, Closed, WireError, prove, receive, send
from probe.text import visible

STARTS = 120.0  # seconds within which a new process must connect
GRACE = 10.0  # seconds in which a process may end by itself and save the finished part of an audit
PATH = 100  # maximum length of a socket path on all systems
LOG = 4096  # bytes kept of its log

Told = Callable[[Progress], None]


class Refused(ProbeError):
    """The library refused the request with a message."""


class Defect(ProbeError):
    """The library failed with a defect of its own."""


@dataclass(frozen=True)
class Setup:
    """The operator's settings for opening models."""

    runs: str = "runs"  # the folder that audits are written into
    allow_code: bool = False  # whether plans may run their own code
    device: str = ""  # device of the model


class Worker:
    """A process that holds one model."""

    def __init__(self, source: Source, setup: Setup) -> None:
        """Start the process; `open` waits for the model.

        Raises:
            ProbeError: if it cannot be started.
        """
        self.source = source
        self._asked, self._ending = 0, threading.Lock()
        self._folder = Path(tempfile.mkdtemp(prefix="probe-lab-"))  # readable by this user only
        self._log = self._folder / "log"
        self._connection: socket.socket | None = None
        try:
            with _listening(self._folder) as listener, self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "probe.lab.worker"],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                secret = secrets.token_bytes(32)
                known = {"secret": secret.hex(), "address": listener.getsockname(), "source": asdict(source)}
                self._tell(known | {"setup": asdict(setup)})
                self._connection = self._accepted(listener)
                prove(self._connection, secret, DESK)
                self._connection.settimeout(None)
        except OSError as error:
            self.end(grace=0.0)
            self.discard()
            raise ProbeError(f"no process can be started for {source.name}: {error.strerror or error}") from None
        except ProbeError:
            self.end(grace=0.0)
            self.discard()
            raise

    @property
    def pid(self) -> int:
        """The id of the process, and of its process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process.returncode is None and not _ended(self.pid)

    def open(self, told: Told) -> Mapping[str, Any]:
        """Wait until the model is open; returns its digest and notices.

        Raises:
            Refused: if it cannot be opened, with the reason.
            Closed: if the process ended.
        """
        while True:
            record, _ = self._frame()
            if record.get("frame") == "open":
                return record
            if record.get("frame") != "progress":
                raise self._error(record)
            told(_progress(record))

    def ask(self, request: Mapping[str, Any], arrays: Mapping[str, Any], told: Told) -> tuple[Answer, bool]:
        """The answer to a request, and whether it may be cached.

        Raises:
            Refused: if the library refuses, with its message.
            Defect: if it failed otherwise.
            Closed: if the process ended.
        """
        self._asked += 1
        assert self._connection is not None, "a worker is connected once it is made"
        send(self._connection, {"id": self._asked, "request": request}, arrays)
        while True:
            record, found = self._frame()
            if record.get("id") != self._asked:
                raise WireError("what came is the answer to another request")
            if record.get("frame") == "answer" and isinstance(record.get("answer"), dict):
                return Answer(record["answer"], found), record.get("pure") is True
            if record.get("frame") != "progress":
                raise self._error(record)
            told(_progress(record))

    def end(self, grace: float = GRACE) -> None:
        """End the process and its children; it may save finished work until the grace period is over."""
        with self._ending:
            process = getattr(self, "_process", None)
            if process is not None and process.returncode is None:
                _signal(process.pid, signal.SIGTERM)
                until = time.monotonic() + grace
                while not _ended(process.pid) and time.monotonic() < until:
                    time.sleep(0.02)
                _signal(process.pid, signal.SIGKILL)  # its children may still run
                process.wait()
            if process is not None and process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()
            if self._connection is not None:
                self._connection.close()

    def discard(self) -> None:
        """Remove its files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def last_words(self) -> str:
        """How the process ended: its signal or exit code, and the last line of its log."""
        until = time.monotonic() + 1.0
        while self.alive and time.monotonic() < until:
            time.sleep(0.02)
        self.end(grace=0.0)
        code = self._process.returncode
        how = f"with {code}" if code >= 0 else f"by {_named(-code)}"
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - LOG))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
            if lines:
                return f"{how}; its last line: {visible(lines[-1], 300)}"
        return how

    def _tell(self, known: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None, "it is a pipe"
        # It stays open: when it closes, the worker ends.
        self._process.stdin.write(json.dumps(known).encode() + b"\n")
        self._process.stdin.flush()

    def _accepted(self, listener: socket.socket) -> socket.socket:
        listener.settimeout(0.2)
        until = time.monotonic() + STARTS
        while time.monotonic() < until:
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                connection.settimeout(STARTS)
                return connection
            if not self.alive:
                raise Closed(f"the process for {self.source.name} ended {self.last_words()}")
        raise Closed(f"the process for {self.source.name} did not call within {STARTS:.0f} s")

    def _frame(self) -> tuple[dict[str, Any], dict[str, Any]]:
        assert self._connection is not None, "a worker is connected once it is made"
        return receive(self._connection)

    def _error(self, record: Mapping[str, Any]) -> ProbeError:
        sentence = record.get("sentence")
        kind = {"refused": Refused, "defect": Defect}.get(str(record.get("frame")))
        if kind is None or not isinstance(sentence, str):
            return WireError("what came is no answer")
        return kind(sentence)


def _listening(folder: Path) -> socket.socket:
    """A socket that only this user can reach, or only this machine if the system has no such sockets."""
    address = str(folder / "socket")
    if hasattr(socket, "AF_UNIX") and len(os.fsencode(address)) <= PATH:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
    else:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    return listener


def _progress(record: Mapping[str, Any]) -> Progress:
    done, total, said = (record.get(key) for key in ("done", "total", "said"))
    if not isinstance(done, int) or not isinstance(total, int) or not isinstance(said, str):
        raise WireError("what came is no progress")
    return Progress(done, total, said)


def _ended(pid: int) -> bool:
    """Whether a child process has ended, without reaping it, so that its id is not reused."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _named(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
