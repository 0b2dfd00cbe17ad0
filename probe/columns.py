"""Columns of a table as coordinates of a space."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.errors import DataError
from probe.forms.form import Kind
from probe.names import in_order, number
from probe.odd_cells import refuse_odd
from probe.space import Space

MOST_COORDINATES = 2**28  # rows times one-hot coordinates of one column, 2 GiB
WHOLE = 2.0**53  # float64 represents every integer up to here
UNEVEN = 1e-6  # rounding error that float32 may add, relative to the spread of a column

Values = NDArray[Any]


@dataclass(frozen=True)
class Column:
    """A feature: its coordinates (rows, width) in float64, its kind, and what each coordinate stands for."""

    coordinates: Values
    kind: Kind
    levels: tuple[str, ...]
    type: str  # pandas dtype of the column; "category int64" for a categorical, "ordered ..." for an ordered one,
    # and "object int64" for numbers in a column of objects
    missing: bool  # whether cells may be missing: NaN in a number, the last coordinate of a category


def encode(column: "pd.Series[Any]", levels: Sequence[str] | None, name: str, *, missing: bool) -> Column:
    """Encode a column as a feature: numbers as they are, texts and categories one-hot.

    Args:
        column: numbers, booleans, texts, or pandas categories.
        levels: the values of a category in the model's order; sorted by default.
        name: of the table.
        missing: whether missing cells are allowed, as a value of the feature.

    Raises:
        DataError: if cells are missing, are not among the levels, or cannot be numbers or texts.
    """
    boxed = column.dtype == object
    column = plain(column, name)
    absent = column.isna().to_numpy()
    if absent.any() and not missing:
        raise DataError(
            f"column {column.name!r} of {name} has {int(absent.sum())} empty cells; drop those rows or fill them in, "
            "or, in Python, give allow_missing=True where the model takes them"
        )
    if levels is None and pd.api.types.is_numeric_dtype(column) and not _is_category(column):
        return _numbers(column, name, missing=bool(absent.any()), boxed=boxed)
    texts = names_of(column)
    if levels is None and not _is_category(column):
        if pd.api.types.infer_dtype(column, skipna=True) in ("integer", "mixed-integer"):
            raise DataError(
                f"column {column.name!r} of {name} holds whole numbers of more than 64 bits; "
                "shorten them, or give them a letter if they are names"
            )
        refuse_odd(texts[~absent], str(column.name), name)
    known = _levels(column, texts[~absent], levels)
    some = bool(absent.any())
    if len(texts) * (len(known) + some) > MOST_COORDINATES:
        raise DataError(
            f"column {column.name!r} of {name} has {len(known):,} values in {len(texts):,} rows, which would take "
            f"{len(texts) * len(known) >> 27} GiB; group them, or leave it out of `features`"
        )
    codes = _codes(texts, known, ~absent, column, name)
    codes[absent] = len(known)
    eye = np.eye(len(known) + some)
    # Texts of an object column have been converted to a string dtype, and numbers to one of numbers.
    kind = "object" if boxed and pd.api.types.is_string_dtype(column) else _boxed(_type(column, known), boxed=boxed)
    return Column(eye[codes], "category", (*known, *[""] * some), kind, some)


def inputs_of(frame: pd.DataFrame, space: Space, name: str) -> Tensor:
    """Encode rows of a table as inputs (rows, coordinates) of a space, in double precision.

    Raises:
        DataError: if a cell is not among its column's levels, or missing where that is not allowed.
    """
    width = len(space.names) if space.features is None else space.features.numel()
    owner = np.arange(width) if space.features is None else space.features.flatten().numpy()
    inputs = np.zeros((len(frame), width))
    for feature, column in enumerate(space.names):
        (places,) = np.nonzero(owner == feature)
        may = bool(space.missing) and space.missing[feature]
        cells = plain(frame[column].reset_index(drop=True), name)
        if space.kinds and space.kinds[feature] == "category" and space.levels:
            levels = [space.levels[place] for place in places]
            found = encode(cells, levels[:-1] if may else levels, name, missing=may).coordinates
            inputs[:, places[: found.shape[1]]] = found
        else:
            if not pd.api.types.is_numeric_dtype(cells):
                raise DataError(f"column {column!r} of {name} holds texts, but the space expects numbers")
            found = encode(cells, None, name, missing=may).coordinates
            if found.shape[1] != len(places):
                raise DataError(f"column {column!r} of {name} is one number, but the space has {len(places)} for it")
            inputs[:, places] = found
    return torch.from_numpy(inputs)


def space_of(columns: Sequence[Column], names: tuple[str, ...], inputs: Tensor) -> Space:
    """The space of a table: bounds are the smallest and largest numbers, the scale is their standard deviation."""
    widths = torch.tensor([column.coordinates.shape[1] for column in columns])
    category = torch.tensor([column.kind == "category" for column in columns]).repeat_interleave(widths)
    there = ~inputs.isnan()
    low = inputs.where(there, torch.inf).amin(0)
    high = inputs.where(there, -torch.inf).amax(0)
    never = ~there.any(0)
    spread = _spread(inputs, there)
    missing = tuple(column.missing for column in columns)
    return Space(
        bounds=(torch.where(category | never, 0.0, low), torch.where(category, 1.0, torch.where(never, 0.0, high))),
        features=torch.arange(len(columns)).repeat_interleave(widths),
        names=names,
        kinds=tuple(column.kind for column in columns),
        levels=tuple(level for column in columns for level in column.levels),
        # One standard deviation, so that a radius means the same for years and for dollars.
        scale=torch.where(category | (spread == 0), 1.0, spread),
        types=tuple(column.type for column in columns),
        missing=missing if any(missing) else (),
    )


def lost_in_single(column: Column) -> bool:
    """Whether float32 would merge integers of a column, or change decimals noticeably."""
    if column.kind == "category":
        return False
    values = column.coordinates[~np.isnan(column.coordinates)]
    with np.errstate(over="ignore"):
        error = np.abs(values.astype(np.float32).astype(np.float64) - values)
        if not error.any():
            return False
        whole = values == np.rint(values)
        return bool(error[whole].any() or error.max() > UNEVEN * values.std())


def plain(column: "pd.Series[Any]", name: str, *, label: bool = False) -> "pd.Series[Any]":
    """The column, a feature or a label, as dense values, with numbers as numbers and empty texts as missing.

    Raises:
        DataError: if it holds dates, or anything else that is neither a number nor a text.
    """
    if isinstance(column.dtype, pd.SparseDtype):
        column = pd.Series(np.asarray(column.array), name=column.name)
    values = column.dtype.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    if values.dtype == object:
        values = values.infer_objects()
        column = column if _is_category(column) else column.infer_objects()
    found = pd.api.types.infer_dtype(values, skipna=True)
    other = "texts with .astype(str), if each is a class" if label else "leave it out of `features`"
    dates = f"dates; make them numbers, such as (column - column.min()).dt.days, or {other}"
    remedy = {
        "datetime64": dates,
        "datetime": dates,
        "date": dates,
        "timedelta64": "durations; make them numbers, such as column.dt.total_seconds()",
        "timedelta": "durations; make them numbers, such as seconds",
        "period": "periods; make them texts with .astype(str), or numbers",
        "interval": "intervals; make them texts with .astype(str)",
        "complex": "complex numbers; give real and imaginary part a column each",
    }.get(found)
    allowed = ("string", "empty", "boolean", "integer", "floating", "mixed-integer-float", "integer-na", "categorical")
    if remedy is None and found == "decimal":
        return column.astype(np.float64)
    if remedy is None and found == "mixed-integer" and all(isinstance(v, int) for v in values.dropna()):
        return column
    if remedy is None and found not in allowed:
        raise DataError(
            f"column {column.name!r} of {name} holds {_kinds(values)}; make all of them numbers or all of them texts"
        )
    if remedy is not None:
        raise DataError(f"column {column.name!r} of {name} holds {remedy}")
    blank = found == "string" and not _is_category(column) and bool((column == "").any())
    return column.mask(column == "") if blank else column


def names_of(column: "pd.Series[Any]") -> NDArray[np.object_]:
    """The name of each cell of a column; empty if missing."""
    called = np.array([str(value) for value in column], dtype=object)
    called[column.isna().to_numpy()] = ""
    return called


def _is_category(column: "pd.Series[Any]") -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype)


def _kinds(values: Any) -> str:
    kinds = sorted({type(value).__name__ for value in values if not (isinstance(value, float) and np.isnan(value))})
    return " and ".join(f"{kind.removesuffix('s')}s" for kind in kinds[:3])


def _numbers(column: "pd.Series[Any]", name: str, *, missing: bool, boxed: bool) -> Column:
    values = column.astype("Float64") if not isinstance(column.dtype, np.dtype) else column
    numbers = values.to_numpy(np.float64, na_value=np.nan) if missing else values.to_numpy(np.float64)
    if np.isinf(numbers).any():
        raise DataError(f"column {column.name!r} of {name} holds infinity; drop those rows or fill them in")
    integer = pd.api.types.is_integer_dtype(column) or pd.api.types.is_bool_dtype(column)
    if integer and len(numbers) and np.nanmax(np.abs(numbers), initial=0) > WHOLE:
        raise DataError(
            f"column {column.name!r} of {name} holds whole numbers above {int(WHOLE):,}, which float64 cannot tell "
            "apart; subtract a constant from them, or leave the column out of `features` if it is an identifier"
        )
    known = numbers[~np.isnan(numbers)]
    # pandas turns an integer column with a missing cell into floats.
    whole = integer or (missing and len(known) > 0 and bool((known == np.rint(known)).all()))
    return Column(
        numbers[:, None], "integer" if whole else "continuous", ("",), _boxed(str(column.dtype), boxed=boxed), missing
    )


def _boxed(kind: str, *, boxed: bool) -> str:
    """The dtype of a column that may hold numbers as objects, which encoders compare with those they were fitted to."""
    return f"object {kind}" if boxed and kind != "object" else kind


def _levels(column: "pd.Series[Any]", found: Values, declared: Sequence[str] | None) -> tuple[str, ...]:
    if declared is not None:
        return tuple(map(str, declared))
    if isinstance(column.dtype, pd.CategoricalDtype):
        return tuple(map(str, column.dtype.categories))
    return tuple(in_order(found.tolist()))


def _codes(texts: Values, levels: tuple[str, ...], there: Values, column: "pd.Series[Any]", name: str) -> Values:
    """The index of each cell's level; numbers match by value, such as 1.0 and 1."""
    place = {level: at for at, level in enumerate(levels)}
    if len(place) < len(levels):
        twice = next(level for at, level in enumerate(levels) if place[level] != at)
        raise DataError(f"the values of column {column.name!r} list {twice!r} twice; name each once")
    if pd.api.types.is_numeric_dtype(column) or _is_category(column):
        by_value: dict[Any, list[int]] = {}
        for at, level in enumerate(levels):
            by_value.setdefault(number(level), []).append(at)
        for cell in dict.fromkeys(texts[there].tolist()):
            same = by_value.get(number(cell), []) if number(cell) is not None else []
            if cell not in place and len(same) == 1:
                place[cell] = same[0]
    codes = np.array([place.get(cell, -1) for cell in texts], dtype=np.int64)
    if unknown := in_order(texts[there & (codes < 0)].tolist()):
        raise DataError(
            f"column {column.name!r} of {name} holds {', '.join(map(repr, unknown[:5]))}, "
            f"expected one of {', '.join(map(repr, levels[:20]))}{', ...' * (len(levels) > 20)}"
        )
    return codes


