"""The rows of steps, read when they are needed; by further processes ahead of the steps where a loader has some."""

import signal
from collections.abc import Generator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Numbered

from probe import Dataset
from probe.errors import ProbeError
from probe_models.randomness import fixed
from probe_models.training.loaders import Loader, workers_of
from probe_models.training.objectives import Batch
from probe_models.training.rows import Read

AHEAD = 2  # batches that each process holds ready


def read(rows: Batch | Read, wanted: Sequence[Tensor], seeds: Sequence[int]) -> Generator[Batch]:
    """The batches of steps, one after the other.

    Args:
        rows: all rows, in memory or read when they are asked for.
        wanted: the numbers of the rows of each step.
        seeds: of what is drawn from global random states while each of them is read, in whichever process.

    Raises:
        ProbeError: if a process that reads has ended.
    """
    if not isinstance(rows, Read):
        yield from (rows[which] for which in wanted)
        return
    asked = _Asked(rows.data, [which.cpu() for which in wanted], seeds)
    count = min(workers_of(rows.data), len(wanted))
    if not count:
        for at in range(len(asked)):
            yield rows.batch(_whole(asked[at]))
        return
    # Its own source: of the global one it would take a number that the number of processes must not decide.
    found = DataLoader(
        asked, batch_size=None, num_workers=count, prefetch_factor=AHEAD, collate_fn=_as_it_is,
        worker_init_fn=_leave_signals, generator=torch.Generator(),
    )  # fmt: skip
    try:
        for each in found:
            yield rows.batch(_whole(each))
    except RuntimeError as error:
        if isinstance(error, ProbeError) or "DataLoader worker" not in str(error):
            raise
        raise ProbeError(
            f"a worker process ended ({str(error).splitlines()[0][:200]}); the same call continues "
            "from the last state, and fewer workers need less memory"
        ) from None


class _Asked(Numbered[Any]):
    """The rows of each step, by its number."""

    def __init__(self, data: Loader, wanted: Sequence[Tensor], seeds: Sequence[int]) -> None:
        self.data, self.wanted, self.seeds = data, wanted, seeds

    def __len__(self) -> int:
        return len(self.wanted)

    def __getitem__(self, at: int) -> Dataset | ProbeError:
        try:
            with fixed(self.seeds[at]):
                return self.data[self.wanted[at]]
        except ProbeError as error:
            return error  # as it is: torch would make a traceback of it


def _whole(found: Dataset | ProbeError) -> Dataset:
    if isinstance(found, ProbeError):
        raise found
    return found


def _as_it_is(found: Any) -> Any:
    return found


def _leave_signals(worker: int) -> None:
    """Ctrl-C in a terminal reaches all processes; the one that trains ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
