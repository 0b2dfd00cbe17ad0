"""Data larger than memory: rows are read on demand.

`fit` takes whatever has a length and gives the rows that it is asked for, in that order, as a Dataset:

>>> class Photos:
...     def __len__(self):
...         return len(self.files)
...     def __getitem__(self, rows):
...         return Dataset(read([self.files[row] for row in rows]), self.labels[rows], classes=self.classes)

A seed decides the order of the rows, so that a run can be repeated, and taken up again where it was. What `fit` holds
at a time is a batch, and as many rows as `HELD` bytes have for each of: validation, the loss on training rows, and what
the inputs are standardised by.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from probe import Dataset, Space
from probe.errors import DataError, PlanError
from probe.names import a_kind
from probe.tensors import generator
from probe_models.training.settings import Settings

HELD = 2**26  # bytes
MOST_WORKERS = 256


class Loader(Protocol):
    """Labelled rows that are read on demand."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Tensor, /) -> Dataset:
        """The rows with these indices, in that order."""


@dataclass(frozen=True, eq=False)
class Stored:
    """Rows of an array on disk: `Stored(np.load("inputs.npy", mmap_mode="r"), labels)`.

    Bytes (uint8) are brightness and are divided by 255.
    """

    inputs: NDArray[Any]  # (rows, ...)
    labels: Tensor  # (rows, ...)
    classes: tuple[str, ...] = ()
    space: Space = field(default_factory=Space)
    name: str = "data"

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.labels):
            raise DataError(f"{self.name} has {len(self.inputs)} inputs and {len(self.labels)} labels; give one each")

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: Tensor) -> Dataset:
        read = torch.from_numpy(np.array(self.inputs[rows.numpy()]))
        inputs = read.float() / 255 if read.dtype == torch.uint8 else read
        return Dataset(inputs, self.labels[rows], classes=self.classes, space=self.space, name=self.name)


@dataclass(frozen=True, eq=False)
class Ahead:
    """The rows of a loader, read ahead of the steps by worker processes: `Ahead(files_in("photos"), workers=2)`.

    Random draws while reading depend only on the seed and the step: the number of workers changes nothing.
    """

    of: Loader
    workers: int

    def __post_init__(self) -> None:
        if type(self.workers) is not int or not 0 <= self.workers <= MOST_WORKERS:
            raise PlanError(f"Ahead.workers = {self.workers!r:.40}, expected processes from 0 to {MOST_WORKERS}")

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, rows: Tensor) -> Dataset:
        return self.of[rows]


def workers_of(data: Loader) -> int:
    """The number of worker processes of a loader; 0 reads in the main process."""
    return workers_of(data.of) if isinstance(data, Part) else int(getattr(data, "workers", 0))


@dataclass(frozen=True, eq=False)
class Examples:
    """The examples of a torch DataLoader: its dataset and collate function, in an order set by the seed.

    The batch size is that of the settings, and `num_workers` that of the DataLoader.
    """

    loader: "DataLoader[Any]"
    classes: tuple[str, ...] = ()
    space: Space = field(default_factory=Space)
    name: str = "data"

    def __post_init__(self) -> None:
        if isinstance(self.loader.dataset, IterableDataset) or not hasattr(self.loader.dataset, "__len__"):
            raise PlanError(
                "an iterable data set of torch has its own order, which a seed cannot set; give one with "
                "__len__ and __getitem__"
            )

    @property
    def workers(self) -> int:
        """The number of worker processes."""
        return self.loader.num_workers

    def __len__(self) -> int:
        return len(self.loader.dataset)  # type: ignore[arg-type]  # seen above

    def __getitem__(self, rows: Tensor) -> Dataset:
        found = self.loader.collate_fn([self.loader.dataset[row] for row in rows.tolist()])
        if not isinstance(found, list | tuple) or len(found) != 2 or not all(isinstance(t, Tensor) for t in found):
            raise DataError(
                f"the examples of {self.name} are {type(found).__name__}, expected pairs: (inputs, label); "
                "give the DataLoader a collate_fn that makes them"
            )
        inputs, labels = found
        return Dataset(inputs, labels, classes=self.classes, space=self.space, name=self.name)


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a loader."""

    of: Loader
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Tensor) -> Dataset:
        return self.of[self.rows[rows]]


class Divided(NamedTuple):
    """The rows of a run."""

    training: Dataset | Loader
    known: Dataset  # as many of them as are held in memory
    validation: Dataset


def loader_of(data: Any) -> Dataset | Loader:
    """The data given to `fit`, as a loader.

    Raises:
        PlanError: if rows cannot be read by index.
    """
    if isinstance(data, DataLoader):
        return Examples(data)
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        raise PlanError(
            "fit trains on a Dataset, torch's DataLoader, or what has __len__ and __getitem__(rows); "
            f"got {a_kind(data)}, whose order a seed cannot set"
        )
    if isinstance(data, list | tuple):
        raise _strange(f"{a_kind(data)}")
    found: Dataset | Loader = data
    return found


def _strange(found: str) -> DataError:
    return DataError(
        f"a loader gives the rows that it is asked for as a probe.Dataset; this one gave {found}; write "
        "probe.Dataset(inputs, labels), or DataLoader(data) for a data set of torch"
    )


def divide(data: Loader, settings: Settings, validation: Dataset | None) -> Divided:
    """Split the rows of a loader as those of a Dataset, holding no more in memory than fits.

    Raises:
        PlanError: if groups are balanced, which needs all rows at once.
    """
    if settings.balance:
        raise PlanError("Settings.balance counts the groups of all rows at once; leave it out, or give a Dataset")
    count = len(data)
    first: Any = data[torch.arange(min(count, 1))]
    if not isinstance(first, Dataset) or not len(first):
        found = f"{a_kind(first)}" if count else "none, as it has no rows"
        raise _strange(found)
    most = max(1, HELD // max(1, first.inputs.nbytes))
    if validation is not None:
        training = Part(data, torch.arange(count))
    else:
        held = min(round(count * settings.validation), most)
        if held < 1 or held >= count:
            raise DataError(
                f"{first.name} has {count} rows: too few to keep {settings.validation:.0%} of them for validation; "
                "give more rows, or another part: validation=0.5"
            )
        order = torch.randperm(count, generator=generator(0, torch.device("cpu")))
        training, validation = Part(data, order[held:]), data[order[:held]]
    return Divided(training, training[torch.arange(min(len(training), most))], validation)


def digest(data: Dataset | Loader, divided: Divided) -> str:
    """A digest of the data of a run: of a loader of what is held in memory, and of how many rows there are."""
    if isinstance(data, Dataset):
        return data.digest()
    return sha256(f"{divided.known.digest()} {divided.validation.digest()} {len(data)}".encode()).hexdigest()
