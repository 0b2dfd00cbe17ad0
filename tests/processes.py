"""Processes of a test's own that start at once: each is forked from one that has loaded what they need."""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

_FORKED = multiprocessing.get_context("forkserver")
LOADED = ["torch._dynamo", "pandas", "safetensors.torch", "probe.audit.runner", "tests.models.test_workers"]
LOADED += ["probe.cli", "probe.report", "probe_models.zoo.train"]
_FORKED.set_forkserver_preload(LOADED)
UNWRITTEN = "from probe.report import blocks; blocks.to_svg = lambda ax, **how: '<svg></svg>'"


def start(code: str, *arguments: object, said: Path, environment: Mapping[str, str] = {}) -> BaseProcess:
    """Run code as `python -c` does, with its standard error in the file `said`."""
    return _start([sys.executable, "-c", code, *map(str, arguments)], said, os.environ | environment)


class Started:
    """What `subprocess.Popen` gives the engine of local processes, of a process that is forked."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], **_: object) -> None:
        file, name = tempfile.mkstemp()
        os.close(file)
        self._said = Path(name)
        self._process = _start(command, self._said, env)

    def communicate(self) -> tuple[None, str]:
        self._process.join()
        said = self._said.read_text()
        self._said.unlink()
        return None, said

    def terminate(self) -> None:
        self._process.terminate()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode


def signalled(command: Sequence[object], at: str, number: int, *, said: Path) -> int | None:
    """Run a command of probe and send it a signal once it has said something; its exit code. Figures are not drawn."""
    process = start(f"{UNWRITTEN}; from probe.cli import main; main()", *command, said=said)
    end = time.monotonic() + 120
    while at not in (said.read_text() if said.exists() else ""):
        assert process.is_alive(), said.read_text()
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.05)
    os.kill(process.pid, number)
    process.join(120)
    return process.exitcode


# In place of `subprocess` in `probe.engines.processes`.
FORKED = SimpleNamespace(Popen=Started, PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL)


def _start(command: Sequence[str], said: Path, environment: Mapping[str, str]) -> BaseProcess:
    given = list(command), str(said), dict(environment), list(sys.path), str(Path.cwd()), os.getpid()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # where the first of all finds what it loads
        patch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # a page under test has put itself in its place
        ensure_running()
        process = _FORKED.Process(target=_run, args=given, daemon=True)
        process.start()
    return process


def _run(command, said, environment, path, folder, parent):
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:] = path
    os.getppid = lambda: parent
    os.execvp = lambda _, command: _become(command)
    with Path(said).open("w") as file:
        os.dup2(file.fileno(), 2)
    _become(command)


def _become(command: Sequence[str]) -> None:
    """Go on as the interpreter does with this command, and end."""
    _, how, *rest = command
    while how in ("-I", "-S"):
        how, *rest = rest
    sys.argv = ["-c", *rest[1:]]
    if how == "-c":
        exec(rest[0], {"__name__": "__main__"})
    elif how == "-m":
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [how, *rest]
        runpy.run_path(how, run_name="__main__")
    sys.exit(0)
