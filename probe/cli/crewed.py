"""The workers of `probe audit --engine ray`, each of which opens the model and the rows that a plan names."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from probe.cli.app import print_err
from probe.engines import crew_of, threads_of
from probe.engines.crew import Crew
from probe.errors import PlanError

MOST = 10**4
Opener = Callable[[Any], tuple[Any, Any]]


@contextmanager
def crewed(engine: str, workers: int, device: str) -> Iterator[Crew | None]:
    """Workers that take messages, until the block ends; None without an engine, or with one that runs commands."""
    if engine and not 1 <= workers <= MOST:
        raise PlanError(f"--workers {workers}, expected at least 1, and at most 10,000")
    gpu = bool(device) and not device.startswith("cpu")
    crew = crew_of(engine, workers, lambda line: print_err(f"probe: {line}"), gpu=gpu) if engine else None
    if crew is None:
        yield None
        return
    try:
        crew.hold(_loaded)  # while the caller opens the model
        yield crew
    finally:
        crew.close()


def workers_of(crew: Crew | None, plan: Any, opened: Opener) -> Any:
    """What an audit asks: a crew, each of whose workers opens the plan in this folder; None without one."""
    from probe.audit.crewed import Workers

    if crew is None:
        return None
    count = int(threads_of(crew.workers)["OMP_NUM_THREADS"])
    return Workers(crew, partial(opened_in, str(Path.cwd()), plan, opened), count)


def _loaded() -> Callable[[Any], Any]:
    """Load torch."""
    import_module("probe.audit.crewed")
    return str


def opened_in(folder: str, plan: Any, opened: Opener) -> tuple[Any, Any, Any]:
    """The plan, the model and the rows that it asks for, opened in a folder."""
    os.chdir(folder)
    model, data = opened(plan)
    return plan, model, data.sample(plan.resolved(model, data).data.sample or None, plan.seed)
