"""From a column of values to named groups: missing values, names that suggest an unknown, and different spellings."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.bias.settings import Settings
from probe.bias.validation import Ints
from probe.errors import DataError
from probe.names import canonical, looks_unknown, shown_apart

MANY_NUMBERS = 20  # a column of more distinct numbers is measured rather than named


@dataclass(frozen=True, eq=False)
class Column:
    """Codes into the names of groups, -1 where a row names none."""

    codes: Ints
    names: tuple[str, ...]
    like_unknown: NDArray[np.bool_]  # rows whose group reads like an unknown
    notice: str


def read(column: pd.Series, name: str, settings: Settings) -> Column:
    """The groups of a column in the order of their text, so that neither row order nor encoding matters.

    Raises:
        DataError: two spellings may be one group, and are not to be merged
    """
    # Only an empty text is unknown, unless other names are listed. A name that suggests an unknown stays a group,
    # as the spelling does not decide its meaning, and is counted.
    try:
        codes, values = pd.factorize(column, use_na_sentinel=True)
    except TypeError as error:
        raise DataError(f"attribute {name!r} holds values that cannot be hashed, such as lists; use text") from error
    texts = ["" if text in settings.missing else text for text in map(_text, values)]
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    spelled, notices = _spellings(name, texts, counts, settings)
    # Unlike values of one text stay unlike groups here, and are refused where they are tabulated.
    chosen = [at for at, text in enumerate(texts) if text and spelled[text] == text]
    order = sorted(chosen, key=lambda at: texts[at])
    place = {texts[at]: rank for rank, at in enumerate(order)}
    rank = np.full(len(texts) + 1, -1, dtype=np.int64)  # the last is of rows without a value
    for at, text in enumerate(texts):
        rank[at] = place[spelled[text]] if text else -1
    for position, at in enumerate(order):
        rank[at] = position
    names = tuple(texts[at] for at in order)
    coded = rank[codes]
    notices += _like_unknown(names, coded) + _empty(column) + _measured(column, names)
    like = np.array([looks_unknown(canonical(text)) for text in names] + [False])
    return Column(coded, names, like[coded], "; ".join(notices))


def _text(value: object) -> str:
    # A whole-number column becomes float as soon as one value is missing; its groups keep their names.
    return str(int(value)) if isinstance(value, float | np.floating) and value.is_integer() else str(value)


def _spellings(name: str, texts: Sequence[str], counts: Ints, settings: Settings) -> tuple[dict[str, str], list[str]]:
    """The most frequent spelling for each text, and a notice of what was merged."""
    alike: dict[str, dict[str, int]] = defaultdict(dict)
    for text, count in zip(texts, counts.tolist(), strict=True):
        if text:
            # Blanks of several kinds are no spelling of a name; each reads like an unknown, and is counted as one.
            seen = alike[canonical(text) or text]
            seen[text] = seen.get(text, 0) + count
    spelled: dict[str, str] = {}
    notices = []
    for seen in alike.values():
        most = min(seen, key=lambda text: (-seen[text], text))
        spelled |= dict.fromkeys(seen, most)
        if len(seen) > 1:
            listed = " and ".join(f"{shown_apart(text, seen)} ({spoken(seen[text])})" for text in sorted(seen))
            if not settings.merge_spellings:
                raise DataError(
                    f"attribute {name!r} spells what may be one group in {len(seen)} ways: {listed}; "
                    "spell them alike, or merge them: merge_spellings=True, --merge-spellings on the command line, "
                    "bias.merge_spellings = true in a plan"
                )
            notices.append(f"merged as {most!r}: {listed}")
    return spelled, notices


def spoken(rows: int) -> str:
    """A number of rows in words."""
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def _like_unknown(names: Sequence[str], codes: Ints) -> list[str]:
    found = [(at, name) for at, name in enumerate(names) if looks_unknown(canonical(name))]
    if not found:
        return []
    listed = ", ".join(f"{name!r} ({spoken(int((codes == at).sum()))})" for at, name in found)
    return [f"reads like an unknown and is compared as a group: {listed}"]


def _empty(column: pd.Series) -> list[str]:
    """A notice of declared categories without rows."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return []
    unused = sorted(
        _text(value) for value in set(column.cat.categories) - set(column.cat.remove_unused_categories().cat.categories)
    )
    return [f"declared, 0 rows: {', '.join(map(repr, unused))}"] if unused else []


def _measured(column: pd.Series, names: Sequence[str]) -> list[str]:
    numbers = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not numbers or len(names) <= MANY_NUMBERS:
        return []
    return [
        f"{len(names)} distinct numbers, each compared as a group of its own; a few bins would show more, "
        "such as those of pandas.qcut(values, 4)"
    ]
