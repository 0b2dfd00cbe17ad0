"""Names: sorting, detection of names that mean unknown, and suggestions."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from collections.abc import Set as AnySet
from contextlib import suppress
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from probe.errors import DataError

T = TypeVar("T")
if TYPE_CHECKING:
    Passed = Annotated[T, None]
else:

    class Passed:
        """An argument of a type that is checked by `entries` or `require`: at run time anything that is passed."""

        def __class_getitem__(cls, kind: Any) -> Any:
            return Annotated[Any, kind]


LONGEST = 200  # characters of a word that names are compared with
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
# Spellings of an unknown, without their case. pandas takes most of them for an empty cell.
UNKNOWN = frozenset(
    [
        *("", "-", "--", "---", ".", "..", "?", "??", "none", "null", "nil", "unknown", "missing", "undefined"),
        *("na", "n/a", "n.a.", "n.a", "<na>", "#na", "#n/a", "#n/a n/a", "nan", "-nan", "-1.#ind", "1.#ind"),
        *("1.#qnan", "-1.#qnan", "not available", "not known", "no data", "unspecified", "k.a."),
    ]
)

# Cells that pandas.read_csv takes for missing unless it is told otherwise.
PANDAS_MISSING = (
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),
)


def number(text: str) -> Decimal | None:
    """The exact number that a name spells; None for any other name."""
    return Decimal(text) if NUMBER.fullmatch(text) else None


# The truth values of a CSV, of numpy and of Python are one pair.
TRUTH = {"true": "1", "false": "0"}


def values_of(names: Iterable[str]) -> list[Decimal | str]:
    """What names stand for: 1, 1.0 and True are the same, all other texts as they are."""
    plain = [TRUTH.get(name.lower(), name) for name in names]
    values = [number(name) for name in plain]
    return [name if value is None else value for name, value in zip(plain, values, strict=True)]


def in_order(names: Iterable[str]) -> list[str]:
    """Sorted distinct names: by value if all are numbers, so that 2 comes before 10, else as text."""
    unique = sorted(set(names))
    values = [number(name) for name in unique]
    if None in values:
        return unique
    # Equal numbers, such as 01 and 1, are names apart and stay in the order of their text.
    return [unique[at] for at in sorted(range(len(unique)), key=lambda at: values[at] or Decimal(0))]


def looks_unknown(name: str) -> bool:
    """Whether a name usually means unknown, such as N/A, ? or a blank."""
    return name.strip().casefold() in UNKNOWN


def canonical(text: str) -> str:
    """A key that ignores case, width, encoding of accents, invisible characters and spaces."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(c for c in plain if unicodedata.category(c) != "Cf").split())


def refuse_twins(names: Iterable[str], where: str) -> None:
    """Raise DataError for two columns that nobody can see apart, as who names one cannot know which is taken.

    They differ in spaces, invisible characters or the encoding of accents.
    """
    seen: dict[str, str] = {}
    for name in names:
        visible = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf")
        first = seen.setdefault(" ".join(visible.split()) or name, name)
        if first != name:
            raise DataError(f"{where} has two columns that look the same, {first!a} and {name!a}; rename one")


def shown_apart(text: str, others: Iterable[str]) -> str:
    """A text in quotes, with escapes where another one would look the same."""
    twins = sum(unicodedata.normalize("NFC", other) == unicodedata.normalize("NFC", text) for other in others)
    return ascii(text) if twins > 1 else repr(text)


def same_rows(**given: Any) -> None:
    """Raise DataError where two of these are of pandas and label their rows differently; others go by place."""
    indexed = [(name, value.index) for name, value in given.items() if hasattr(getattr(value, "index", None), "equals")]
    for name, index in indexed[1:]:
        if not index.equals(indexed[0][1]):
            raise DataError(
                f"the index of {name} differs from that of {indexed[0][0]}, so rows may not match; "
                "align them (reindex) or pass plain arrays in the same order"
            )


def listed(names: Iterable[object], most: int | None = None) -> str:
    """Names in a row, quoted where one has edges or signs that nobody sees."""
    every = list(map(str, names))
    return ", ".join(map(_spelled, every[:most])) + ", ..." * (most is not None and len(every) > most)


def _spelled(name: str) -> str:
    return name if name and name == name.strip() and name.isprintable() and "," not in name else repr(name)


def a_kind(value: object) -> str:
    """The type of a value in words: a list, an int, None."""
    kind = type(value).__name__
    return "None" if value is None else f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"


def entries(given: Any, what: str, such: str) -> list[Any]:
    """The entries of a tuple, or of another sequence such as an array, in order.

    Raises:
        DataError: for a single text or number, and for sets and dicts, whose order means nothing.
    """
    if isinstance(given, str | bytes):
        raise DataError(f"{what} are one text, {given!r:.60}; give a tuple, such as {such}")
    if hasattr(given, "tolist"):
        with suppress(NotImplementedError):  # a tensor on the meta device holds nothing
            given = given.tolist()
    if isinstance(given, Iterable) and not isinstance(given, AnySet | Mapping) and not hasattr(given, "tolist"):
        return list(given)
    found = a_kind(given) if given is None else f"{a_kind(given)}, {given!r:.60}"
    raise DataError(f"{what} are {found}; expected a tuple in order, such as {such}")


def require(value: object, kind: type, where: str, such: str) -> None:
    """Raise DataError unless a value is of a kind."""
    if not isinstance(value, kind):
        raise DataError(f"{where} is {a_kind(value)}, expected a {kind.__name__}; write {such}")


def nearest(word: str, known: Iterable[str]) -> str:
    """A suggestion of the closest known name, in brackets; empty if none is close."""
    word = word[:LONGEST]
    close = get_close_matches(word, list(known), n=5)
    return f" (did you mean {min(close, key=lambda name: _slips(word, name))!r}?)" if close else ""


def _slips(word: str, name: str) -> tuple[int, bool, int, int]:
    """How many signs differ, and where those are many, whether a name is no word of what was written.

    So stepz is steps, and step_size is step.
    """
    counts = list(range(len(name) + 1))
    for at, sign in enumerate(word, 1):
        before, counts = counts, [at]
        for place, other in enumerate(name, 1):
            counts.append(min(before[place] + 1, counts[-1] + 1, before[place - 1] + (sign != other)))
    return min(counts[-1], 3), name not in word.split("_"), counts[-1], abs(len(word) - len(name))
