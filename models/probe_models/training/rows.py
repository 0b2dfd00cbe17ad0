"""Which rows are trained on, which choose the best epoch, and how many go together."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from probe import Dataset
from probe.errors import DataError, RangeError
from probe.tensors import generator, spans
from probe_models.training.loaders import Loader
from probe_models.training.objectives import Batch, Objective
from probe_models.training.settings import Settings
from probe_models.training.workers import Workers


def split_validation(data: Dataset, part: float) -> tuple[Dataset, Dataset]:
    """Divide the rows into those to train on and those to choose the best epoch by.

    The division is the same for all seeds of training, so that seeds can be compared on the validation rows.
    """
    learned, held_out = split_numbers(len(data), part, data.name)
    return data[learned], data[held_out]


def split_numbers(rows: int, part: float, name: str = "data") -> tuple[Tensor, Tensor]:
    """The numbers of the rows to train on, and of those to choose the best epoch by; see `split_validation`."""
    count = round(rows * part)
    if count < 1 or count >= rows:
        raise DataError(
            f"{name} has {rows} rows: too few to keep {part:.0%} of them for validation; give more rows, or another "
            "part: validation=0.5"
        )
    order = torch.randperm(rows, generator=generator(0, torch.device("cpu")))
    return order[count:], order[:count]


def batches(rows: int, size: int, min_batch: int = 1) -> list[slice]:
    """Slices of `size` rows; a last one of fewer than `min_batch` rows joins the slice before it."""
    found = list(spans(rows, size))
    if len(found) > 1 and found[-1].stop - found[-1].start < min_batch:
        found[-2:] = [slice(found[-2].start, rows)]
    return found


def min_batch_of(network: nn.Module, settings: Settings, workers: Workers) -> int:
    """How many rows a step needs: normalisation over a batch can do nothing with a row by itself, in any process."""
    if not any(isinstance(module, _BatchNorm) for module in network.modules()):
        return 1
    min_batch = 2 * workers.count
    if settings.batch_size < min_batch:
        each = f" for {workers.count} processes" * (workers.count > 1)
        raise RangeError(
            f"{type(network).__name__} normalises over the rows of a batch; Settings.batch_size must be "
            f"{min_batch} or more{each}, got {settings.batch_size}"
        )
    return min_batch


class Read:
    """The rows of a loader as steps take them, read when they are asked for."""

    def __init__(self, data: Loader, objective: Objective, device: torch.device) -> None:
        self.data, self.objective, self.device = data, objective, device

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, data: Dataset) -> Batch:
        """Rows that were read, as a step takes them."""
        return self.objective.rows(placed(data, self.device))


def rows_of(data: Dataset | Loader, objective: Objective, device: torch.device) -> Batch | Read:
    """All rows as steps take them: on the device, or read when they are asked for."""
    return objective.rows(placed(data, device)) if isinstance(data, Dataset) else Read(data, objective, device)


def placed(data: Dataset, device: torch.device) -> Dataset:
    """The rows on a device. Those that are there already were checked when they were made, which takes its time."""
    if data.inputs.device == device == data.labels.device:
        return data
    return replace(data, inputs=data.inputs.to(device), labels=data.labels.to(device))
