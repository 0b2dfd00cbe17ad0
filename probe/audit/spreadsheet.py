"""Tables for a spreadsheet, which takes a cell that begins with = for a formula and runs it."""

import re

import pandas as pd

from probe.text import visible

# Also in the wide forms of East Asia, and behind blanks, which some programs skip.
STARTS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
FORMULA = re.compile(f"[\\s\ufeff]*[{STARTS}]|[\\t\\r\\n]")
# Half of Europe's spreadsheets part cells at a semicolon, whatever the file says.
PARTED = re.compile(f"(;\\s*)(?=[{STARTS}])")
NUMBERS = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?\s*%?(\s*\[[-+\d.,e\s%]*\])?", re.IGNORECASE)


def harmless(cell: str) -> str:
    """A text that no program takes for a formula, and no terminal for a command; numbers and ordinary text stay."""
    if NUMBERS.fullmatch(cell.strip()):
        return cell.strip()
    return ("'" if FORMULA.match(cell) else "") + PARTED.sub(r"\1'", visible(cell, longest=None))


def to_csv(table: pd.DataFrame) -> str:
    """A table as CSV that can be opened in a spreadsheet; the tables of a bundle stay exact."""
    safe = table.map(lambda cell: harmless(cell) if isinstance(cell, str) else cell)
    return safe.rename(columns=lambda name: harmless(str(name))).to_csv(index=False)
