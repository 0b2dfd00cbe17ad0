"""Audits are verified by a process of their own, beside whatever the viewer does, and with memory of their own.

The process is started with the viewer and loads what it needs meanwhile. It ends when it has had nothing to do for a
while, or when the viewer ends; the next question starts another one.
"""

import json
import select
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe_dashboards.views.runs import Integrity

IDLE = 60.0  # seconds after which a process without work ends
TRIES = 2  # the first process may have just ended


class Checker:
    """A process that verifies one audit after the other."""

    def __init__(self) -> None:
        self._turn = Lock()
        self._process: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Start the process."""
        with self._turn, suppress(OSError):
            self._start()

    def check(self, folder: str) -> "Integrity":
        """What `runs.check` says of an audit. Where no process can be started, this process verifies it."""
        from probe_dashboards.views import runs  # not on top: the process is to be started before this one loads that

        with self._turn:
            for _ in range(TRIES):
                with suppress(OSError, ValueError):  # it has ended, or was killed before it answered
                    return self._asked(folder)
                self.end()
        return runs.check(folder)

    def end(self) -> None:
        """End the process."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            with suppress(OSError), process:  # which closes its streams
                pass

    def _start(self) -> subprocess.Popen[str]:
        argv = [sys.executable, "-P", "-m", "probe_dashboards.checking"]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        # In a session of its own: Ctrl-C is for the viewer, with whose end the process reads the end of its questions.
        self._process = subprocess.Popen(argv, text=True, encoding="utf-8", start_new_session=True, **streams)  # type: ignore[call-overload]  # of streams
        return self._process

    def _asked(self, folder: str) -> "Integrity":
        from probe_dashboards.views import runs  # as in `check`

        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(folder) + "\n")
        process.stdin.flush()
        intact, sentence, digests = json.loads(process.stdout.readline())
        return runs.recorded(folder, runs.Integrity(intact=intact, sentence=sentence, digests=tuple(digests)))


def main() -> None:
    """Answer questions, one folder a line, until there are none for a while."""
    from probe_dashboards.views import runs

    import_module("probe.audit.verification")  # while the viewer starts
    while select.select([sys.stdin], [], [], IDLE)[0] and (line := sys.stdin.readline()):
        found = runs.checked(json.loads(line))
        sys.stdout.write(json.dumps([found.intact, found.sentence, found.digests]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
