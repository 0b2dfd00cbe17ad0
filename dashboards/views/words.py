"""How numbers, statuses and foreign text are written."""

import re
import unicodedata
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from probe.audit.spreadsheet import harmless
from probe.plots.style import STATUSES as SIGNS

LONGEST = 1000  # characters of a name or a note that are shown
JOINER = "\N{WORD JOINER}"
NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Look:
    """How a status is shown: never by its colour alone."""

    word: str
    colour: str


STATUSES = {
    "pass": Look("Pass", "blue"),
    "fail": Look("Fail", "orange"),
    "inconclusive": Look("Inconclusive", "grey"),
    "not run": Look("Not run", "grey"),
    "error": Look("Error", "orange"),
}


def plain(value: Any) -> str:
    """Foreign text without control characters and without marks that reorder what is read, cut to a decent length."""
    text = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _HIDDEN else c for c in str(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def md(value: Any) -> str:
    """Foreign text for a place that reads Markdown: it comes out as it is, with no link, image, formula or icon.

    Punctuation becomes a character reference. The viewer looks for addresses, icons and emoji after these are resolved,
    so the characters that those need are followed by a joiner that has no width.
    """
    text = re.sub(r"(?i)([:@]|www|[-<>=~]{1})(?=\S)", rf"\1{JOINER}", plain(value))
    return re.sub(r"[!-/:-@\[-`{-~]", lambda match: f"&#{ord(match[0])};", text)


def status(name: str) -> str:
    """A status as Markdown: icon, word, colour."""
    if name not in STATUSES:
        return f":orange[Unknown status: {md(name)}]"
    # The spaces do not break: in a narrow column the sign stays beside its word.
    look = STATUSES[name]
    return f":{look.colour}[{SIGNS[name].icon}{NO_BREAK}{look.word.replace(' ', NO_BREAK)}]"


def number(value: Any, digits: int = 3) -> str:
    """A number, or a dash where it is undefined."""
    if value is None or not isfinite(float(value)):
        return "\N{EN DASH}"
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    value = float(value)
    return f"{value:.2e}" if value and abs(value) < 10**-digits else f"{value:.{digits}f}"


def share(value: float) -> str:
    """A probability or a share, in per cent; what is too small to be written is not written as 0."""
    if 0 < value < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 < value < 1 else f"{value:.1%}"


def estimate(value: Any, low: Any, high: Any) -> str:
    """An estimate with its 95 % interval."""
    if value is None or not isfinite(float(value)):
        return "not measured"
    if low is None or high is None or not (isfinite(float(low)) and isfinite(float(high))):
        return f"{number(value)} [no interval]"
    return f"{number(value)} [{number(low)},{NO_BREAK}{number(high)}]"


def threshold(value: Any, direction: str) -> str:
    """What was asked of an estimate."""
    if value is None or not isfinite(float(value)):
        return "\N{EN DASH}"
    return f"{'≤' if direction == 'at most' else '≥'} {float(value):g}"


def escaped(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of foreign text for a place that reads Markdown."""
    return frame.map(lambda cell: md(cell) if isinstance(cell, str) else cell).rename(columns=lambda name: md(name))


def plained(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of foreign text for a place that shows it as it is, and lets it be taken into a spreadsheet."""
    shown = frame.map(lambda cell: harmless(plain(cell)) if isinstance(cell, str) else cell)
    return shown.rename(columns=lambda name: harmless(plain(name)))
