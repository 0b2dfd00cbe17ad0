"""The one place where user input becomes arrays, or is refused."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.errors import DataError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def binary(values: Any, name: str) -> Ints:
    """Labels or predictions as 0 and 1; anything else is refused."""
    array = _numbers(values, name, "0 and 1")
    strange = array[(array != 0) & (array != 1)]
    if len(strange):
        raise DataError(f"{name} must hold only 0 and 1, but {strange[0]:g} came; threshold or recode them first")
    return array.astype(np.int64)


def probabilities(values: Any, name: str) -> Floats:
    """Scores as floats in [0, 1]."""
    array = _numbers(values, name, "numbers in [0, 1]")
    if len(array) and (array.min() < 0 or array.max() > 1):
        raise DataError(
            f"{name} span [{array.min():.3g}, {array.max():.3g}], outside [0, 1]; rescale or calibrate them"
        )
    return array


def attributes(groups: object) -> pd.DataFrame:
    """Group membership as a frame with unlike, textual column names."""
    if not isinstance(groups, pd.DataFrame):
        raise DataError(
            f"groups must be a DataFrame with a column per attribute, not {type(groups).__name__}; "
            "wrap it, as in pd.DataFrame({'sex': sex})"
        )
    if groups.shape[1] == 0:
        raise DataError("groups has no columns; give one column per attribute")
    frame = groups.set_axis([str(name) for name in groups.columns], axis=1)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataError(f"groups has two columns called {twice[0]!r}; rename one")
    return frame


def aligned(**inputs: Any) -> None:
    """Refuse inputs of unlike length, and pandas objects whose rows are labelled differently."""
    lengths = {name: len(value) for name, value in inputs.items()}
    (first, rows), *others = lengths.items()
    if rows == 0:
        raise DataError(f"{first} is empty; an audit needs at least one row")
    for name, length in others:
        if length != rows:
            raise DataError(f"{first} has {rows} rows and {name} has {length}; give one entry per row in each")
    indexed = [(name, v.index) for name, v in inputs.items() if isinstance(v, pd.Series | pd.DataFrame)]
    for name, index in indexed[1:]:
        if not index.equals(indexed[0][1]):
            raise DataError(
                f"the index of {name} differs from that of {indexed[0][0]}, so rows may not match; "
                "align them (reindex) or pass plain arrays in the same order"
            )


def _numbers(values: Any, name: str, expected: str) -> Floats:
    raw = np.asarray(values, dtype=object)
    if raw.ndim != 1:
        raise DataError(f"{name} must be one-dimensional, but came with shape {raw.shape}; pass a single column")
    missing = int(pd.isna(raw).sum())
    if missing:
        raise DataError(f"{name} has {missing} missing values; drop those rows or decide what they are")
    array = np.asarray(raw.tolist())
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise DataError(f"{name} must be {expected}, but holds {raw[0]!r}; recode it")
    return array.astype(np.float64)
