"""Pieces of HTML for notebooks: no script, no style sheet, legible on light and on dark pages, foreign text as text.

Whoever shows a notebook may take style sheets out, so that each element has its own style, and takes its colours from
the page around it.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from math import isinf
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from probe.finding import Finding
from probe.formatting import DASH, MINUS, count, norm, number, words
from probe.statuses import look
from probe.text import visible

SHORT, LONG = 14, 60  # characters of a cell that does not wrap, and of one that would be narrow and high
ROWS = 20  # rows of a table that are shown
_WHOLE = "white-space:nowrap"
_MEASURED = re.compile(rf"[<≤≥+{MINUS}\d][^;:]{{0,35}}")
_TABLE = "border-collapse:collapse;font-variant-numeric:tabular-nums;color:inherit;background:none"
_CELL = "text-align:left;vertical-align:top;padding:.25em .7em;border:0;border-bottom:1px solid #88888866;color:inherit"


def told(lines: Iterable[str]) -> str:
    """Sentences, of which the first is the heading."""
    first, *others = (escape(visible(line)) for line in lines)
    rest = "".join(f'<div style="opacity:.82">{line}</div>' for line in others)
    return f'<div style="margin:.3em 0"><strong>{first}</strong>{rest}</div>'


def table(frame: pd.DataFrame, caption: str = "", rows: int = ROWS, *, own: bool = True) -> str:
    """The first rows of a table, each number in the notation of reports; `caption` is what a screen reader says first.

    Names of columns are written as words, unless they are those of the data (`own` is False).

    >>> import pandas as pd
    >>> "0.333" in table(pd.DataFrame({"share_right": [1 / 3]}))
    True
    """
    shown = frame.head(rows)
    more = f' <span style="{_WHOLE}">The first {rows} of {len(frame):,} rows.</span>' if len(frame) > rows else ""
    said = escape(visible(caption)) + more
    top = f'<caption style="text-align:left;color:inherit;opacity:.82">{said.strip()}</caption>' if said else ""
    heads = "".join(
        f'<th scope="col" style="{_CELL}">{_text(words(norm(str(name))) if own else str(name))}</th>'
        for name in shown.columns
    )
    columns = [_cells(shown.iloc[:, at]) for at in range(shown.shape[1])]
    body = "".join(_row(cells) for cells in zip(*columns, strict=True))
    return f'<table style="{_TABLE}">{top}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def scrolling(inner: str) -> str:
    """What is wider than the page, in a box that the keyboard scrolls too."""
    return f'<div style="overflow-x:auto" tabindex="0" role="group" aria-label="table">{inner}</div>'


def findings(found: Sequence[Finding]) -> pd.DataFrame:
    """Findings as every page lists them: a status by its sign and its word, never by a colour alone."""
    rows = []
    for each in found:
        measured, threshold, n = each.written()
        known = look(each.status)
        rows.append((f"{known.sign} {known.word}", each.check, str(measured), threshold, n, each.note))
    return pd.DataFrame(rows, columns=["Status", "Finding", "Estimate [95 % interval]", "Threshold", "n", "Note"])


def _cells(column: "pd.Series[Any]") -> list[str]:
    """A number that is none is undefined; a text that is not there is a dash."""
    numbers = pd.api.types.is_numeric_dtype(column)
    return [_written(cell if numbers or not pd.isna(cell) else None) for cell in column]


def _row(cells: Sequence[str]) -> str:
    inner = "".join(f'<td style="{_CELL}{_kept(cell)}">{_text(cell)}</td>' for cell in cells)
    return f"<tr>{inner}</tr>"


def _kept(cell: str) -> str:
    """The style of a cell that does not wrap: a word or two, or a number with its interval; sentences have room."""
    if len(cell) <= SHORT or _MEASURED.fullmatch(cell):
        return f";{_WHOLE}"
    return ";min-width:18em" if len(cell) > LONG else ""


def _written(cell: Any) -> str:
    if isinstance(cell, bool | np.bool_):
        return "yes" if cell else "no"
    if cell is None:
        return DASH
    if isinstance(cell, Integral):
        return count(cell)
    if isinstance(cell, Real):
        return number(float(cell)) if not isinf(float(cell)) else f"{MINUS if cell < 0 else ''}\N{INFINITY}"
    return str(cell)


def _text(text: str) -> str:
    return escape(visible(text))
