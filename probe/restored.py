"""Decode inputs to the original table, with each value in its column's dtype."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.errors import DataError
from probe.names import number
from probe.space import Space

Values = NDArray[Any]


def decode(inputs: Values, space: Space) -> pd.DataFrame:
    """Decode rows (rows, *shape) to a table with each value in its column's dtype."""
    flat = inputs.reshape(len(inputs), -1)
    owner = np.arange(flat.shape[1]) if space.features is None else space.features.flatten().numpy()
    columns: dict[str, Any] = {}
    for feature, name in enumerate(space.names):
        (places,) = np.nonzero(owner == feature)
        kind = space.types[feature] if space.types else ""
        if space.kinds and space.kinds[feature] == "category" and space.levels:
            missing = bool(space.missing) and space.missing[feature]
            levels = [space.levels[place] for place in places]
            columns[name] = _category(_chosen(flat[:, places], name), levels, kind, missing=missing)
        else:
            columns[name] = _restored(flat[:, places[0]], kind)
    return pd.DataFrame(columns)


def restore(inputs: Values, space: Space) -> Values:
    """The coordinates (rows, coordinates) in double precision, as originally read if that is known."""
    flat = inputs.reshape(len(inputs), -1)
    if not space.types or flat.dtype == np.float64:
        return flat
    owner = np.arange(flat.shape[1]) if space.features is None else space.features.flatten().numpy()
    columns = [
        flat[:, at].astype(np.float64)
        if space.types[feature].lower().startswith(("float32", "float16")) or space.kinds[feature] == "category"
        else exact(flat[:, at])
        for at, feature in enumerate(owner)
    ]
    return np.stack(columns, axis=1)


def exact(values: Values) -> Values:
    """Numbers in double precision; a float32 becomes the decimal that it was read from, such as 0.1."""
    if values.dtype == np.float64:
        return values
    distinct, places = np.unique(values, return_inverse=True)
    whole = distinct.astype(np.float64)
    uneven = whole != np.rint(whole)
    whole[uneven] = distinct[uneven].astype(str).astype(np.float64)
    return whole[places].reshape(values.shape)


def _chosen(block: Values, name: str) -> Values:
    """The place of the largest coordinate of a category in each row."""
    if len(none := np.nonzero(~(block.max(1) > 0))[0]):
        raise DataError(
            f"row {none[0]} has no value of {name!r}: none of its {block.shape[1]} coordinates is above 0, expected "
            "1 at one of them and 0 elsewhere, in inputs and in Space.reference; encode rows by Dataset.from_frame"
        )
    return block.argmax(1)


def _category(codes: Values, levels: list[str], kind: str, *, missing: bool) -> Any:
    """The levels of codes as a column of its dtype."""
    absent = codes == len(levels) - 1 if missing else np.zeros(len(codes), dtype=bool)
    levels = levels[:-1] if missing else levels
    listed, _, base = kind.rpartition(" ")
    values = _values(levels, base)
    if listed not in ("", "object"):
        return pd.Categorical.from_codes(np.where(absent, -1, codes), pd.Index(values), ordered=listed == "ordered")
    column = values.take(np.where(absent, 0, codes)).reset_index(drop=True)
    if absent.any() and isinstance(column.dtype, np.dtype) and column.dtype.kind in "iub":
        column = column.astype(np.float64 if column.dtype.kind != "b" else object)
    column = column.mask(absent) if absent.any() else column
    return column.astype(object) if listed == "object" else column


def _values(levels: list[str], base: str) -> Any:
    """Levels in the pandas dtype `base`."""
    kind: Any = base  # named at run time
    lowered = base.lower()
    if lowered.startswith("bool"):
        return pd.Series([level == "True" for level in levels], dtype=kind)
    if lowered.startswith(("int", "uint")):
        return pd.Series([int(number(level) or 0) for level in levels], dtype=kind)
    if lowered.startswith(("float", "double")):
        return pd.Series([float(level) for level in levels], dtype=kind)
    return pd.Series(levels, dtype=kind) if base else pd.Series(levels)


def _restored(values: Values, kind: str) -> Any:
    """Numbers as a column of its dtype; as floats if a method evaluates values between integers."""
    if not kind:
        return values
    if kind.startswith("object "):
        return pd.Series(_restored(values, kind.removeprefix("object "))).astype(object)
    values = exact(values)
    known = values[~np.isnan(values)]
    if kind in ("bool", "boolean"):
        fits = bool(np.isin(known, (0, 1)).all())
    elif kind.lower().startswith(("int", "uint")):
        fits = bool((known == np.rint(known)).all())
    else:
        fits = True
    dtype: Any = kind  # named at run time
    nullable = kind[0].isupper() or kind == "boolean" or "[" in kind
    if not fits:
        return values
    if len(known) < len(values) and not nullable:
        return values
    if nullable:
        column = pd.Series(values, dtype="Float64")
        return column.mask(np.isnan(values)).astype(dtype)
    return values.astype(dtype)
