"""The training rows of a model that a plan names, read in the same way as the audited rows."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from torch import Tensor

from probe.audit.sources import FILES, DataSource
from probe.cli import own_tables
from probe.columns import inputs_of, names_of, plain
from probe.csvfile import read_csv
from probe.dataset import Dataset
from probe.errors import DataError
from probe.frames import Declared, answers_of
from probe.space import Space
from probe.task import Task

Learned = tuple[Tensor, Tensor, tuple[str, ...]]  # inputs, labels, and notices


def learned(source: DataSource, data: Dataset, task: Task | None, read: Callable[[DataSource], Dataset]) -> Learned:
    """The training rows that a plan names, as inputs of the data's own space.

    Args:
        source: which names them, as `train`.
        data: the rows that are audited.
        task: what labels are; classes unless given.
        read: how the plan reads a source.

    Raises:
        DataError: if they cannot be read as the data were.
    """
    if source.csv and data.space.names:
        return _table(replace(source, csv=source.train), data, task)
    key = next((key for key in FILES if getattr(source, key)), "split")
    changed = replace(source, train="", groups=(), classes=source.classes or data.classes)
    rows = read(replace(changed, **{key: source.train}))  # type: ignore[arg-type]  # each of these is a text
    if rows.inputs.shape[1:] != data.inputs.shape[1:]:
        raise DataError(
            f"{source.train} has rows of shape {tuple(rows.inputs.shape[1:])}, and {data.name} has rows of shape "
            f"{tuple(data.inputs.shape[1:])}; name training rows of the same shape as data.train"
        )
    return rows.inputs, rows.labels, ()


def unlike(source: DataSource, data: Dataset, read: Callable[[DataSource], Dataset]) -> Dataset:
    """The data with the outliers that a plan names, as inputs of the data's own space.

    Raises:
        DataError: if they cannot be read as the data were.
    """
    name, said = source.outliers.rpartition("/")[2], ""
    if source.csv and data.space.names:
        table, _ = read_csv(source.outliers, [], own_tables.how(source))
        table = table.set_axis([str(column) for column in table.columns], axis=1)
        if lacking := [column for column in data.space.names if column not in table]:
            raise DataError(f"{name} has no column {lacking[0]!r}, which {data.name} has; data.outliers needs the same")
        features = table[list(data.space.names)]
        known = _known(features, data.space, name)
        inputs = inputs_of(features[known], data.space, name)
        left = int((~known).sum())
        said = f"; {left:,} rows with values that {data.name} never has were left out" if left else ""
    else:
        key = next((key for key in FILES if getattr(source, key)), "zoo")
        bare = replace(source, train="", outliers="", groups=(), classes=(), truth=(), patch=(), split="test")
        inputs = read(replace(bare, **{key: source.outliers})).inputs  # type: ignore[arg-type]  # each is a text
    if inputs.shape[1:] != data.inputs.shape[1:]:
        raise DataError(
            f"{source.outliers} has rows of shape {tuple(inputs.shape[1:])}, and {data.name} has rows of shape "
            f"{tuple(data.inputs.shape[1:])}; name rows of the same shape as data.outliers"
        )
    notice = f"Outliers of surveys with shift = given are the {len(inputs):,} rows of {name}{said}"
    return replace(data, outliers=inputs, notices=(*data.notices, notice))


def _table(source: DataSource, data: Dataset, task: Task | None) -> Learned:
    """The rows of a table. Rows with values that the space of the data lacks are counted and left out."""
    labels, features = list(source.labels), list(data.space.names)
    table, _ = read_csv(source.csv, [c for c in labels if c not in features], own_tables.how(source))
    table = table.set_axis([str(column) for column in table.columns], axis=1)
    if lacking := [column for column in (*features, *labels) if column not in table]:
        raise DataError(
            f"{source.train} has no column {lacking[0]!r}, which {data.name} has; data.train needs the same columns"
        )
    name = source.csv.rpartition("/")[2]
    known = _known(table[features], data.space, name)
    declared = Declared(label=labels, task=task, groups=(), classes=data.classes or None)
    answers = answers_of(table[known].reset_index(drop=True), declared, name)
    left = int((~known).sum())
    said = f"{left:,} of the {len(table):,} rows of {name} hold values that {data.name} never has, and were left out"
    return inputs_of(table[features][known], data.space, name), answers.labels, (said,) if left else ()


def _known(frame: pd.DataFrame, space: Space, name: str) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which rows hold only values that the space has a coordinate for."""
    owner = np.arange(frame.shape[1]) if space.features is None else space.features.flatten().numpy()
    known = np.ones(len(frame), dtype=bool)
    for feature, column in enumerate(space.names):
        cells = plain(frame[column], name)
        absent = cells.isna().to_numpy()
        may = bool(space.missing) and space.missing[feature]
        if space.kinds[feature] == "category":
            levels = {space.levels[place] for place in np.flatnonzero(owner == feature)}
            there = np.isin(names_of(cells).astype(str), list(levels))
        else:
            there = pd.to_numeric(cells, errors="coerce").notna().to_numpy()
        known &= np.where(absent, may, there)
    return known
