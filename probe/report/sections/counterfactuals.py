"""What would have to be otherwise for another answer, row by row."""

from markupsafe import Markup

from probe import plots
from probe.audit import reading
from probe.audit.bundle import Bundle
from probe.audit.reading import Candidate, Search, searches
from probe.formatting import DASH, count, counted, number
from probe.report.blocks import Block, Cell, Figure, Section, Table, Text, panel
from probe.report.sections.common import chapter, drawer, not_asked

DRAWN = 4  # rows of each method; the table has more


def section(bundle: Bundle) -> Section:
    """What was measured of each method, what it found for single rows, and what that changes."""
    found = searches(bundle)
    blocks: list[Block] = [_measured(found)] if found else []
    for order, each in enumerate(found):
        blocks += [Text(each.title[:1].upper() + each.title[1:], level=3), *_found(bundle, each, order)]
    return chapter("counterfactuals", [*blocks, *not_asked(bundle, "counterfactual", blocks)])


def _measured(found: list[Search]) -> Table:
    columns = (
        "method",
        "what it does",
        *dict.fromkeys(row.title for each in found for row in each.rows),
        "n",
        "settings",
    )
    rows: list[list[Cell]] = []
    for each in found:
        cells: dict[str, Cell] = {row.title: row.written for row in each.rows}
        rows.append(
            [each.title, each.caption, *(cells.get(c, DASH) for c in columns[2:-2]), count(each.n), each.settings]
        )
    caption = "What was measured of each method over all rows searched, with 95 % intervals"
    return Table(columns, rows, caption, numeric=columns[2:-1], file="tables/readings.csv")


def _found(bundle: Bundle, each: Search, order: int) -> list[Block]:
    """A few rows with what changes, drawn as their form is; a row of a table as its features before and after."""
    drawing, names = drawer(bundle), bundle.manifest.data.features
    shown = [row for row in each.candidates if row.change is not None and row.reached][:DRAWN]
    if drawing.tabular:
        return [_listed(each), *(_changes(bundle, row) for row in shown)]
    panels = []
    for at, row in enumerate(shown):
        change, title = row.change, f"row {row.row:,}: {row.before} → {row.after}"
        assert change is not None, "shown are those that are kept"
        before, after = (
            plots.Example(numbers, names, words)
            for numbers, words in zip((change.before, change.after), change.words, strict=True)
        )
        if text := drawing.text_diff(before, after):
            panels.append(Markup("<h4>{}</h4>{}").format(title, Markup(text)))
        else:
            ax = drawing.attacked(before, after, change.moved, title=title)
            alt = f"Row {row.row:,} and its counterfactual: {row.before} becomes {row.after}."
            panels.append(panel(ax, alt, f"counterfactual-{order}-{at}"))
    if not panels:
        return [_listed(each)]
    caption = f"The first {len(panels)} of the rows kept for which an input with the wanted answer was found."
    size = "text" if drawing.size == "text" else "half"
    return [Figure(panels, f"{caption} {drawing.attacked_legend}", _listed(each), size=size)]


def _changes(bundle: Bundle, row: Candidate) -> Table:
    assert row.change is not None, "shown are those that are kept"
    columns = ("feature", "is", "would be", "distance")
    moved = reading.moves(bundle.manifest.data.features, row.change)
    rows = [(name, old or DASH, new or DASH, number(abs(far))) for name, old, new, far in moved]
    caption = (
        f"Row {row.row:,}: {row.before} would be {row.after}. Distances are in the unit of the space's scale, "
        f"{row.length} together."
    )
    return Table(columns, rows, caption, numeric=columns[3:])


def _listed(each: Search) -> Table:
    columns = ("row", "answer", "answer to the candidate", "as wanted", "features changed", "distance")
    rows = [
        (
            count(row.row), row.before, row.after if row.reached else "none found", "yes" if row.reached else "no",
            count(row.changed) if row.reached else DASH, row.length if row.reached else DASH,
        )
        for row in each.candidates
    ]  # fmt: skip
    several = f" The best of {count(each.each)} candidates each." if each.each > 1 else ""
    caption = (
        f"The first {len(rows)} of {counted(each.n)} searched.{several} The model was run on "
        "every candidate to get its answer. Distance is L1, in the unit of the space's scale."
    )
    return Table(columns, rows, caption, numeric=(columns[0], *columns[4:]), folded=len(rows) > 8)
