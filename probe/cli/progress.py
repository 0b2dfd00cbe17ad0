"""Progress on stderr: a bar on a terminal, a line per step elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from probe.cli.app import print_err, visible_lines


@contextmanager
def progress(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that takes the step and how many of its examples are done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(step: str, done: int, total: int) -> None:
            if step not in tasks:
                # Markup is off for a description with brackets in it, such as a run's name.
                tasks[step] = bars.add_task(visible_lines(f"{title}: {step}").replace("[", "("), total=max(total, 1))
            bars.update(tasks[step], completed=max(done, 1) if done == total else done)

        yield advance


def _lines(title: str) -> Callable[[str, int, int], None]:
    def advance(step: str, done: int, total: int) -> None:
        if done == 0:
            print_err(f"{title}: {step}" + f" ({total:,} examples)" * (total > 0))

    return advance
