"""Processes of a test's own that start at once: each is forked from one that has loaded what they need."""

import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

_FORKED = multiprocessing.get_context("forkserver")
LOADED = ["torch._dynamo", "pandas", "safetensors.torch", "probe.audit.runner", "tests.models.test_workers"]
_FORKED.set_forkserver_preload(LOADED)


def start(code: str, *arguments: object, said: Path, environment: Mapping[str, str] = {}) -> BaseProcess:
    """Run code as `python -c` does, with its standard error in the file `said`."""
    given = (code, list(map(str, arguments)), str(said), dict(environment), list(sys.path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # where the first of all finds what it loads
        ensure_running()
    process = _FORKED.Process(target=_run, args=given, daemon=True)
    process.start()
    return process


def signalled(command: Sequence[object], at: str, number: int, *, said: Path) -> int | None:
    """Run a command of probe and send it a signal once it has said something; its exit code."""
    process = start("from probe.cli import main; main()", *command, said=said)
    end = time.monotonic() + 120
    while at not in (said.read_text() if said.exists() else ""):
        assert process.is_alive(), said.read_text()
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.05)
    os.kill(process.pid, number)
    process.join(120)
    return process.exitcode


def _run(code, arguments, said, environment, path):
    os.environ.update(environment)
    sys.argv, sys.path[:] = ["-c", *arguments], path
    with Path(said).open("w") as file:
        os.dup2(file.fileno(), 2)
    exec(code, {"__name__": "__main__"})
