"""A plan to start with, from a CSV file: a guess for each column, with its reason in a comment."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from probe.csvfile import AS_FOUND, Reading, read_csv
from probe.errors import DataError
from probe.names import in_order, listed, looks_unknown, nearest

# Words in names of columns, in several common languages.
LABELS = {"label", "target", "class", "outcome", "decision", "y", "hired", "approved", "accepted", "default", "risk"}
GROUPS = {"sex", "gender", "race", "ethnicity", "ethnic", "religion", "nationality", "disability", "geschlecht"}
MOST_CLASSES, MOST_GROUPS = 20, 50
THRESHOLD = "# threshold = 0.5                 # where the second of two classes is predicted from, if it was tuned"
SHORT = 60  # the longest value in a comment, in characters


@dataclass(frozen=True)
class _Guess:
    label: str
    why: str  # empty if the user named the label
    numbers: bool  # whether the label is a number to estimate, and no class
    groups: list[str]
    features: list[str]
    left_out: dict[str, str]


def starter(path: str | Path, how: Reading = AS_FOUND, label: str = "") -> str:
    """A plan in TOML for the rows of a CSV file. The user names the model; every guess is marked as one.

    A label with few different values is a class; a number with many is the outcome of a regression.

    Args:
        path: the CSV file.
        how: how to read it.
        label: the column that the model predicts; guessed unless given.

    Raises:
        DataError: if the file cannot be read, or no column, or not the one given, can be a label.
    """
    path = Path(path)
    table, notices = read_csv(path, how=how)
    table.columns = [str(name) for name in table.columns]
    guess = _guess(table, path, label)
    why = f"  # guess: {guess.why}" if guess.why else ""
    lines = [
        f"# A plan to start with, guessed from {_comment(path.name)} ({len(table):,} rows). Check every line, then run",
        "#   probe audit --plan THIS_FILE --allow-code",
        *(f"# {_comment(notice)}" for notice in notices),
        "",
        "[model]",
        'factory = "my_package.nets:build"  # yours: a function that returns the model; its code is run',
        '# weights = "model.safetensors"',
        *(_numbers(table[guess.label]) if guess.numbers else [THRESHOLD]),
        "",
        "[data]",
        f"csv = {_text(path.name)}",
        *(f"{key} = {_text(value)}" for key in ("separator", "decimal", "encoding") if (value := getattr(how, key))),
        f"label = {_text(guess.label)}{why}",
    ]
    # As texts, like a plan's classes: 01 differs from 1, and TRUE from True.
    classes = [] if guess.numbers else in_order(read_csv(path, (guess.label,), how)[0][guess.label])
    if classes:
        lines += [f"classes = {_list(classes)}  # guess: in the order of their values; the model's order counts"]
    lines += [
        f"groups = {_list(guess.groups)}  # guess: columns whose names suggest groups of people",
        f"features = {_list(guess.features)}  # guess: all others; the model's order counts",
        *(f"#   left out: {_comment(name)}, {reason}" for name, reason in guess.left_out.items()),
        '# outliers = "others.csv"       # rows unlike these, for the survey outlier_auroc with shift = "given"',
        *_unknowns(table, [guess.label, *guess.groups, *guess.features]),
        'role = "unknown"  # "test" if no row was trained on, "train" if they were',
        "",
        "[about]  # for the first page of the report; nothing of it is checked",
        '# use = "..."                     # what the model is meant to be used for',
        '# users = "..."                   # who works with its answers',
        '# people = "..."                  # whom its answers are about, or affect',
        '# out_of_scope = "..."            # uses that it is not meant for',
        '# responsible = "..."             # who answers for the model',
        "",
    ]
    if classes:
        lines += ["[bias]", f"# positive = {_text(classes[-1])}  # the favourable class: only you know it", ""]
    lines += [
        "[attack]",
        "# until_decided = 50            # look every 50 rows, and end the attack once its share is decided",
        "",
    ]
    lines += ["[checks]  # the thresholds that you choose and sign"]
    lines += ["r_squared = 0.5"] if guess.numbers else ["accuracy = 0.8", "demographic_parity_difference = 0.1"]
    return "\n".join(lines) + "\n"


def _numbers(label: "pd.Series[Any]") -> list[str]:
    """A regression, as lines of [model]."""
    tenth = f"{float(label.std()) / 10:.2g}"
    return [
        'task = "regression"  # guess: the label is a number with many values',
        f"# tolerance = {tenth}  # the largest error of a right answer: needed for attacks on right answers",
    ]


def _guess(table: pd.DataFrame, path: Path, label: str) -> _Guess:
    names = [str(name) for name in table]
    distinct = {name: int(table[name].nunique()) for name in names}
    groups = [n for n in names if _words(n) & GROUPS and 2 <= distinct[n] <= MOST_GROUPS]
    if label:
        why, numbers = "", _must_be_one(table, path, label) == "numbers"
    else:
        label, why, numbers = _likely(table, path, groups)
    left_out: dict[str, str] = {}
    features = []
    for name in names:
        whole = not pd.api.types.is_float_dtype(table[name])
        if name == label or name in groups:
            continue
        if distinct[name] < 2:
            left_out[name] = "which has one value"
        elif distinct[name] == len(table) and whole and len(table) > MOST_CLASSES:
            left_out[name] = "which differs in every row, as an identifier does"
        else:
            features.append(name)
    return _Guess(label, why, numbers, [g for g in groups if g != label], features, left_out)


def _kind(column: "pd.Series[Any]") -> str:
    """What a column can be as a label: "classes", "numbers" or neither."""
    if column.isna().any() or column.nunique() < 2:
        return ""
    if column.nunique() <= MOST_CLASSES:
        return "classes"
    return "numbers" if pd.api.types.is_numeric_dtype(column) else ""


def _must_be_one(table: pd.DataFrame, path: Path, label: str) -> str:
    """What the named label is: "classes" or "numbers"."""
    if label not in table:
        raise DataError(f"{path.name} has no column {label!r}{nearest(label, map(str, table))}; it has {listed(table)}")
    if not (kind := _kind(table[label])):
        empty, values = int(table[label].isna().sum()), int(table[label].nunique())
        found = f"{values:,} different texts" if values > 1 else "one value"
        found = f"no value in {empty:,} of {len(table):,} rows" if empty else found
        raise DataError(
            f"{path.name}: column {label!r} has {found}, but a label has 2 to {MOST_CLASSES} different values, or more "
            "numbers, and no empty cell; name another column, or remove the rows without a value"
        )
    return kind


def _likely(table: pd.DataFrame, path: Path, groups: list[str]) -> tuple[str, str, bool]:
    """The column that is most likely the label, why, and whether it holds numbers."""
    kinds = {str(name): _kind(table[name]) for name in table if name not in groups or _words(str(name)) & LABELS}
    classes, numbers = ([name for name, found in kinds.items() if found == kind] for kind in ("classes", "numbers"))
    for able in (classes, numbers):
        if named := [name for name in able if _words(name) & LABELS]:
            return named[-1], "by its name", able is numbers
    if classes:
        return classes[-1], f"the last column with at most {MOST_CLASSES} different values", False
    if numbers:
        return numbers[-1], "the last column of numbers, since none could be a class", True
    raise DataError(
        f"{path.name} has no column that a model could predict: one with 2 to {MOST_CLASSES} different values, or with "
        "numbers, and no empty cell; add the outcome as a column"
    )


def _unknowns(table: pd.DataFrame, columns: Iterable[str]) -> list[str]:
    """Cells that look like missing values, as a line to uncomment."""
    found = {str(cell) for name in columns for cell in table[name].dropna().unique() if looks_unknown(str(cell))}
    return [f"# missing = {_list(sorted(found))}  # if these cells mean unknown"] if found else []


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z]+", name.lower()))


def _text(value: str) -> str:
    """A text as TOML writes it."""
    # JSON's escapes are valid TOML, except for a character that JSON does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _comment(text: str) -> str:
    """Foreign text in a comment: one line, without control characters."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return shown if len(shown) <= 4 * SHORT else f"{shown[: 4 * SHORT]}…"
