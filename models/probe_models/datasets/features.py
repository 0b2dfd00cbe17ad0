"""Choose features and the type of the label of a user's table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pandas as pd

from probe.csvfile import Reading, read_csv
from probe.errors import PlanError
from probe.frames import without
from probe.names import listed, nearest

MOST_CLASSES = 20  # different numbers up to which a column of whole numbers names classes
MOST_LISTED = 10
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Chosen:
    """The features, the columns left out, and whether the label is a number."""

    features: list[str]
    numbers: bool
    left_out: dict[str, str] = field(default_factory=dict)  # and why


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The user's options for the columns."""

    label: str
    groups: Sequence[str] = ()
    dropped: Sequence[str] = ()
    task: str = ""  # classes or numbers; found out unless given
    drop_missing: bool = False


def choose(csv: Path, wanted: Wanted, how: Reading) -> Chosen:
    """Look at a table before it is trained on.

    Raises:
        DataError: if the file cannot be read.
        PlanError: if a column is missing, empty cells are in the way, or the label is none.
    """
    table, _ = read_csv(csv, (), how)
    table = table.set_axis([str(name) for name in table.columns], axis=1)
    label, name = wanted.label, csv.name
    for column in (label, *wanted.groups, *wanted.dropped):
        if column not in table:
            meant = nearest(column, map(str, table))
            raise PlanError(f"{name} has no column {column!r}{meant}; it has {listed(table, MOST_LISTED)}")
    for option, columns in (("--group", wanted.groups), ("--drop", wanted.dropped)):
        if label in columns:
            raise PlanError(f"{option} {label}: that is the label; leave it out, or predict another column")
    table = pd.DataFrame({column: without(table[column], how.missing) for column in table})
    if wanted.drop_missing:
        table = table.dropna(subset=[c for c in table if c not in (*wanted.groups, *wanted.dropped)])
        if table.empty:
            raise PlanError(f"no row of {name} is without an empty cell; leave columns out: --drop COLUMN")
    _check_filled(table[[label]], label, name)
    numbers = _are_numbers(table[label], label, name, wanted.task)
    if numbers:
        _check_finite(table[label], label, name)
    else:
        _check_spelling(table[label], label, name)
    candidates = [column for column in map(str, table) if column not in (label, *wanted.groups, *wanted.dropped)]
    left_out = {column: why for column in candidates if (why := _tells_nothing(table[column]))}
    features = [column for column in candidates if column not in left_out]
    if not features:
        said = "".join(f"; {column}: {why}" for column, why in list(left_out.items())[:MOST_LISTED])
        raise PlanError(f"{name} has no column left to learn {label!r} from{said}")
    _check_filled(table[features], label, name)
    return Chosen(features, numbers, left_out)


def _tells_nothing(column: "pd.Series[Any]") -> str:
    distinct = column.nunique()
    if distinct < 2 and not column.isna().any():
        return "it has one value"
    if distinct == 0:
        return "all of its cells are empty"
    if distinct == len(column) > MOST_CLASSES:
        if not pd.api.types.is_numeric_dtype(column):
            return "it differs in every row, as a name does"
        if bool((column.diff().dropna() == 1).all()):
            return "it numbers the rows"
    return ""


def _check_filled(table: pd.DataFrame, label: str, name: str) -> None:
    empty = {str(column): int(count) for column, count in table.isna().sum().items() if count}
    if empty:
        column, count = next(iter(empty.items()))
        drop = "" if column == label else f", or the column: --drop {column}"
        raise PlanError(
            f"column {column!r} of {name} has {count:,} empty cell{'s' * (count > 1)}, which a network does not take; "
            f"fill them in, or leave those rows out: --drop-missing{drop}"
        )


def _check_finite(column: "pd.Series[Any]", label: str, name: str) -> None:
    numbers = pd.to_numeric(column)
    odd = column[~(numbers.abs() <= LARGEST)]
    if len(odd):
        raise PlanError(
            f"column {label!r} of {name} holds {str(odd.iloc[0])!r:.60}, and numbers are learned up to {LARGEST:.2g}; "
            "leave those rows out of the file, write it in a larger unit, or learn classes: --task classes"
        )


def _check_spelling(column: "pd.Series[Any]", label: str, name: str) -> None:
    alike: dict[str, list[str]] = {}
    for text in map(str, column.unique()):
        alike.setdefault(" ".join(normalize("NFKC", text).casefold().split()), []).append(text)
    if several := [sorted(texts) for texts in alike.values() if len(texts) > 1]:
        listed = ", ".join(f"{text!r:.60}" for text in several[0][:MOST_LISTED])
        raise PlanError(
            f"column {label!r} of {name} spells what may be one class in {len(several[0])} ways: {listed}; spell them "
            "alike in the file"
        )


def _are_numbers(column: "pd.Series[Any]", label: str, name: str, task: str) -> bool:
    """Whether a label is a number that is guessed, rather than the name of a class."""
    distinct = column.nunique()
    if distinct < 2:
        raise PlanError(
            f"column {label!r} of {name} has one value, {str(column.iloc[0])!r:.60}; a classifier needs two or more"
        )
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if task == "numbers" and not numeric:
        odd = str(column[pd.to_numeric(column, errors="coerce").isna()].iloc[0])
        raise PlanError(f"column {label!r} of {name} holds {odd!r:.60}, which is not a number; give --task classes")
    if task:
        return task == "numbers"
    if numeric and (distinct > MOST_CLASSES or bool((pd.to_numeric(column) % 1 != 0).any())):
        return True
    if distinct > max(MOST_CLASSES, len(column) / 2):
        raise PlanError(
            f"column {label!r} of {name} has {distinct:,} different values in {len(column):,} rows, which are hardly "
            "classes; predict another column"
        )
    return False
