"""A CSV file as a Dataset: of numbers and categories, or of texts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.csvfile import AS_FOUND, Reading, read_csv
from probe.dataset import Dataset, listed
from probe.errors import DataError
from probe.frames import Declared, answers_of, check_columns, is_named, labels_in, parts_of, without
from probe.names import entries
from probe.odd_cells import refuse_points
from probe.space import Space
from probe.task import Task


def from_csv(  # noqa: PLR0913  what can be said of a table and of how it is written
    path: Any,
    *,
    label: str | list[str],
    task: Task | None = None,
    groups: Iterable[str] = (),
    features: Iterable[str] | None = None,
    classes: Iterable[Any] | None = None,
    categories: Mapping[str, Iterable[Any]] | None = None,
    missing: Iterable[str] = (),
    allow_missing: bool = False,
    drop_missing: bool = False,
    dtype: torch.dtype | None = None,
    separator: str = "",
    decimal: str = "",
    encoding: str = "",
) -> Dataset:
    """Read a CSV table: numbers stay as they are, texts become one-hot coordinates of one feature each.

    Only an empty cell is missing. Cells such as NA or None are values, and are listed in the notices.

    Args:
        path: a CSV file with a header, plain or compressed.
        label: the column to predict; a list of columns for several labels or numbers.
        task: what labels are; by default classes, or several labels if several columns hold only 0 and 1.
            `Regression()` reads numbers, `MultiLabel()` 0 and 1.
        groups: columns that name groups; they are features only if `features` lists them.
        features: the input columns in the model's order; by default all but label and groups.
        classes: the label's values in the model's order; by default sorted, by value if all are numbers.
        categories: the values of text columns in the model's order; by default sorted likewise. For one of several
            labels, its false and true value.
        missing: cells that count as missing besides empty ones, such as "?".
        allow_missing: whether features may be missing, for models that accept that.
        drop_missing: whether to drop rows with an empty cell in the label or a feature.
        dtype: of the inputs; by default float32, or float64 if a column needs it.
        separator: between cells; detected by default, like decimal and encoding.
        decimal: "." or ","; a comma is detected only with semicolons or tabs as separator.
        encoding: such as "utf-8" or "cp1252".

    Raises:
        DataError: if the file cannot be read or is ambiguous, or a named column does not exist or holds empty cells or
        undeclared values.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from probe import from_csv
    >>> people = pd.DataFrame({"age": [30, 40, 50], "sex": ["f", "m", "f"], "hired": ["no", "yes", "yes"]})
    >>> with TemporaryDirectory() as folder:
    ...     people.to_csv(Path(folder, "people.csv"), index=False)
    ...     data = from_csv(Path(folder, "people.csv"), label="hired", groups=["sex"])
    >>> data.inputs
    tensor([[30.],
            [40.],
            [50.]])
    >>> data.space.names, data.classes, data.groups["sex"].tolist()
    (('age',), ('no', 'yes'), ['f', 'm', 'f'])
    """
    groups = listed(groups, "groups")
    how = Reading(separator=separator, decimal=decimal, encoding=encoding, missing=tuple(listed(missing, "missing")))
    # A column keeps its type as a feature, but is a name as a class or group.
    named_in = (*_named_labels(label, task), *groups)
    table, notices = read_csv(path, named_in, how)
    name = Path(path).name
    chosen = None if features is None else listed(features, "features")
    named = table
    if {*groups} & {*(chosen or ())}:
        table, _ = read_csv(path, [column for column in named_in if column not in (chosen or ())], how)
    rows = None
    if drop_missing:
        used = [*labels_in(label), *(chosen or [c for c in map(str, table) if c not in groups])]
        check_columns(table, name, labels_in(label), groups, [c for c in used if c not in labels_in(label)])
        rows, said = _complete(table, used, name)
        table, named, notices = table.iloc[rows], named.iloc[rows].reset_index(drop=True), notices + said
    declared = Declared(
        label=label,
        task=task,
        groups=groups,
        features=chosen,
        classes=None if classes is None else entries(classes, "classes", "('no', 'yes')"),
        categories=categories or {},
        allow_missing=allow_missing,
        dtype=dtype,
    )
    parts = parts_of(table, declared, name, named=named)
    for feature in parts.space.names:
        column = table[feature]
        if not pd.api.types.is_numeric_dtype(column) and feature not in declared.categories:
            refuse_points(list(map(str, column.dropna().unique())), feature, name)
    return Dataset(
        **{**vars(parts), "notices": notices + parts.notices},
        name=name,
        source=name,
        rows=None if rows is None else torch.from_numpy(rows),
    )


def _named_labels(label: str | list[str], task: Task | None) -> list[str]:
    """The label column if it holds class names; several label columns do not."""
    labels = labels_in(label)
    return labels if is_named(task) and len(labels) == 1 else []


def _complete(table: pd.DataFrame, used: Sequence[str], name: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The rows without missing cells, and a notice about the others."""
    whole = table[list(used)].notna().all(axis=1).to_numpy()
    if not whole.any():
        raise DataError(f"no row of {name} is without an empty cell; name the features that are filled in")
    gone = int((~whole).sum())
    said = (f"{gone:,} of {len(table):,} rows of {name} have an empty cell and are left out",) if gone else ()
    return np.flatnonzero(whole).astype(np.int64), said


@dataclass(frozen=True)
class Texts:
    """A column of texts, and a function that encodes them as token ids (rows, tokens), with sentences about them."""

    column: str
    encode: Callable[[list[str]], tuple[Tensor, tuple[str, ...]]]
    space: Space


def texts_from_csv(  # noqa: PLR0913  what can be said of a table's columns
    path: str | Path,
    texts: Texts,
    *,
    label: str | list[str],
    task: Task | None = None,
    groups: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    how: Reading = AS_FOUND,
) -> Dataset:
    """Read a table with a column of texts. Label, task, groups and classes are as in `from_csv`.

    Raises:
        DataError: if a named column does not exist, or holds empty cells or undeclared labels.
    """
    table, notices = read_csv(path, (texts.column, *_named_labels(label, task), *groups), how)
    name = Path(path).name
    check_columns(table, name, labels_in(label), groups, [texts.column])
    column = without(table[texts.column], how.missing)
    if empty := int(column.isna().sum()):
        raise DataError(f"column {texts.column!r} of {name} has {empty} empty cells; drop those rows or fill them in")
    answers = answers_of(table, Declared(label=label, task=task, groups=groups, classes=classes), name)
    ids, said = texts.encode(column.tolist())
    return Dataset(
        ids,
        answers.labels,
        groups=answers.groups,
        space=texts.space,
        classes=answers.classes,
        name=name,
        source=name,
        notices=(*notices, *answers.notices, *(f"{name}, column {texts.column!r}: {told}" for told in said)),
    )
