"""The blocks that a page is made of. Templates read these and never a bundle."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from markupsafe import Markup
from matplotlib.axes import Axes

from probe.formatting import Measured
from probe.plots import to_svg
from probe.text import visible

ROWS = 200  # of a table that are printed; the bundle has all of them


class Badge(NamedTuple):
    """A status in a table."""

    status: str


Cell = str | Badge | Measured


@dataclass(frozen=True)
class Table:
    """Rows of text under headings. Columns named in `numeric` are right-aligned."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    numeric: Sequence[str] = ()
    folded: bool = False
    file: str = ""  # where in the bundle all rows are
    kind: str = "table"

    @property
    def printed(self) -> Sequence[Sequence[Cell]]:
        return self.rows[:ROWS]

    @property
    def left_out(self) -> int:
        return max(0, len(self.rows) - ROWS)


@dataclass(frozen=True)
class Figure:
    """Panels side by side, with a caption and a table of their numbers."""

    panels: Sequence[Markup]
    caption: str
    table: Table
    title: str = ""
    size: str = "wide"  # wide, half, third, small, or single: the width of a panel; or text
    kind: str = "figure"


@dataclass(frozen=True)
class Text:
    """A paragraph, or a heading if it has a level."""

    text: str
    level: int = 0
    kind: str = "text"


@dataclass(frozen=True)
class Listing:
    """Lines of a file or of a terminal."""

    text: str
    caption: str = ""
    kind: str = "listing"


@dataclass(frozen=True)
class NotMeasured:
    """What was not measured, and why."""

    reasons: Sequence[tuple[str, str, str]]  # status, check, note
    kind: str = "not measured"


@dataclass(frozen=True)
class Findings:
    """The findings of one aspect."""

    aspect: str
    rows: Sequence[dict[str, object]]
    kind: str = "findings"


Block = Table | Figure | Text | Listing | NotMeasured | Findings


@dataclass(frozen=True)
class Section:
    """One chapter of a report."""

    id: str
    title: str
    blocks: Sequence[Block]
    shows: str = ""
    named: str = ""  # said after it, with names from the data, in which no terms are looked for
    hides: str = ""
    lead: Sequence[str] = field(default_factory=tuple)


def panel(ax: Axes, alt: str, prefix: str) -> Markup:
    """A figure as inline SVG with alternative text."""
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", to_svg(ax, prefix=f"{prefix}-"))
    # Text reaches an SVG through matplotlib, which escapes it; the alternative is escaped here.
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{escape(visible(alt))}" ', 1))
