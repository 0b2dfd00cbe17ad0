"""Tables for spreadsheets, which run a cell that begins with = as a formula."""

import re

import pandas as pd

from probe.text import visible

# Also their full-width forms, and after blanks, which some programs skip.
STARTS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
FORMULA = re.compile(f"[\\s\ufeff]*[{STARTS}]|[\\t\\r\\n]")
# In many European settings, spreadsheets separate cells at a semicolon in any file.
PARTED = re.compile(f"(;\\s*)(?=[{STARTS}])")
NUMBERS = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?\s*%?(\s*\[[-+\d.,e\s%]*\])?", re.IGNORECASE)


def harmless(cell: str) -> str:
    """A text that is neither a formula to a spreadsheet nor a command to a terminal; ordinary text is unchanged."""
    if NUMBERS.fullmatch(cell.strip()):
        return cell.strip()
    return ("'" if FORMULA.match(cell) else "") + PARTED.sub(r"\1'", visible(cell, longest=None))


def to_csv(table: pd.DataFrame) -> str:
    """A table as CSV that is safe to open in a spreadsheet; the tables of a bundle stay exact."""
    safe = table.map(lambda cell: harmless(cell) if isinstance(cell, str) else cell)
    return safe.rename(columns=lambda name: harmless(str(name))).to_csv(index=False)
