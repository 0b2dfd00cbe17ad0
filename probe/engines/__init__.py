"""Engines run the parts of audits, studies and trainings on several workers: local processes, Ray, or Slurm.

A part is a command, such as `probe audit --plan p.toml --shard 1/4 --out part`, which continues where it ended. An
engine runs one command somewhere and says how it ended; the part of a worker that was lost is run again. Ray also has
a crew (`crew.py`): workers that hold a model, and to which batches are sent as messages.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from probe.engines.crew import Crew
from probe.errors import PlanError, Unsupported
from probe.extras import EXTRAS

TIMES = 3  # how often a part is run whose worker is lost
SECOND = 1.0
THERE = "import os, sys; os.chdir(sys.argv[1]); os.execvp(sys.argv[2], sys.argv[2:])"
LOST = 137  # the exit code of a part whose worker is lost each time, as of a process that is killed
ENGINES = {"processes": "processes", "ray": "on_ray", "slurm": "on_slurm"}
CREWED = {"ray"}  # those whose workers take messages


@dataclass(frozen=True)
class Job:
    """One part of a piece of work, such as an audit, to be run by a worker."""

    plan: str  # the name of the work
    shard: str
    command: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int | None  # its exit code; None if its worker was lost
    said: str = ""  # the last line on stderr; of one that failed, why


@runtime_checkable
class Engine(Protocol):
    """Somewhere to run commands."""

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> Outcome:
        """Run a command to its end; several threads call this at once."""

    def end(self) -> None:
        """End the commands that run, as SIGTERM does; no other is run."""


def engine_of(name: str) -> Engine:
    """An engine by its name.

    Raises:
        PlanError: if there is none of that name.
        Unsupported: if what it needs is not installed.
    """
    engine: Engine = _module(name).make()
    return engine


def crew_of(name: str, workers: int, report: Callable[[str], None], *, gpu: bool = False) -> Crew | None:
    """Workers of an engine that take messages, on a GPU each if asked; None if it runs commands alone.

    Raises:
        PlanError: if there is no engine of that name.
        Unsupported: if what it needs is not installed.
    """
    if name not in CREWED and name in ENGINES:
        return None
    crew: Crew = _module(name).crew(workers, report, gpu=gpu)
    return crew


def _module(name: str) -> Any:
    if name not in ENGINES:
        raise PlanError(f"the engine {name!r:.40} is unknown; there are {', '.join(ENGINES)}")
    try:
        return import_module(f"probe.engines.{ENGINES[name]}")
    except ImportError as error:
        raise Unsupported(
            f"the engine {name} needs {error.name}, which is not installed; {EXTRAS[name].install()}, or use the "
            "engine processes"
        ) from None


def from_here(command: Sequence[str]) -> tuple[str, ...]:
    """The command, to be run in the folder of this process wherever a worker begins."""
    return (sys.executable, "-c", THERE, str(Path.cwd()), *command)


def whereto(command: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The command and the folder that it is run in."""
    if tuple(command[:3]) == (sys.executable, "-c", THERE):
        return tuple(command[4:]), command[3]
    return tuple(command), str(Path.cwd())


def threads_of(workers: int) -> dict[str, str]:
    """The environment of a worker: its share of the cores, unless the user has set another."""
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // workers)), **os.environ}


def run_jobs(
    engine: Engine,
    jobs: Sequence[Job],
    workers: int,
    environment: Mapping[str, str],
    report: Callable[[Job, str], None],
    watch: Callable[[], None] = lambda: None,
) -> dict[Job, Outcome]:
    """Run jobs, at most `workers` at once; the outcomes of those that failed.

    `report` hears how each ended; `watch` is called each second.
    """
    failed: dict[Job, Outcome] = {}
    with _ended(engine), ThreadPoolExecutor(max_workers=workers) as pool:
        running = {pool.submit(_until_done, engine, job, environment, report): job for job in jobs}
        try:
            left = set(running)
            while left:
                ended_now, left = wait(left, SECOND, FIRST_COMPLETED)
                for future in ended_now:
                    ended, job = future.result(), running[future]
                    report(job, ended.said if ended.code else "done")
                    if ended.code:
                        failed[job] = ended
                watch()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            engine.end()
            raise
    return failed


@contextmanager
def _ended(engine: Engine) -> Iterator[None]:
    try:
        yield
    finally:
        engine.end()


def _until_done(
    engine: Engine, job: Job, environment: Mapping[str, str], report: Callable[[Job, str], None]
) -> Outcome:
    """Run a job until a worker lives to its end."""
    for left in reversed(range(TIMES)):
        outcome = engine.run(job.command, environment)
        if outcome.code is not None:
            return replace(outcome, said=outcome.said or f"ended with exit code {outcome.code}")
        if left:
            report(job, "its worker was lost, and it is run again")
    return Outcome(LOST, f"its worker was lost {TIMES} times")
