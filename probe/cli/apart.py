"""`probe train NAME... --engine`: each network and seed is a training of its own, by one of several workers."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from typer.main import get_command_from_info

from probe.cli.app import app, print_err
from probe.engines import Job, engine_of, from_here, run_jobs, threads_of
from probe.errors import DataError, PlanError

CARD = "card.json"
OWN = ("names", "out", "seed", "seeds", "engine", "workers", "as_json")  # options that are not passed on to a worker


def train_apart(given: Mapping[str, Any], folders: Mapping[str, Path], seeds: range, engine: str, workers: int) -> None:
    """Train each network and seed that is not done; the same command without an engine finds them.

    It then writes the card of all seeds of a network. `folders` are those of the networks, by name.

    Raises:
        PlanError: if there is nothing to divide, or no such engine.
        DataError: if a training failed.
    """
    if not engine:
        raise PlanError("--workers is for --engine; add --engine processes, or leave --workers out")
    if len(seeds) * len(folders) == 1:
        raise PlanError("--engine trains several at once; add --seeds 4, or name more networks, or leave --engine out")
    place, workers = engine_of(engine), workers or os.cpu_count() or 1
    said = tuple(as_said(given))
    jobs = []
    for name, out in folders.items():
        for number, seed in enumerate(seeds):
            folder = out / f"seed-{seed}" if number else out
            if not (folder / CARD).exists():
                asked = (name, *said, f"--seed={seed}", f"--out={folder}")
                command = (sys.executable, "-m", "probe.cli", "train", *asked)
                jobs.append(Job(name, f"seed {seed}", from_here(command), folder))
    failed = run_jobs(
        place, jobs, workers, threads_of(workers), lambda job, what: print_err(f"{job.plan} {job.shard}: {what}")
    )
    for job, ended in failed.items():
        raise DataError(f"{job.plan}, {job.shard}: {ended.said}; the same command continues it in {job.folder}")


def as_said(given: Mapping[str, Any]) -> Iterator[str]:
    """The options of `probe train` that differ from their defaults, but for those of `OWN`."""
    train = next(each for each in app.registered_commands if each.name == "train")
    for asked in get_command_from_info(train, pretty_exceptions_short=True, rich_markup_mode=None).params:
        value = given.get(asked.name or "")
        if asked.name in OWN or value is None or value == asked.default:
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            yield asked.opts[-1] if isinstance(each, bool) else f"{asked.opts[-1]}={each}"
