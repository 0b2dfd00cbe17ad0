"""Encode a DataFrame as inputs, labels, groups and their space."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.columns import WHOLE, Column, encode, lost_in_single, names_of, plain, space_of
from probe.csvfile import unknown_like
from probe.errors import DataError
from probe.names import canonical, in_order, listed, nearest, number, refuse_twins, shown_apart
from probe.odd_cells import dates_among
from probe.space import Space
from probe.task import MultiLabel, Regression, Task

LEADING = re.compile(r"[+-]?0[0-9]")  # 01 is a name
MOST_DECIMALS = 20  # classes that are decimal numbers
FEWEST = 20  # number of rows from which a column that counts up is taken for a row number


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The declared roles of a table's columns."""

    label: Hashable | list[Any]  # a list of columns for several labels
    task: Task | None = None  # what the labels are; None: classes
    groups: Sequence[Hashable] = ()
    features: Sequence[Hashable] | None = None
    classes: Sequence[Any] | None = None
    categories: Mapping[Any, Iterable[Any]] = field(default_factory=dict)
    missing: Sequence[Any] = ()
    allow_missing: bool = False
    dtype: torch.dtype | None = None


@dataclass(frozen=True)
class Parts:
    """An encoded table."""

    inputs: Tensor
    labels: Tensor
    groups: pd.DataFrame | None
    space: Space
    classes: tuple[str, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """The label and the groups of a table's rows."""

    labels: Tensor
    classes: tuple[str, ...]
    groups: pd.DataFrame | None
    notices: tuple[str, ...]


def parts_of(frame: pd.DataFrame, declared: Declared, name: str, named: pd.DataFrame | None = None) -> Parts:
    """Encode a table: numbers stay as they are, texts become one-hot coordinates of one feature each.

    Label and groups are taken from `named` if given: the same table with names as texts.

    Raises:
        DataError: if a named column does not exist, or holds empty cells or undeclared values.
    """
    frame = with_plain_names(frame, name)
    labels, groups = labels_in(declared.label), [called(group) for group in declared.groups]
    taken = (*labels, *groups)
    chosen = [called(f) for f in declared.features] if declared.features is not None else [
        str(column) for column in frame if column not in taken
    ]  # fmt: skip
    check_columns(frame, name, labels, groups, chosen)
    several = labels if isinstance(declared.task, MultiLabel) else []
    if other := [c for c in map(called, declared.categories) if c not in (*chosen, *several)]:
        raise DataError(f"categories names the values of {other[0]!r}, which is no feature of {name}; leave it out")
    frame = pd.DataFrame({c: without(frame[c], declared.missing) for c in dict.fromkeys((*labels, *groups, *chosen))})
    levels = {called(column): list(map(str, values)) for column, values in declared.categories.items()}
    columns = [encode(frame[c], levels.get(c), name, missing=declared.allow_missing) for c in chosen]
    answers = answers_of(frame if named is None else named, declared, name)
    inputs = torch.from_numpy(np.concatenate([column.coordinates for column in columns], axis=1))
    inputs = inputs.to(declared.dtype or (torch.float64 if any(map(lost_in_single, columns)) else torch.float32))
    texts = [c for c, column in zip(chosen, columns, strict=True) if column.kind == "category"]
    notices = (
        *(notice for notice in unknown_like(frame, [c for c in texts if c not in taken])),
        *answers.notices,
        *_of_features(frame, chosen, columns, name),
    )
    return Parts(
        inputs, answers.labels, answers.groups, space_of(columns, tuple(chosen), inputs), answers.classes, notices
    )


def answers_of(frame: pd.DataFrame, declared: Declared, name: str) -> Answers:
    """Labels as in the task, and groups as names; a group may be missing."""
    names, groups = labels_in(declared.label), [called(group) for group in declared.groups]
    if declared.task is None and len(names) > 1 and all(map(is_truth, (frame[label] for label in names))):
        declared = replace(declared, task=MultiLabel())
    if is_named(declared.task):
        if len(names) != 1:
            raise DataError(
                f"label names {len(names)} columns of {name}, and each row has one class; give one, or say what they "
                "are: task=MultiLabel(), task=Regression()"
            )
        labels, classes = _indices(frame, names[0], declared, name)
    else:
        labels, classes = numbers_of(frame, names, declared, name)
    named = pd.DataFrame({group: group_names(frame[group]) for group in groups}) if groups else None
    notices = unknown_like(frame, names) + ([] if named is None else unknown_like(named, groups))
    for group in groups:
        if nameless := int(named[group].isna().sum()) if named is not None else 0:
            notices.append(
                f"{nameless:,} of {len(frame):,} rows of {name} name no group in column {group!r}; "
                "comparisons by it leave them out"
            )
    return Answers(labels, classes, named, tuple(notices))


def labels_in(label: Any) -> list[str]:
    """The names of the columns that are predicted."""
    return [called(column) for column in (label if isinstance(label, list) else [label])]


def is_named(task: Task | None) -> bool:
    """Whether labels are the names of classes."""
    return not isinstance(task, MultiLabel | Regression)


def is_truth(column: "pd.Series[Any]") -> bool:
    """Whether a column holds only 0 and 1, or False and True."""
    numeric = pd.api.types.is_numeric_dtype(column)  # booleans too
    return numeric and bool(column.isin([0, 1]).all())


def numbers_of(
    frame: pd.DataFrame, names: Sequence[str], declared: Declared, name: str
) -> tuple[Tensor, tuple[str, ...]]:
    """Numeric labels, (rows,) for one column; or 0/1 labels, (rows, columns), with their names.

    If `categories` names two values of a label, the second means true.

    Raises:
        DataError: if a cell is empty or holds anything else.
    """
    columns, truths = [], isinstance(declared.task, MultiLabel)
    levels = {called(column): list(map(str, values)) for column, values in declared.categories.items()}
    for label in names:
        column = plain(frame[label], name, label=True)
        _check_filled(column, label, name)
        pair = levels.get(label, []) if truths else []
        if pair and len(pair) != 2:
            raise DataError(f"categories lists {len(pair)} values of the label {label!r}, expected false and true")
        cells = _spelled_as(tuple(pair), names_of(column)) if pair else column
        place = {value: at for at, value in enumerate(pair)}
        values = pd.to_numeric(pd.Series(cells).map(place) if pair else column, errors="coerce").to_numpy(np.float64)
        odd = ~np.isfinite(values) | (truths & (values != 0) & (values != 1))
        if odd.any():
            truth = '0 or 1: whether the label is true; or name its two values in categories, as ["no", "yes"]'
            wanted = f"{pair[0]!r} or {pair[1]!r}" if pair else truth if truths else "a number"
            raise DataError(
                f"column {label!r} of {name} holds {str(column.iloc[int(odd.argmax())])!r:.60}, expected {wanted}; "
                'where it names classes, leave the task out, or say task = "classification"'
            )
        columns.append(values)
    if truths:
        return torch.from_numpy(np.stack(columns, 1)).long(), tuple(names)
    table = torch.from_numpy(np.stack(columns, 1)).to(torch.get_default_dtype())
    return table[:, 0] if len(names) == 1 else table, ()


def _check_filled(column: "pd.Series[Any]", label: str, name: str) -> None:
    if missing := int(column.isna().sum()):
        raise DataError(f"column {label!r} of {name} has {missing} empty cells; drop those rows or fill them in")


def _indices(frame: pd.DataFrame, label: str, declared: Declared, name: str) -> tuple[Tensor, tuple[str, ...]]:
    column = plain(frame[label], name, label=True)
    _check_filled(column, label, name)
    texts = names_of(column)
    if declared.classes is not None:
        classes = tuple(map(str, declared.classes))
    elif isinstance(column.dtype, pd.CategoricalDtype):
        classes = tuple(str(value) for value in column.dtype.categories if str(value) in set(texts))
    else:
        classes = tuple(in_order(texts))
        _check_classes(classes, texts, f"column {label!r} of {name}")
    if twice := [value for value in classes if classes.count(value) > 1]:
        raise DataError(f"classes name {twice[0]!r} twice; name each once, in the model's order")
    if pd.api.types.is_numeric_dtype(column.dtype):
        texts = _spelled_as(classes, texts)
    if unknown := in_order(set(texts) - set(classes)):
        raise DataError(
            f"column {label!r} of {name} holds {', '.join(map(repr, unknown[:5]))}, "
            f"expected one of {', '.join(map(repr, classes))}"
        )
    place = {value: at for at, value in enumerate(classes)}
    return torch.tensor([place[text] for text in texts], dtype=torch.long), classes


def _check_classes(classes: Sequence[str], texts: NDArray[np.object_], where: str) -> None:
    """Raise DataError where the values of a label may not be the names of classes that nobody listed."""
    values = [None if LEADING.match(value) else number(value) for value in classes]
    decimals = sum(value is not None and value != value.to_integral_value() for value in values)
    if decimals > MOST_DECIMALS:
        raise DataError(
            f"{where} holds {decimals} different decimal numbers, which would be a class each; say that it is a "
            'number: task=Regression(), in a plan [model] task = "regression", or list the classes: classes = [...]'
        )
    alike: dict[Any, list[str]] = defaultdict(list)
    for text, value in zip(classes, values, strict=True):
        alike[canonical(text) or text if value is None else value].append(text)
    for same in alike.values():
        if len(same) > 1:
            spelled = " and ".join(f"{shown_apart(text, same)} ({int((texts == text).sum()):,} rows)" for text in same)
            raise DataError(
                f"{where} spells what may be one class in {len(same)} ways: {spelled}; spell them alike, or list all "
                f"classes as they are: classes = [{', '.join(map(repr, classes[:6]))}{', ...' * (len(classes) > 6)}]"
            )


def _alike(levels: Sequence[str]) -> list[str]:
    """The first levels of a category that may be one, spelled in different ways."""
    alike: dict[str, list[str]] = defaultdict(list)
    for level in levels:
        alike[canonical(level) or level].append(level)
    return next((same for same in alike.values() if len(same) > 1), [])


def _spelled_as(classes: tuple[str, ...], texts: NDArray[np.object_]) -> NDArray[np.object_]:
    """Numbers in the spelling of the classes: 1.0 is the class 1, unless two classes have that value."""
    values = [number(value) for value in classes]
    spelling = {value: name for value, name in zip(values, classes, strict=True) if values.count(value) == 1}
    called = {text: text if text in classes else spelling.get(number(text), text) for text in set(texts)}
    return np.array([called[text] for text in texts], dtype=object)


def group_names(column: "pd.Series[Any]") -> "pd.Series[str]":
    """The group of each row as a name; missing for an empty cell."""
    # pandas turns an integer column with a missing cell into floats; groups keep their integer names.
    whole = pd.api.types.is_float_dtype(column) and bool(
        ((column.dropna() % 1 == 0) & (column.dropna().abs() <= WHOLE)).all()
    )
    texts = names_of(column.astype("Int64") if whole else column)
    return pd.Series(texts, dtype="str").mask(texts == "")


def without(column: "pd.Series[Any]", missing: Sequence[Any]) -> "pd.Series[Any]":
    """A column in which these cells are missing."""
    column, missing = column.reset_index(drop=True), list(map(str, missing))
    if not missing:
        return column
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = [float(word) for word in missing if number(word) is not None]
        return column.mask(column.isin(values)) if bool(column.isin(values).any()) else column
    gone = pd.Series([str(value) in missing for value in column])
    if not bool(gone.any()):
        return column
    column = column.mask(gone)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_categories([c for c in column.dtype.categories if str(c) in missing])
    left = [str(value) for value in column.dropna()]
    return pd.to_numeric(column) if left and all(number(value) is not None for value in left) else column


def with_plain_names(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The table with one plain text as the name of each column."""
    names = [called(column) for column in frame.columns]
    if twice := sorted({column for column in names if names.count(column) > 1}):
        raise DataError(f"{name} has {names.count(twice[0])} columns called {twice[0]!r}; rename all but one")
    refuse_twins(names, name)
    if frame.empty:
        raise DataError(f"{name} has no rows" + " and no columns" * (not names))
    return frame.set_axis(pd.Index(names, dtype=object), axis=1)


def called(column: Hashable) -> str:
    """The name of a column as text; several levels are joined with slashes."""
    return " / ".join(map(str, column)) if isinstance(column, tuple) else str(column)


def check_columns(
    frame: pd.DataFrame, name: str, labels: Sequence[str], groups: Sequence[str], features: Sequence[str]
) -> None:
    """Raise DataError unless the columns are there, and no label is one of the features."""
    if not features:
        raise DataError(f"{name} has no column left to be a feature; name some in `features`")
    if not labels:
        raise DataError("label names no column; name the one to predict")
    if label := next((label for label in labels if label in features), ""):
        raise DataError(
            f"column {label!r} is both the label and a feature, so the model would be given the answer; leave it "
            "out of `features`"
        )
    for named in (labels, features, groups):
        if twice := sorted({column for column in named if list(named).count(column) > 1}):
            raise DataError(f"column {twice[0]!r} is listed twice; name it once")
    for column in dict.fromkeys((*labels, *groups, *features)):
        if column not in frame:
            known = list(map(str, frame.columns))
            raise DataError(f"{name} has no column {column!r}{nearest(column, known)}; it has {listed(known)}")


def _of_features(frame: pd.DataFrame, chosen: Sequence[str], columns: Sequence[Column], name: str) -> list[str]:
    """Notices about features: missing cells, row numbers, dates, numbers that need double precision."""
    notices = []
    for feature, column in zip(chosen, columns, strict=True):
        where = f"column {feature!r} of {name}"
        if column.missing:
            count = int(frame[feature].isna().sum()) or int((frame[feature] == "").sum())
            notices.append(f"{where} has {count:,} empty cells; a missing value is a value of the feature")
        if column.kind == "category" and (date := dates_among(column.levels)):
            notices.append(f"{where} holds dates such as {date}, and each is a category of its own")
        if column.kind == "category" and (same := _alike([level for level in column.levels if level])):
            spelled = " and ".join(shown_apart(level, same) for level in same)
            notices.append(
                f"{where} spells what may be one value in {len(same)} ways, each a value of its own: {spelled}"
            )
        values = column.coordinates[:, 0]
        if column.kind == "integer" and len(values) >= FEWEST and np.array_equal(
            np.sort(values), np.arange(len(values)) + values.min()
        ):  # fmt: skip
            notices.append(f"{where} numbers the rows, like an identifier; leave it out of `features` if it is one")
        if lost_in_single(column):
            with np.errstate(over="ignore"):
                distinct, kept = len(np.unique(values)), len(np.unique(values.astype(np.float32)))
            merged = f": {distinct:,} values would become {kept:,}" if kept < distinct else ""
            notices.append(f"{where} holds numbers that single precision cannot tell apart{merged}")
    return notices
