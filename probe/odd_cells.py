"""Text columns that should not be categories: numbers with odd cells, dates, identifiers."""

import re
from collections import Counter
from typing import Any

from numpy.typing import NDArray

from probe.errors import DataError
from probe.names import NUMBER

MOST_LEVELS = 200  # the most values of an undeclared category
MOSTLY = 0.9  # share of numeric cells above which the others are odd
COMMAS = re.compile(r"[+-]?[0-9]+,[0-9]+")
POINTS = re.compile(r"[+-]?[0-9]{1,3}((\.[0-9]{3})+,[0-9]+|(\.[0-9]{3}){2,})")  # 1.234,50 and 1.234.567
THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?")
PERCENT = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?\s?%")
MONEY = re.compile(r"[$€£¥]\s?[0-9.,]+|[0-9.,]+\s?[$€£¥]")
SPACED = re.compile(r"[+-]?[0-9]{1,3}([ _'\u00a0\u2009\u202f\u2019][0-9]{3})+([.,][0-9]*)?")  # 1 234 and 1'234.50
BRACKETS = re.compile(r"\([0-9]+([.,][0-9]+)*\)")  # as accountants write what is below 0
QUOTED = re.compile(r"(['\"\u2018\u201c\u00ab`])[+-]?[0-9]+([.,][0-9]+)*['\"\u2019\u201d\u00bb`]")
HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]+")
MINUS = re.compile(r"[\u2012\u2013\u2212\ufe63\uff0d]\s?[0-9]+([.,][0-9]+)?")
DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9:.]+)?.{0,6}|[0-9]{1,2}([./-])[0-9]{1,2}\2[0-9]{2,4}( .*)?")

WRITTEN = {
    "percent": "write 12% as 12",
    "money": "leave out the sign of the currency",
    "spaced": "leave out what stands between thousands",
    "brackets": "write what is below 0 with a minus sign, (12) as -12",
    "quoted": "leave out the quotes within cells",
    "hexadecimal": "write numbers to the base 10",
    "minus": "write the minus sign as -",
    "digits": "write digits as 0 to 9",
}  # of cells of one kind


def refuse_odd(cells: NDArray[Any], column: str, table: str) -> None:
    """Raise DataError if a text column holds numbers with odd cells, or has too many values.

    Args:
        cells: the non-missing texts.
        column: its name.
        table: the name of the table.
    """
    counts = Counter(cells.tolist())
    rows = sum(counts.values())
    looks = {cell: _looks(cell) for cell in counts}
    tally: Counter[str] = Counter()
    for cell, n in counts.items():
        tally[looks[cell]] += n
    where = f"column {column!r} of {table}"
    numeric = rows - tally[""] - tally["dates"]
    odd = {cell: n for cell, n in counts.items() if looks[cell] != "numbers"}
    # Texts of digits alone, such as 01234, are meant as text by the table's author.
    if odd and numeric > MOSTLY * rows:
        raise DataError(f"{where} holds numbers, and {_listed(odd)}: {_remedy(odd, looks)}")
    if len(counts) <= MOST_LEVELS:
        return
    some = ", ".join(map(repr, list(counts)[:3]))
    if tally["dates"] > MOSTLY * rows:
        raise DataError(
            f"{where} holds dates ({some}): make them numbers, such as days since the first, or leave it out of "
            "`features`"
        )
    if len(counts) > MOSTLY * rows:
        raise DataError(
            f"{where} has {len(counts):,} different texts in {rows:,} rows ({some}, ...): an identifier; "
            "leave it out of `features`"
        )
    raise DataError(
        f"{where} has {len(counts):,} different texts in {rows:,} rows ({some}, ...), more than {MOST_LEVELS}: group "
        "them, leave it out of `features`, or list its values in `categories`"
    )


def refuse_points(cells: list[str], column: str, table: str) -> None:
    """Raise DataError if a CSV column with decimal commas holds numbers with points."""
    if cells and all(NUMBER.fullmatch(cell.strip()) for cell in cells) and (
        pointed := [cell for cell in cells if "." in cell]
    ):  # fmt: skip
        raise DataError(
            f"column {column!r} of {table} holds {pointed[0]!r}, and decimal commas were set: leave out points "
            "between thousands, write decimals alike, or list the values in `categories` if they are names"
        )


def _looks(cell: str) -> str:
    text = cell.strip()
    for kind, pattern in (
        ("numbers", NUMBER),
        ("dates", DATE),
        ("thousands", THOUSANDS),
        ("commas", COMMAS),
        ("points", POINTS),
        ("percent", PERCENT),
        ("money", MONEY),
        ("spaced", SPACED),
        ("brackets", BRACKETS),
        ("quoted", QUOTED),
        ("hexadecimal", HEXADECIMAL),
        ("minus", MINUS),
    ):
        if pattern.fullmatch(text):
            return kind
    return "digits" if text.isdecimal() else ""


def _remedy(odd: dict[str, int], looks: dict[str, str]) -> str:
    kinds = {looks[cell] for cell in odd}
    for kind, remedy in WRITTEN.items():
        if kinds == {kind}:
            return remedy
    if "points" in kinds and kinds <= {"commas", "points"}:
        return (
            'points between thousands; leave them out (1234,50), and set decimal = "," where semicolons or tabs stand '
            "between the cells"
        )
    if "commas" in kinds and kinds <= {"commas", "thousands"}:
        return (
            'decimal commas; set decimal = "," where semicolons or tabs stand between the cells, and write points '
            "elsewhere"
        )
    if kinds == {"thousands"}:
        return "decimal commas, or thousands; write them without a comma"
    first = next(cell for cell in odd if not looks[cell] or looks[cell] == "dates") if "" in kinds else next(iter(odd))
    return (
        f'if it means unknown, list it: missing = ["{first}"], and fill it in or allow missing cells; else correct it'
    )


def _listed(odd: dict[str, int]) -> str:
    shown = sorted(odd.items(), key=lambda item: -item[1])[:3]
    words = [f"{cell!r} in {n:,} {'row' if n == 1 else 'rows'}" for cell, n in shown]
    more = len(odd) - len(shown)
    return ", ".join(words) + (f" and {more:,} more" if more else "")


def dates_among(levels: tuple[str, ...]) -> str:
    """The first level if nearly all levels are dates; else empty."""
    dates = [level for level in levels if _looks(level) == "dates"]
    return dates[0] if len(dates) > MOSTLY * len(levels) else ""
