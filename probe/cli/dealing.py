"""`probe audit --engine`: the parts of audits on several workers, then each audit of its parts."""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from probe.cli.app import INTEGRITY, UNSAFE, print_err
from probe.cli.merging import WORKER, merged
from probe.engines import Job, Outcome, engine_of, run_jobs, threads_of
from probe.errors import DataError, IntegrityError, PlanError, ProbeError, UnsafeError


def deal(plans: Sequence[tuple[str, Sequence[str]]], out: Path, engine: str, workers: int) -> dict[str, ProbeError]:
    """Run the parts of audits, each with the arguments that name it; the error of each audit that has one.

    A part goes to OUT/NAME.parts, where the same command continues it.
    """
    if not 1 <= workers <= 10**4:
        raise PlanError(f"--workers {workers}, expected at least 1, and at most 10,000")
    place = engine_of(engine)
    jobs = [
        _job(name, arguments, folder, f"{number}/{workers}")
        for name, arguments in plans
        for number, folder in enumerate(_folders(out, name, workers), 1)
    ]

    def report(job: Job, what: str) -> None:
        print_err(f"{job.plan} {job.shard}: {what}")

    failed = run_jobs(place, jobs, workers, threads_of(workers) | {WORKER: "1"}, report)
    return {job.plan: _error(job, ended, out) for job, ended in reversed(failed.items())}


def finish(
    name: str,
    out: Path,
    workers: int,
    failed: dict[str, ProbeError],
    *,
    clear: Callable[[], None],
    show: Callable[[Any], None],
) -> dict[str, Any]:
    """The audit of the parts, which are deleted once it is written; `clear` makes room for it."""
    if name in failed:
        raise failed[name]
    clear()
    # Beside them may lie parts of an interrupted call with another number of workers.
    document = merged(_folders(out, name, workers), out / name, show=show)
    shutil.rmtree(_parts(out, name))
    return document


def _error(job: Job, ended: Outcome, out: Path) -> ProbeError:
    """What a part that failed makes of its audit, with the exit code of the part."""
    kind = {UNSAFE: UnsafeError, INTEGRITY: IntegrityError}.get(ended.code or 0, DataError)
    return kind(
        f"part {job.shard}: {ended.said}; the same command continues the parts in {_parts(out, job.plan)}; "
        "delete that folder to start over"
    )


def _job(name: str, arguments: Sequence[str], folder: Path, shard: str) -> Job:
    command = (sys.executable, "-m", "probe.cli", "audit", *arguments, "--shard", shard, "--out", str(folder))
    return Job(name, shard, command, folder)


def _folders(out: Path, name: str, workers: int) -> list[Path]:
    parts = _parts(out, name).resolve()
    return [parts / f"{number}-of-{workers}" for number in range(1, workers + 1)]


def _parts(out: Path, name: str) -> Path:
    return out / f"{name}.parts"
