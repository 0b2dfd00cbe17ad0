"""A study by several workers: each runs the script again up to the same call, and does what no other has done.

With local processes the caller, which has everything at hand, is one of the workers, and the others join it. Where it
has no other thread they are copies of it, which need not run the script again.

A unit is a batch of rows of a cell, or the metrics of a cell whose batches are all saved. Whoever begins a unit claims
it in the folder; a claim ends with its process, so the unit of a lost worker is free again.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch

from probe.engines import Job, engine_of, from_here, run_jobs, threads_of
from probe.engines.copies import can_copy, copied
from probe.errors import DataError, ExistsError, ProbeError, RangeError, Unsupported
from probe.study.asking import ask_batch, batches_of
from probe.study.cells import Cell
from probe.study.record import Folder
from probe.study.steps import Shelf, carry_out

OF = "PROBE_STUDY"  # environment variable of a worker: the folder of its study
PAUSE = 0.05  # seconds between two looks at what others have begun


def part_of(out: Path) -> bool | None:
    """Whether this process is a worker of the study in this folder; None if it is no worker."""
    return Path(os.environ[OF]) == out.resolve() if OF in os.environ else None


def deal(
    out: Path,
    engine: str,
    workers: int,
    report: Callable[[str], None],
    own: Callable[[], None],
    quietly: Callable[[], None],
) -> str:
    """Let workers do the units of a study; why some of them ended, if they did. Ctrl-C ends them all.

    `own` does units here until all are done, if this process is one of the workers, and looks at what is done if not.
    `quietly` does units in a copy of this process, and says nothing.

    Raises:
        PlanError: if there is no such engine.
        Unsupported: if what it needs is not installed, or this is no script that can be run again.
    """
    place, script = engine_of(engine), from_here(this_script())
    first = 2 if takes_part(engine) else 1
    jobs = [Job(out.name, f"{number}/{workers}", script, out) for number in range(first, workers + 1)]
    environment = threads_of(workers) | {"OMP_NUM_THREADS": str(threads(workers)), OF: str(out.resolve())}

    def told(job: Job, said: str) -> None:
        report(f"worker {job.shard}: {said}")

    if not takes_part(engine):
        failed = run_jobs(place, jobs, workers, environment, told, own)
        return "; ".join(f"worker {job.shard}: {ended.said}" for job, ended in failed.items())
    count = threads(workers)
    if can_copy():
        with (
            threads_set(count),
            copied(workers - 1, quietly, lambda number, said: report(f"worker {number + first}/{workers}: {said}")),
        ):
            own()
        return ""
    needed = True
    with ThreadPoolExecutor(1) as pool:
        others = pool.submit(
            run_jobs, place, jobs, workers, environment, lambda job, said: told(job, said) if needed else None
        )
        try:
            with threads_set(count):
                own()
        finally:
            needed = False
            place.end()  # those that have not begun yet, or wait
    others.result()
    return ""


def takes_part(engine: str) -> bool:
    """Whether the caller is one of the workers: where they are on its machine."""
    return engine == "processes"


def threads(workers: int) -> int:
    """How many threads each worker has: no more than the caller."""
    return min(int(threads_of(workers)["OMP_NUM_THREADS"]), torch.get_num_threads())


@contextmanager
def threads_set(count: int) -> Iterator[None]:
    """Give torch so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_workers(engine: str | None, workers: int | None, out: object) -> int:
    """The number of workers; one for each core unless given.

    Raises:
        DataError: if engine, workers and out do not fit together.
    """
    if engine is None:
        if workers is not None:
            raise DataError('workers were given without an engine; add engine="processes", or leave workers out')
        return 0
    if out is None:
        raise DataError('engine= needs out=, the folder that its workers share; add out="NAME"')
    found = (os.cpu_count() or 1) if workers is None else workers
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= 10**4:
        raise RangeError(f"workers = {workers!r:.40}, expected a whole number from 1 to 10,000")
    return found


def this_script() -> tuple[str, ...]:
    """The command that started this process.

    Raises:
        Unsupported: if it cannot be run again, as in a notebook.
    """
    given = sys.orig_argv[1:]
    interactive = hasattr(sys, "ps1") or "ipykernel" in sys.modules or not any(each != "-" for each in given)
    if interactive:
        raise Unsupported(
            "engine= runs this script again in each worker, and a notebook or a prompt is no script; write the cells "
            "to a file and run it with python, or leave engine out"
        )
    return (sys.executable, *given)


def share(cells: Sequence[Cell], folder: Folder, shelf: Shelf[Cell], watch: Callable[[], None] = lambda: None) -> None:
    """Do units that no other worker has begun, until all are done; a cell that fails is left to the caller.

    `watch` is called after each.
    """
    failed: set[str] = set()
    while left := [cell for cell in cells if cell.name not in failed and not folder.has(cell.name)]:
        if not any(_advanced(cell, folder, shelf, failed) for cell in left):
            time.sleep(PAUSE)
        watch()


def _advanced(cell: Cell, folder: Folder, shelf: Shelf[Cell], failed: set[str]) -> bool:
    """Whether this worker did any unit of a cell."""
    parts, done = cell.subject.parts, False
    assert parts, "a study of several workers has a folder"
    batches = batches_of(cell.method, cell.subject)
    for rows in batches:
        if folder.has(cell.name):
            return done
        if not parts.has(rows):
            try:
                with folder.claim(f"{cell.name}/{rows.start}"):
                    if not parts.has(rows) and not folder.has(cell.name):
                        ask_batch(cell.method, cell.subject, rows)
                        done = True
            except ExistsError:  # another worker has it
                continue
            except ProbeError:
                failed.add(cell.name)
                return done
    if all(map(parts.has, batches)):
        try:
            with folder.claim(f"{cell.name}/cell"):
                if not folder.has(cell.name):
                    carry_out([cell], cell.subject.model, shelf, lambda name, done, total: None)
                    done = True
                    if not folder.has(cell.name):
                        failed.add(cell.name)
        except ExistsError:
            pass
    return done
