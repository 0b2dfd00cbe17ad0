"""A CSV file as a Dataset: of numbers and categories, or of texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.dataset import Dataset
from probe.errors import DataError
from probe.space import Kind, Space


def from_csv(
    path: str | Path,
    *,
    label: str,
    groups: Sequence[str] = (),
    features: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
) -> Dataset:
    """Read a table: number columns stay as they are, text columns become one-hot coordinates of one feature each.

    Args:
        path: a CSV file with a header, plain or compressed.
        label: the column to predict.
        groups: columns that name groups; they are features too if `features` lists them.
        features: the input columns in the model's order; all but label and groups unless given.
        classes: the label's values in the model's order; sorted unless given.
        categories: the values of text columns in the model's order; sorted unless given.

    Raises:
        DataError: if a named column is missing, or holds empty cells or values that were not declared.
    """
    path = Path(path)
    table = _read(path, (label, *groups))
    chosen = list(features) if features is not None else [c for c in table if c != label and c not in groups]
    _check(table, path, label, list(groups), chosen)
    names = tuple(map(str, classes if classes is not None else sorted(table[label].astype(str).unique())))
    columns = [_encode(table[name], (categories or {}).get(str(name)), path) for name in chosen]
    inputs = torch.from_numpy(np.concatenate([column.coordinates for column in columns], axis=1))
    return Dataset(
        inputs,
        _codes(table[label], names, path),
        groups=table[list(groups)].reset_index(drop=True) if groups else None,
        space=_space(inputs, tuple(map(str, chosen)), columns),
        classes=names,
        name=path.name,
        source=path.name,
    )


@dataclass(frozen=True)
class Texts:
    """A column of texts, and what turns them into token ids (rows, tokens) of a space."""

    column: str
    encode: Callable[[list[str]], Tensor]
    space: Space


def texts_from_csv(
    path: str | Path,
    texts: Texts,
    *,
    label: str,
    groups: Sequence[str] = (),
    classes: Sequence[str] | None = None,
) -> Dataset:
    """Read a table with a column of texts. Label, groups and classes are as in `from_csv`.

    Raises:
        DataError: if a named column is missing, or holds empty cells or labels that were not declared.
    """
    path = Path(path)
    table = _read(path, (texts.column, label, *groups))
    _check(table, path, label, list(groups), [texts.column])
    names = tuple(map(str, classes if classes is not None else sorted(table[label].astype(str).unique())))
    return Dataset(
        texts.encode(table[texts.column].tolist()),
        _codes(table[label], names, path),
        groups=table[list(groups)].reset_index(drop=True) if groups else None,
        space=texts.space,
        classes=names,
        name=path.name,
        source=path.name,
    )


@dataclass(frozen=True)
class _Column:
    """A feature: its coordinates (rows, width), its kind, and what each coordinate stands for."""

    coordinates: NDArray[Any]
    kind: Kind
    levels: tuple[str, ...]


def _read(path: Path, text: Sequence[str]) -> pd.DataFrame:
    try:
        # As a row like any other: in a header pandas numbers the columns of one name.
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0].tolist()
        # Labels and groups are names: 01 and 1 are two of them.
        table = pd.read_csv(path, dtype=dict.fromkeys(text, str))
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; give the path of a CSV file with a header row") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path.name} cannot be read as CSV: {error}") from None
    if table.empty:
        raise DataError(f"{path.name} has no rows below its header")
    if twice := sorted({name for name in header if header.count(name) > 1} - {""}):
        raise DataError(f"{path.name} has {header.count(twice[0])} columns called {twice[0]!r}; rename all but one")
    return table


def _check(table: pd.DataFrame, path: Path, label: str, groups: list[str], features: list[Any]) -> None:
    if not features:
        raise DataError(f"{path.name} has no column left to be a feature; name some in `features`")
    if label in features:
        raise DataError(f"column {label!r} is both the label and a feature, so the answer would be in the question")
    for name in dict.fromkeys((label, *groups, *features)):
        if name not in table:
            raise DataError(f"{path.name} has no column {name!r}; it has {', '.join(map(str, table.columns))}")
        missing = int(table[name].isna().sum())
        # A row may belong to no known group; it is then counted as unknown.
        if missing and (name == label or name in features):
            raise DataError(
                f"column {name!r} of {path.name} has {missing} empty cells; drop those rows or fill them in"
            )


def _codes(column: "pd.Series[Any]", values: tuple[str, ...], path: Path) -> Tensor:
    text = column.astype(str)
    if unknown := sorted(set(text) - set(values)):
        raise DataError(
            f"column {column.name!r} of {path.name} holds {', '.join(map(repr, unknown[:5]))}, "
            f"expected one of {', '.join(map(repr, values))}"
        )
    return torch.from_numpy(pd.Categorical(text, categories=list(values)).codes.astype(np.int64))


def _encode(column: "pd.Series[Any]", values: Sequence[str] | None, path: Path) -> _Column:
    if values is None and pd.api.types.is_numeric_dtype(column):
        if not np.isfinite(column.to_numpy(np.float64)).all():
            raise DataError(f"column {column.name!r} of {path.name} holds infinity; drop those rows or fill them in")
        whole = not pd.api.types.is_float_dtype(column)
        return _Column(column.to_numpy(np.float32)[:, None], "integer" if whole else "continuous", ("",))
    if values is None and pd.api.types.infer_dtype(column) in ("integer", "mixed-integer"):
        raise DataError(
            f"column {column.name!r} of {path.name} holds whole numbers of more than 64 bits; "
            "shorten them, or give them a letter if they are names"
        )
    levels = tuple(map(str, values)) if values is not None else tuple(sorted(column.astype(str).unique()))
    return _Column(np.eye(len(levels), dtype=np.float32)[_codes(column, levels, path).numpy()], "category", levels)


def _space(inputs: Tensor, names: tuple[str, ...], columns: Sequence[_Column]) -> Space:
    widths = torch.tensor([column.coordinates.shape[1] for column in columns])
    category = torch.tensor([column.kind == "category" for column in columns]).repeat_interleave(widths)
    spread = inputs.std(0) if len(inputs) > 1 else torch.ones(inputs.shape[1])
    return Space(
        bounds=(
            torch.where(category, 0.0, inputs.min(0).values),
            torch.where(category, 1.0, inputs.max(0).values),
        ),
        features=torch.arange(len(columns)).repeat_interleave(widths),
        names=names,
        kinds=tuple(column.kind for column in columns),
        levels=tuple(level for column in columns for level in column.levels),
        # One standard deviation, so that a radius means the same for years and for dollars.
        scale=torch.where(category | (spread == 0), 1.0, spread),
    )
