"""Labels in arrays that are no single class of a row: several labels, numbers, a class at each place."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.errors import DataError
from probe.images.common import refuse_twice
from probe.task import MultiLabel, Places, Regression, Task


def several(
    arrays: Mapping[str, NDArray[Any]], names: Sequence[str] | None, task: Task | None, path: str
) -> tuple[tuple[str, ...], Tensor]:
    """The names of the labels, and the labels of each row: numbers, or 0 and 1, or the index of a class at each place.

    Args:
        arrays: one (rows, labels), or a column (rows,) for each label, by name.
        names: of the labels, or of the classes at places; of several arrays their own unless given.
        task: what labels are; several labels where they are 0 and 1, unless given.
        path: of the file, for messages.

    Raises:
        DataError: if they are not what the task has.
    """
    table, called = _table(arrays, path), tuple(map(str, names or ()))
    refuse_twice(called)
    if isinstance(task, Regression):
        if called:
            raise DataError(f"classes names {', '.join(called)}, and the labels of {path} are numbers; leave it out")
        return (), torch.from_numpy(table).to(torch.get_default_dtype())
    if isinstance(task, Places):
        whole = table.astype(np.int64)
        if not np.array_equal(whole, table):
            raise DataError(f"the labels of {path} are not whole, expected the index of a class at each place")
        return called, torch.from_numpy(whole)
    true = np.isin(table, [0, 1])
    if not (isinstance(task, MultiLabel) or (task is None and true.all())):
        remedy = "write labels.argmax(1) where they are one-hot; " if is_single(table) else ""
        raise DataError(
            f"the labels of {path} are {table.shape}, and each row has one class: (rows,); {remedy}where they are "
            "several labels, or numbers, say so: task=MultiLabel() or Regression(), in a plan "
            '[model] task = "multilabel"'
        )
    table = table[:, None] if table.ndim == 1 else table
    if not true.all():
        odd = float(table[~true.reshape(table.shape)][0])
        raise DataError(f"the labels of {path} hold {odd:g}, expected 0 or 1: whether each label is true")
    called = called or (tuple(arrays) if len(arrays) == table.shape[1] else ())
    called = called or tuple(f"label {at}" for at in range(table.shape[1]))
    if len(called) != table.shape[1]:
        raise DataError(f"{path} has {table.shape[1]} labels for each row, and {len(called)} are named")
    return called, torch.from_numpy(table).long()


def is_single(table: NDArray[Any]) -> bool:
    """Whether each row has a single 1 among zeros, as classes may be written."""
    return (
        table.ndim == 2
        and table.shape[1] > 1
        and bool(((table == 1).sum(1) == 1).all() and np.isin(table, [0, 1]).all())
    )


def single_true(labels: NDArray[Any], task: Task | None, path: str) -> tuple[str, ...]:
    """A notice where nobody said that labels are several, and they look like one class for each row."""
    if task is not None or not is_single(labels):
        return ()
    return (
        f"the labels of {path} are taken as {labels.shape[1]} labels of each row, of which one is true in every row; "
        "if they are classes written one-hot, save labels.argmax(1)",
    )


def _table(arrays: Mapping[str, NDArray[Any]], path: str) -> NDArray[np.float64]:
    """The labels as numbers, (rows,) of one array, or (rows, labels)."""
    rows = len(next(iter(arrays.values())))
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and not np.isfinite(array).all()):
            raise DataError(f"{name} of {path} holds {array.dtype}, expected finite numbers")
        if len(arrays) > 1 and array.shape != (rows,):
            raise DataError(f"{name} of {path} has shape {array.shape}, expected ({rows},): a column for each label")
    columns = [array.astype(np.float64) for array in arrays.values()]
    return columns[0] if len(columns) == 1 else np.stack(columns, 1)
