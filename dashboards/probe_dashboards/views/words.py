"""How numbers, statuses and foreign text are written."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from probe import formatting
from probe.audit.spreadsheet import harmless
from probe.formatting import MINUS, NOT_MEASURED, Measured, Unit, digits
from probe.statuses import STATUSES, UNKNOWN
from probe.text import visible

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

JOINER = "\N{WORD JOINER}"
NO_BREAK = "\N{NO-BREAK SPACE}"


def md(value: Any) -> str:
    """Escape foreign text for Markdown: it is shown as it is, without links, images, formulas or icons.

    Punctuation becomes a character reference. Streamlit looks for addresses, icons and emoji after these are resolved,
    so a word joiner, which has no width, is inserted where one would begin, and only there: all other text can be
    copied from the page and searched for.
    """
    text = _READ_LATE.sub(rf"\g<0>{JOINER}", visible(value))
    return re.sub(r"[!-/:-@\[-`{-~]", lambda match: f"&#{ord(match[0])};", text)


def as_label(value: Any) -> str:
    """Foreign text as the label of a widget: as it is where Markdown reads nothing in it.

    A screen reader spells out the character references of an escaped one.
    """
    text = visible(value)
    return text if _PLAIN.fullmatch(text) and not _READ_LATE.search(text) else md(text)


_PLAIN = re.compile(r"[^\W\d_](?:[^\W_]|[ ,.;()%/+=\N{INFINITY}-])*")
_READ_LATE = re.compile(
    r"(?i):(?=//|[\w+/-]+[:\[])|@(?=[\w-])|www(?=\.)|[-<>=~](?=[-<>=~])"
)  # addresses, icons and emoji, and arrows


def status(name: str) -> str:
    """A status as Markdown: sign, word, colour."""
    if name not in STATUSES:
        return f":{UNKNOWN.colour}[{UNKNOWN.word}: {md(name)}]"
    # No-break spaces keep the sign beside its word in a narrow column.
    look = STATUSES[name]
    return f":{look.colour}[{look.sign}{NO_BREAK}{look.word.replace(' ', NO_BREAK)}]"


def number(value: Any, unit: Unit = "number") -> str:
    """A number as text, a whole one with thousands separators; a dash where there is none."""
    if not formatting.defined(value):
        return formatting.DASH
    return formatting.count(value) if isinstance(value, int | np.integer) else formatting.number(value, unit)


def correlation(value: float) -> str:
    """A correlation as text; a dash where there is none."""
    return (
        formatting.DASH if np.isnan(value) else f"{value:.2f}".replace("-0.00", "0.00").replace("-", formatting.MINUS)
    )


def estimate(value: Any, low: Any, high: Any, unit: Unit = "number") -> str:
    """An estimate with its 95 % interval."""
    return unbroken(formatting.estimate(value, low, high, unit)) if formatting.defined(value) else NOT_MEASURED


def unbroken(measured: Measured) -> str:
    """An estimate whose interval does not wrap."""
    return str(measured._replace(ends=measured.ends.replace(" ", NO_BREAK)))


def threshold(value: Any, direction: str, unit: Unit = "number") -> str:
    """A threshold as text, or a dash where there is none."""
    return formatting.threshold(value, direction, unit) or formatting.DASH


def plained(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of foreign text for st.dataframe, which shows text as it is and can export to a spreadsheet."""
    table = frame.map(lambda cell: harmless(visible(cell)) if isinstance(cell, str) else cell)
    return table.rename(columns=lambda name: harmless(visible(name)))


def finite(frame: pd.DataFrame) -> "pd.DataFrame | Styler":
    """A table for st.dataframe, which would write "Infinity" where a number has no end; its numbers stay numbers."""
    numbers = frame.select_dtypes("float").columns
    if not np.isinf(frame[numbers].to_numpy(dtype=float)).any():
        return frame
    return frame.style.format(_written, subset=list(numbers))


def _written(value: Any) -> str:
    if np.isnan(value):
        return ""
    size = "\N{INFINITY}" if np.isinf(value) else digits(abs(value), 4)
    return f"{MINUS}{size}" if value < 0 else size
