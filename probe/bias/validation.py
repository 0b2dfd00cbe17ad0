"""User input is validated and converted to arrays here."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.errors import DataError
from probe.names import TRUTH, refuse_twins, same_rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LARGEST = 1e100  # of a number whose third power is taken


@dataclass(frozen=True)
class Favourable:
    """The favourable outcome, and whether it is assumed.

    >>> from probe.bias import Favourable
    >>> str(Favourable("yes")), str(Favourable("1", assumed=True))
    ('yes', '1 (assumed)')
    """

    value: str
    assumed: bool = False

    def __str__(self) -> str:
        return f"{self.value} (assumed)" if self.assumed else self.value


@dataclass(frozen=True)
class Scale:
    """The unit of thresholds where outcomes are numbers: their standard deviation."""

    deviation: float
    of: str  # labels, or answers where there are none

    def at(self, share: float) -> str:
        """A threshold in words."""
        return f"{share:g} standard deviations of the {self.of}, each {self.deviation:.4g}"


def outcomes(labels: Any, predictions: Any, favourable: Any) -> tuple[Ints | None, Ints, Favourable]:
    """Labels, if any, and predictions as 1 where they are the favourable outcome, which is named or assumed.

    Raises:
        DataError: they hold more than two values, or not the favourable one
    """
    given = {"labels": labels, "predictions": predictions}
    read = {name: _texts(values, name) for name, values in given.items() if values is not None}
    found = {text for _, texts in read.values() for text in texts}
    keys = sorted(set(map(_key, found)))
    if favourable is None or isinstance(favourable, Favourable):
        if not (set(keys) <= {"0", "1"} and all(_is_numeric(given[name]) for name in read)):
            raise DataError(_which(" and ".join(read), keys))
        key, favourable = "1", favourable or Favourable("1", assumed=True)
    else:
        key, favourable = _key(favourable), Favourable(_plain(favourable))
        # True is 1 only where the other value is 0: of 1 and 2 it may be either.
        named = set(keys) <= {"0", "1"} or favourable.value.lower() in {text.lower() for text in found}
        if len({*keys, key}) > 2 or (key != favourable.value and not named):
            raise DataError(
                f"{' and '.join(read)} must hold two values, one of them favourable={favourable.value!r}, but hold "
                f"{_first(keys)}; recode them to the favourable value and one other"
            )
    coded = {
        name: np.array([_key(text) == key for text in texts], dtype=np.int64)[codes]
        for name, (codes, texts) in read.items()
    }
    return coded.get("labels"), coded["predictions"], favourable


def _which(names: str, keys: list[str]) -> str:
    """A refusal of outcomes that are not coded as 0 and 1, where nobody says which one is favourable."""
    if len(keys) > 2:
        return (
            f"{names} must hold two values, such as 0 and 1, but hold {_first(keys)}; recode or threshold them, "
            "or compare numbers (audit_numbers, --numbers on the command line)"
        )
    return (
        f"{names} hold {_first(keys)}, not the numbers 0 and 1; name the favourable value: favourable={keys[-1]!r}, or "
        f"--favourable {keys[-1]!r} on the command line"
    )


def _first(keys: list[str]) -> str:
    return ", ".join(map(repr, keys[:5])) + ", ..." * (len(keys) > 5)


def _is_numeric(values: Any) -> bool:
    return np.asarray(_column(values, "").tolist()).dtype.kind in "biuf"


def probabilities(values: Any, name: str) -> Floats:
    """Scores as floats in [0, 1]."""
    array = _numbers(values, name, "numbers in [0, 1]", "recode it")
    if len(array) and (array.min() < 0 or array.max() > 1):
        raise DataError(
            f"{name} span [{array.min():.3g}, {array.max():.3g}], outside [0, 1]; rescale or calibrate them"
        )
    return array


def numbers(values: Any, name: str) -> Floats:
    """Labels or answers of a regression: finite numbers, one for each row."""
    array = _numbers(values, name, "numbers", "give each row's number, or compare classes with `probe.bias.audit`")
    if not np.isfinite(array).all():
        raise DataError(f"{name} holds infinity in {int((~np.isfinite(array)).sum())} rows; drop those rows")
    if np.abs(array).max(initial=0.0) > LARGEST:
        raise DataError(f"{name} holds {np.abs(array).max():.3g}, whose square overflows; give it in another unit")
    if 0 < np.abs(array).max(initial=0.0) < 1 / LARGEST:
        raise DataError(
            f"{name} holds {np.abs(array).max():.3g} at most, whose cube rounds to 0; give it in another unit"
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
    refuse_twins(frame.columns, "groups")
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
    same_rows(**inputs)


def _texts(values: Any, name: str) -> tuple[Ints, list[str]]:
    """Codes into the distinct values as text."""
    raw = _column(values, name)
    try:
        codes, found = pd.factorize(raw, use_na_sentinel=True)
    except TypeError as error:
        raise DataError(f"{name} holds values that cannot be hashed, such as lists; use text or numbers") from error
    texts = [_plain(value) for value in found]
    _refuse_missing(name, int((codes < 0).sum()) + sum(int((codes == at).sum()) for at, t in enumerate(texts) if not t))
    return codes.astype(np.int64), texts


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, float | np.floating) and value.is_integer() else str(value)


def _key(value: Any) -> str:
    text = _plain(value)
    return TRUTH.get(text.lower(), text)


def _column(values: Any, name: str) -> NDArray[Any]:
    raw = np.asarray(values)
    if raw.dtype.kind not in "biuf":
        raw = np.asarray(values, dtype=object)
    if raw.ndim != 1:
        raise DataError(f"{name} must be one-dimensional, but has shape {raw.shape}; pass a single column")
    return raw


def _refuse_missing(name: str, missing: int) -> None:
    if missing:
        raise DataError(f"{name} has {missing} missing values; drop those rows or fill them in")


def _numbers(values: Any, name: str, expected: str, remedy: str) -> Floats:
    raw = _column(values, name)
    _refuse_missing(name, int(pd.isna(raw).sum()))
    array = np.asarray(raw.tolist()) if raw.dtype == object else raw
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise DataError(f"{name} must be {expected}, but holds {raw[0]!r}; {remedy}")
    return array.astype(np.float64)
