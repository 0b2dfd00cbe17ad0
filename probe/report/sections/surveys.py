"""What the model does over all rows, item by item."""

from collections.abc import Sequence
from math import nan

from markupsafe import Markup

from probe import plots
from probe.audit.bundle import Bundle
from probe.audit.reading import Proof, surveys
from probe.formatting import count, counted
from probe.report.blocks import Block, Cell, Figure, Section, Table, panel
from probe.report.sections.common import chapter, not_asked

DRAWN = 30  # items in a figure; the table has all
Drawn = tuple[Sequence[Markup], str, str]  # panels, what the caption says of them, and their size


def section(bundle: Bundle) -> Section:
    """A figure and a table of each survey, the items with the largest value first, or in an order of their own."""
    blocks: list[Block] = [_survey(found, order) for order, found in enumerate(surveys(bundle))]
    return chapter("surveys", [*blocks, *not_asked(bundle, "survey", blocks)])


def _survey(found: Proof, order: int) -> Figure:
    heads = (found.item, found.asks, "n")
    rows: list[list[Cell]] = [[row.item, row.written, count(row.n)] for row in found.rows]
    draw = _diagrams if found.diagrams else _numbers if found.table is None else _cells
    panels, drawn, size = draw(found, order)
    caption = f"{found.asks[:1].upper()}{found.asks[1:]}, with 95 % intervals over {counted(found.n)}.{drawn}"
    return Figure(
        panels,
        " ".join(filter(None, (caption, found.caption, found.settings and f"Settings: {found.settings}."))),
        Table(
            heads, rows, "Numbers of the figure", numeric=heads[1:], folded=len(rows) > 12, file="tables/surveys.csv"
        ),
        title=found.title[:1].upper() + found.title[1:],
        size=size,
    )


def _numbers(found: Proof, order: int) -> Drawn:
    """The estimates with their intervals, by item or along a feature."""
    drawn = found.rows if found.places else found.rows[:DRAWN]
    unit = drawn[0].unit
    columns = zip(*((row.value, row.low, row.high) for row in drawn), strict=True)
    numbers = ([nan if number is None else number for number in column] for column in columns)
    if found.places:
        ax = plots.along(list(found.places), *numbers, unit=unit, labels=(found.along, found.asks))
    else:
        room = plots.new_axes(4.6, 0.72 + 0.24 * max(len(drawn), 2))
        ax = plots.forest([row.item for row in drawn], *numbers, unit=unit, ax=room)
    which = "first" if found.along else "largest"
    some = f" The {len(drawn)} {which} of {len(found.rows)} are drawn." if len(drawn) < len(found.rows) else ""
    return (
        [panel(ax, f"{found.asks} by {found.item}; the numbers are in the table.", f"survey-{order}")],
        some,
        "single",
    )


def _cells(found: Proof, order: int) -> Drawn:
    """A table of items that have a row and a column."""
    table = found.table
    assert table is not None, "drawn so only where there is one"
    across = found.split.strip(" ,:")
    ax = plots.cells(table, list(table.index), list(table.columns), unit=found.rows[0].unit, labels=(across, ""))
    alt = f"{found.asks} by {found.item}{f' and {across}' if across else ''}; the numbers are in the table."
    drawn = f" Drawn: {f'by {across}, ' if across else ''}the higher the darker."
    return [panel(ax, alt, f"survey-{order}")], drawn, "single"


def _diagrams(found: Proof, order: int) -> Drawn:
    """A reliability diagram of each item."""
    panels = [
        panel(
            plots.reliability(*(bins[name] for name in ("confidence", "accuracy", "low", "high", "n")), title=item),
            f"Reliability diagram, {item}, of {len(bins)} confidence bins.",
            f"survey-{order}-{at}",
        )
        for at, (item, bins) in enumerate(found.diagrams.items())
    ]
    said = " Drawn: accuracy against confidence, with 95 % Wilson intervals, in bins with equally many rows"
    return panels, f"{said} (tables/calibration.csv); on the dashed line it is calibrated.", "third"
