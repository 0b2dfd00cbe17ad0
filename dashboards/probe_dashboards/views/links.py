"""Addresses of other pages, and tables, whose cells may lead there."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple
from urllib.parse import urlencode

import numpy as np
import pandas as pd

from probe.text import visible
from probe_dashboards.views import marks
from probe_dashboards.views.words import number

FEWEST = 3  # columns of a table whose rows are cards on a narrow screen; fewer fit beside each other on a phone


class Link(NamedTuple):
    """A cell that leads to a page."""

    text: str
    address: str


def address(page: str, run: str, asked: Mapping[str, str]) -> str:
    """The address of a page of an audit, from any other page."""
    return f"{page}?{urlencode({'run': run, **asked})}"


def html(frame: pd.DataFrame, alt: str, *, marked: bool = False) -> str:
    """A table of foreign text as HTML. A cell that is a `Link` leads there; if `marked`, texts are Markdown."""
    names = [escape(visible(name)) for name in frame.columns]
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    lines = []
    for cells in frame.itertuples(index=False, name=None):
        told = [
            f'<td data-name="{_attribute(name)}">{_cell(cell, marked=marked)}</td>'
            for name, cell in zip(names, cells, strict=True)
        ]
        lines.append(f"<tr>{''.join(told)}</tr>")
    look = "linked cards" if len(names) >= FEWEST else "linked"
    return (
        f'<div class="{look}" role="region" tabindex="0" aria-label="{_attribute(escape(visible(alt)))}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def cards(numbers: Sequence[tuple[str, str, str]]) -> str:
    """Cards as HTML, each with what its number is of, in Markdown, the number, and its interval, or none."""
    parts = (
        f"<div><dt>{marks.html(of)}</dt><dd>{escape(visible(number))}</dd>"
        + (f'<dd class="small">{escape(visible(ends))}</dd>' if ends else "")
        + "</div>"
        for of, number, ends in numbers
    )
    return f'<dl class="numbers">{"".join(parts)}</dl>'


def _attribute(name: str) -> str:
    """An escaped name in an attribute, which the sanitizer of the page would drop if it held the end of a tag."""
    return name.replace("&lt;", "&lt;\N{WORD JOINER}").replace("&gt;", "\N{WORD JOINER}&gt;")


def _cell(cell: object, *, marked: bool) -> str:
    if marked and isinstance(cell, str):
        return f"<span>{marks.html(cell)}</span>"  # one element, which stands beside the name of its column in a card
    if isinstance(cell, Link):
        return f'<a href="{escape(cell.address)}">{escape(visible(cell.text))}</a>'
    return escape(visible(number(cell) if isinstance(cell, int | np.integer) else cell))
