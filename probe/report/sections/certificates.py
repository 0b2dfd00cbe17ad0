"""Which answers no attack can change, and up to which radius."""

from collections.abc import Sequence
from math import nan

from probe import plots
from probe.audit.bundle import Bundle
from probe.audit.reading import Certified, certificates
from probe.formatting import DASH, Measured, count, counted, norm, threshold
from probe.report.blocks import Block, Cell, Figure, Section, Table, panel
from probe.report.sections.common import chapter, not_asked


def section(bundle: Bundle) -> Section:
    """Certified accuracy by radius, with one figure for all certificates that measure the radius in the same way."""
    found = certificates(bundle)
    drawn = [each for each in found if each.rows]
    blocks: list[Block] = [
        _curves([each for each in drawn if each.axis == axis], order)
        for order, axis in enumerate(dict.fromkeys(each.axis for each in drawn))
    ]
    if found:
        blocks.append(_proved(found))
    return chapter("certificates", [*blocks, *not_asked(bundle, "certificate", blocks)])


def _curves(found: Sequence[Certified], order: int) -> Figure:
    curves = {each.title: _curve(each) for each in found}
    thresholds = dict.fromkeys(each.threshold for each in found if each.threshold is not None)
    line = (nan, next(iter(thresholds))) if len(thresholds) == 1 else None
    axis = norm(found[0].axis)
    ax = plots.robustness(curves, threshold=line, unit=axis, labels=("radius", found[0].asks))
    radii = {row.eps: row.at for each in found for row in each.rows}
    columns = ("certificate", *(f"at {at}" for at in radii.values()), "abstentions", "n")
    rows: list[list[Cell]] = []
    for each in found:
        cells: dict[float | None, Measured] = {row.eps: row.written for row in each.rows}
        none = each.abstentions.written if each.abstentions else DASH
        rows.append([each.title, *(cells.get(eps, DASH) for eps in radii), none, count(each.n)])
    return Figure(
        [panel(ax, "Certified accuracy by radius; the numbers are in the table.", f"certificates-{order}")],
        f"The share of {counted(found[0].n)} whose answer is right and provably stays right under every change up "
        f"to the radius ({axis}), with 95 % Wilson intervals. At 0: right answers with a certificate of any radius. "
        "Abstentions: rows without a certificate.",
        Table(columns, rows, "Each share with its interval", numeric=columns[1:], file="tables/readings.csv"),
        title=f"{found[0].asks.capitalize()} by radius",
    )


def _proved(found: Sequence[Certified]) -> Table:
    columns = ("certificate", "guarantee", "threshold at each radius", "settings")
    rows = [(each.title, each.caption, threshold(each.threshold, "at least", "share"), each.settings) for each in found]
    return Table(columns, rows, "What was certified")


def _curve(each: Certified) -> plots.Curve:
    rows = each.rows
    return plots.Curve(
        [row.eps or 0.0 for row in rows],
        *([nan if number is None else number for number in column]
          for column in zip(*((row.value, row.low, row.high) for row in rows), strict=True)),
    )  # fmt: skip
