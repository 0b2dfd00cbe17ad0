"""A plan to start with, from a CSV file: a guess for each column, with its reason in a comment."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from probe.csvfile import AS_FOUND, Reading, read_csv
from probe.errors import DataError
from probe.names import in_order, looks_unknown

# Words in names of columns, in several common languages.
LABELS = {"label", "target", "class", "outcome", "decision", "y", "hired", "approved", "accepted", "default", "risk"}
GROUPS = {"sex", "gender", "race", "ethnicity", "ethnic", "religion", "nationality", "disability", "geschlecht"}
MOST_CLASSES, MOST_GROUPS = 20, 50
SHORT = 60  # the longest value in a comment, in characters


@dataclass(frozen=True)
class _Guess:
    label: str
    why: str
    groups: list[str]
    features: list[str]
    left_out: dict[str, str]


def starter(path: str | Path, how: Reading = AS_FOUND) -> str:
    """A plan in TOML for the rows of a CSV file. The user names the model; every guess is marked as one.

    Raises:
        DataError: if the file cannot be read, or no column can be a label.
    """
    path = Path(path)
    table, notices = read_csv(path, how=how)
    table.columns = [str(name) for name in table.columns]
    guess = _guess(table, path)
    # As texts, like a plan's classes: 01 differs from 1, and TRUE from True.
    classes = in_order(read_csv(path, (guess.label,), how)[0][guess.label])
    lines = [
        f"# A plan to start with, guessed from {_comment(path.name)} ({len(table):,} rows). Check every line, then run",
        "#   probe audit --plan THIS_FILE --allow-code",
        *(f"# {_comment(notice)}" for notice in notices),
        "",
        "[model]",
        'factory = "my_package.nets:build"  # yours: a function that returns the model; its code is run',
        '# weights = "model.safetensors"',
        "# threshold = 0.5                 # where the second of two classes is predicted from, if it was tuned",
        "",
        "[data]",
        f"csv = {_text(path.name)}",
        *(f"{key} = {_text(value)}" for key in ("separator", "decimal", "encoding") if (value := getattr(how, key))),
        f"label = {_text(guess.label)}  # guess: {guess.why}",
        f"classes = {_list(classes)}  # guess: in the order of their values; the model's order counts",
        f"groups = {_list(guess.groups)}  # guess: columns whose names suggest groups of people",
        f"features = {_list(guess.features)}  # guess: all others; the model's order counts",
        *(f"#   left out: {_comment(name)}, {reason}" for name, reason in guess.left_out.items()),
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
        "[bias]",
        f"# positive = {_text(classes[-1])}  # the favourable class: only you know it",
        "",
        "[checks]  # the thresholds that you choose and sign",
        "accuracy = 0.8",
        "demographic_parity_difference = 0.1",
    ]
    return "\n".join(lines) + "\n"


def _guess(table: pd.DataFrame, path: Path) -> _Guess:
    names = [str(name) for name in table]
    distinct = {name: int(table[name].nunique()) for name in names}
    able = [n for n in names if 2 <= distinct[n] <= MOST_CLASSES and not table[n].isna().any()]
    named = [name for name in able if _words(name) & LABELS]
    groups = [n for n in names if _words(n) & GROUPS and 2 <= distinct[n] <= MOST_GROUPS]
    others = [name for name in able if name not in groups]
    if not named and not others:
        raise DataError(
            f"{path.name} has no column that a model could predict: one with 2 to {MOST_CLASSES} different values and "
            "no empty cell; add the outcome as a column"
        )
    label = (named or others)[-1]
    why = "by its name" if named else f"the last column with at most {MOST_CLASSES} different values"
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
    return _Guess(label, why, [g for g in groups if g != label], features, left_out)


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
