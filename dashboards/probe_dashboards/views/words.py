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
from probe.report import wording
from probe.report.wording import Unit

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
    so that where one would begin, a joiner that has no width comes between. No other name has one: what is copied from
    the page is found again.
    """
    text = _READ_LATE.sub(rf"\g<0>{JOINER}", plain(value))
    return re.sub(r"[!-/:-@\[-`{-~]", lambda match: f"&#{ord(match[0])};", text)


_READ_LATE = re.compile(
    r"(?i):(?=//|[\w+/-]+[:\[])|@(?=[\w-])|www(?=\.)|[-<>=~](?=[-<>=~])"
)  # addresses, icons and emoji, and arrows


def status(name: str) -> str:
    """A status as Markdown: icon, word, colour."""
    if name not in STATUSES:
        return f":orange[Unknown status: {md(name)}]"
    # The spaces do not break: in a narrow column the sign stays beside its word.
    look = STATUSES[name]
    return f":{look.colour}[{SIGNS[name].icon}{NO_BREAK}{look.word.replace(' ', NO_BREAK)}]"


def number(value: Any, unit: Unit = "number") -> str:
    """A number as the report writes it, or a dash where it is undefined."""
    if value is None or not isfinite(float(value)):
        return "\N{EN DASH}"
    return count(value) if isinstance(value, int | np.integer) else wording.number(float(value), unit)


def count(value: Any) -> str:
    """A whole number with commas."""
    return wording.count(value)


def share(value: float) -> str:
    """A probability or a share, in per cent; what is too small to be written is not written as 0."""
    return number(float(value), "share")


def estimate(value: Any, low: Any, high: Any, unit: Unit = "number") -> str:
    """An estimate with its 95 % interval."""
    if value is None or not isfinite(float(value)):
        return "not measured"
    ends = wording.interval(low, high, unit).replace(" ", NO_BREAK)
    return f"{number(float(value), unit)} [{ends or 'no interval'}]"


def threshold(value: Any, direction: str, unit: Unit = "number") -> str:
    """What was asked of an estimate."""
    return wording.threshold(value, direction, unit) or "\N{EN DASH}"


def escaped(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of foreign text for a place that reads Markdown."""
    return frame.map(lambda cell: md(cell) if isinstance(cell, str) else cell).rename(columns=lambda name: md(name))


def plained(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of foreign text for a place that shows it as it is, and lets it be taken into a spreadsheet."""
    shown = frame.map(lambda cell: harmless(plain(cell)) if isinstance(cell, str) else cell)
    return shown.rename(columns=lambda name: harmless(plain(name)))