def _type(column: "pd.Series[Any]", levels: tuple[str, ...]) -> str:
    """The dtype of a category's column, from its levels; text if a level is no number."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return f"{'ordered' if dtype.ordered else 'category'} {dtype.categories.dtype}"
    if set(levels) <= {"True", "False"} and pd.api.types.infer_dtype(column, skipna=True) == "boolean":
        # pandas turns a boolean column with a missing cell into objects.
        return "bool" if dtype.kind == "O" else str(dtype)
    if pd.api.types.is_numeric_dtype(column) and all(number(level) is not None for level in levels):
        return str(dtype)
    return "str" if pd.api.types.is_numeric_dtype(column) else str(dtype)


def _spread(inputs: Tensor, there: Tensor) -> Tensor:
    """The standard deviation of each coordinate over its non-missing rows; 1 for a single row."""
    if len(inputs) < 2:
        return torch.ones(inputs.shape[1], dtype=inputs.dtype)
    found = _deviation(inputs, there)
    if bool(found.isinf().any()):  # squares of numbers beyond 1e154 overflow
        size = inputs.abs().where(there, 0.0).amax(0).clamp(min=1.0)
        found = torch.where(found.isinf(), _deviation(inputs / size, there) * size, found)
    return found


def _deviation(inputs: Tensor, there: Tensor) -> Tensor:
    if bool(there.all()):
        return inputs.std(0)
    count = there.sum(0)
    mean = inputs.where(there, 0.0).sum(0) / count.clamp(min=1)
    squares = ((inputs - mean) ** 2).where(there, 0.0).sum(0)
    return torch.where(count > 1, (squares / (count - 1).clamp(min=1)).sqrt(), 1.0)
