"""What the model does over all rows, item by item."""

from math import nan

from probe import plots
from probe.audit.bundle import Bundle
from probe.audit.reading import Proof, surveys
from probe.formatting import count
from probe.report.blocks import Block, Cell, Figure, Section, Table, panel
from probe.report.sections.common import chapter, not_asked

DRAWN = 30  # items in a figure; the table has all


def section(bundle: Bundle) -> Section:
    """A figure and a table of each survey, the items with the largest value first, or in an order of their own."""
    blocks: list[Block] = [_survey(found, order) for order, found in enumerate(surveys(bundle))]
    return chapter("surveys", [*blocks, *not_asked(bundle, "survey", blocks)])


def _survey(found: Proof, order: int) -> Figure:
    drawn = found.rows if found.places else found.rows[:DRAWN]
    unit = drawn[0].unit
    columns = zip(*((row.value, row.low, row.high) for row in drawn), strict=True)
    numbers = ([nan if number is None else number for number in column] for column in columns)
    if found.places:
        ax = plots.along(list(found.places), *numbers, unit=unit, labels=(found.along, found.asks))
    else:
        room = plots.new_axes(4.6, 0.72 + 0.24 * max(len(drawn), 2))
        ax = plots.forest([row.item for row in drawn], *numbers, unit=unit, ax=room)
    heads = (found.item, found.asks, "n")
    rows: list[list[Cell]] = [[row.item, row.written, count(row.n)] for row in found.rows]
    which = "first" if found.along else "largest"
    some = f" The {len(drawn)} {which} of {len(found.rows)} are drawn." if len(drawn) < len(found.rows) else ""
    caption = f"{found.asks[:1].upper()}{found.asks[1:]}, with 95 % intervals over {count(found.n)} rows.{some}"
    return Figure(
        [panel(ax, f"{found.asks} by {found.item}; the numbers are in the table.", f"survey-{order}")],
        " ".join(filter(None, (caption, found.caption, found.settings and f"Settings: {found.settings}."))),
        Table(
            heads, rows, "Numbers of the figure", numeric=heads[1:], folded=len(rows) > 12, file="tables/surveys.csv"
        ),
        title=found.title[:1].upper() + found.title[1:],
        size="single",
    )
