"""Processes of a test's own that start at once: each is forked from one that has torch and the training loaded."""

import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["torch", "pandas", "safetensors.torch", "probe", "probe_models.training.loop"])


def start(code: str, *arguments: object, said: Path, environment: Mapping[str, str] = {}) -> BaseProcess:
    """Run code as `python -c` does, with its standard error in the file `said`."""
    given = (code, list(map(str, arguments)), str(said), dict(environment), list(sys.path))
    process = _FORKED.Process(target=_run, args=given, daemon=True)
    process.start()
    return process


def _run(code, arguments, said, environment, path):
    os.environ.update(environment)
    sys.argv, sys.path[:] = ["-c", *arguments], path
    with Path(said).open("w") as file:
        os.dup2(file.fileno(), 2)
    exec(code, {"__name__": "__main__"})
