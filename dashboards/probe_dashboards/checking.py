"""Audits are verified by a process of their own, beside whatever the viewer does, and with memory of their own.

The process is started with the viewer, and verifies meanwhile the audit that is shown first. It ends when it has had
nothing to do for a while, or when the viewer ends; the next question starts another one.
"""

import json
import select
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from threading import Lock, Thread
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

    def begin(self, audits: str = "") -> None:
        """Start the process, which verifies the newest audit of a folder before anybody asks for it."""
        with self._turn, suppress(OSError):
            self._start(audits)

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

    def _start(self, audits: str = "") -> subprocess.Popen[str]:
        argv = [sys.executable, "-P", "-m", "probe_dashboards.checking", audits]
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


class Ahead:
    """The newest audit of a folder, verified beside the questions; none while it is being written."""

    def __init__(self, audits: str) -> None:
        from probe.audit import find

        self._folder = str(next(iter(find(audits)), ""))
        self._seen: tuple[str, Integrity] | None = None  # a stamp of its files, and what was found of them
        self._thread = Thread(target=self._verify, daemon=True)
        self._thread.start()

    def of(self, folder: str) -> "Integrity | None":
        """What was found of an audit, if it is that one and no file of it has changed since."""
        from probe_dashboards.views import runs

        if folder != self._folder:
            return None
        self._thread.join()
        return self._seen[1] if self._seen and self._seen[0] == runs.stamp(folder) else None

    def _verify(self) -> None:
        from probe import lock
        from probe_dashboards.views import runs

        if self._folder and lock.writer(self._folder) is None:
            stamp = runs.stamp(self._folder)
            self._seen = stamp, runs.checked(self._folder)


def main(audits: str = "") -> None:
    """Answer questions, one folder a line, until there are none for a while."""
    from probe_dashboards.views import runs

    import_module("probe.audit.verification")  # while the viewer starts
    ahead = Ahead(audits) if audits else None
    while select.select([sys.stdin], [], [], IDLE)[0] and (line := sys.stdin.readline()):
        folder = json.loads(line)
        found = (ahead and ahead.of(folder)) or runs.checked(folder)
        sys.stdout.write(json.dumps([found.intact, found.sentence, found.digests]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
