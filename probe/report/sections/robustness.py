"""How accurate the model is under attack."""

import numpy as np
from markupsafe import Markup

from probe import plots
from probe.audit import reading
from probe.audit.aspects.robustness import WITHSTANDS
from probe.audit.budgets import budget_text
from probe.audit.bundle import Bundle
from probe.audit.titles import title_of
from probe.formatting import number
from probe.report.blocks import Block, Cell, Figure, Section, Table, Text, panel
from probe.report.sections.common import answer_name, chapter, drawer, steps, with_not_measured

MOVABLE = "right answers whose input the attacks could change"
PAIRS = 4
CURVES = 6  # groups that are drawn; the table has all


def section(bundle: Bundle) -> Section:
    """Accuracy against the radius, by group too, and a few attacked inputs."""
    blocks: list[Block] = []
    if bundle.has("tables/robustness.csv"):
        blocks.append(_curves(bundle))
        blocks += _besides(bundle)
        blocks += _by_label(bundle)
        blocks += _by_group(bundle)
        blocks += _pairs(bundle)
    drawing = drawer(bundle)
    return chapter(
        "robustness",
        with_not_measured(bundle, "robustness", blocks),
        shows=f"The share of rows that the model still gets right when {drawing.shows} that these attacks found.",
        hides=drawing.hides,
    )


def _curves(bundle: Bundle) -> Figure:
    found = reading.curves(bundle)
    drawn = {curve.name: _curve(curve) for curve in found}
    threshold, unit = reading.robust_threshold(bundle.manifest), reading.axis(bundle.manifest)
    ax = plots.robustness(drawn, threshold=threshold, unit=unit)
    points = found[0].points
    columns = ("attack", *_radii(found[0]))
    rows: list[list[Cell]] = [[curve.name, *(point.written for point in curve.points)] for curve in found]
    moved = {point.eps: number(point.value, "share") for point in reading.movable(bundle)}
    if moved:
        rows.append([MOVABLE, *(moved.get(point.eps, "") for point in points)])
    tried = "; ".join(f"{each.title}: {each.settings}" for each in reading.tried(bundle.manifest))
    return Figure(
        [panel(ax, "Accuracy falling as the radius of the attack grows; the numbers are in the table.", "robustness")],
        f"Accuracy on {found[0].counted} rows under attacks of growing radius, with 95 % Wilson intervals. "
        "“All attacks” counts a row as broken if any of them broke it. The line is the plan's threshold at every "
        "radius; the cross marks the radius of its check of robustness. "
        f"{tried}.",
        Table(
            columns, rows, "Accuracy (95 % interval) at each radius", numeric=columns[1:], file="tables/robustness.csv"
        ),
        title="Accuracy under attack",
    )


def _besides(bundle: Bundle) -> list[Block]:
    """Other metrics of the attacks."""
    found = [row for row in reading.measured(bundle, kind="attack") if row.metric != WITHSTANDS]
    columns = ("attack", "measure", "estimate", "n")
    rows: list[list[Cell]] = [[row.method, row.named, row.written, row.counted] for row in found]
    return [Table(columns, rows, "Other metrics of the attacks", numeric=columns[2:])] if rows else []


def _by_label(bundle: Bundle) -> list[Block]:
    """Accuracy of each label under attacks on that label alone."""
    found = reading.curves_by_label(bundle)
    if not found:
        return []
    ax = plots.robustness({curve.name: _curve(curve) for curve in found}, unit=reading.axis(bundle.manifest))
    columns = ("label", *_radii(found[0]))
    rows: list[list[Cell]] = [[curve.name, *(point.written for point in curve.points)] for curve in found]
    numbers = Table(
        columns, rows, "Accuracy (95 % interval) of each label at each radius", numeric=columns[1:],
        file="tables/robustness_by_label.csv",
    )  # fmt: skip
    caption = "Accuracy of each label under all attacks on that label alone; the other labels may change."
    drawn = panel(ax, "Accuracy of each label under attack; the numbers are in the table.", "by-label")
    return [Figure([drawn], caption, numbers, title="By label", size="single")]


def _by_group(bundle: Bundle) -> list[Block]:
    found, smallest = reading.curves_by_group(bundle), bundle.manifest.plan.bias.min_group_size
    if not found:
        return []
    panels = []
    for order, (attribute, groups) in enumerate(found.items()):
        large = [curve for curve in groups if curve.points[0].n >= smallest]
        largest = sorted(large, key=lambda curve: -curve.points[0].n)[:CURVES]
        drawn = {curve.name: _curve(curve) for curve in largest}
        if len(drawn) > 1:
            unit = reading.axis(bundle.manifest)
            ax = plots.robustness(drawn, unit=unit, title=f"by {attribute}", ax=plots.new_axes(3.7, 2.8))
            panels.append(panel(ax, f"Accuracy under attack by {attribute}.", f"by-group-{order}"))
    first = next(iter(found.values()))[0]
    columns = ("group", "attribute", "n", *_radii(first))
    rows: list[list[Cell]] = [
        [curve.name, attribute, curve.counted, *(point.written for point in curve.points)]
        for attribute, groups in found.items()
        for curve in groups
    ]
    numbers = Table(
        columns, rows, "Accuracy (95 % interval) of each group at each radius", numeric=columns[2:], folded=True,
        file="tables/robustness_by_group.csv",
    )  # fmt: skip
    if not panels:
        return [
            Text("By group", level=3),
            Text(f"No attribute has two groups with {smallest} attacked rows each, so none is drawn."),
            numbers,
        ]
    caption = (
        f"Accuracy under all attacks together, for up to {CURVES} groups of each attribute with at least {smallest} "
        "attacked rows; the table has all. Where bands overlap, the rows do not tell the groups apart."
    )
    return [Figure(panels, caption, numbers, title="By group", size="half" if len(panels) > 1 else "single")]


def _pairs(bundle: Bundle) -> list[Block]:
    """A few inputs that the last attack broke, at the plan's radius or at the next larger one that broke any."""
    attacks = steps(bundle, "attack")
    if not attacks:
        return []
    arrays = bundle.arrays(attacks[-1].name)
    at = int(np.argmin(np.abs(arrays["eps"] - reading.robust_threshold(bundle.manifest)[0])))
    if not {"inputs", "moved"} <= arrays.keys():
        return []
    attack = title_of(bundle.manifest, attacks[-1])
    success = arrays["success"][:, : len(arrays["inputs"])]
    hit = [k for k in range(at, len(success)) if success[k].any()]
    if not hit:
        return [Text(f"{attack} broke none of the {len(arrays['inputs'])} rows whose inputs were kept.")]
    at = hit[0]  # the plan's radius, or the next that broke any of these
    radius, broken = budget_text(bundle.manifest, float(arrays["eps"][at])), np.flatnonzero(success[at])[:PAIRS]
    panels, rows, drawing = [], [], drawer(bundle)
    decided = reading.decisions(bundle)
    for order, index in enumerate(broken):
        row = int(arrays["rows"][index])
        before = answer_name(bundle, decided[row])
        after = answer_name(bundle, arrays["predicted"][at][index])
        found = reading.moved(bundle, attacks[-1].name, row, at)
        assert found is not None, "asked for only of rows that are kept"
        moved, pair = found.by_feature / drawing.places, _pair(bundle, found)
        title = f"row {row}: {before} → {after}"
        if text := drawing.text_diff(*pair):
            panels.append(Markup("<h4>{}</h4>{}").format(title, Markup(text)))
        else:
            ax = drawing.attacked(*pair, found.by_feature, title=title)
            panels.append(panel(ax, f"Row {row} before and after: {before} becomes {after}.", f"pair-{order}"))
        sure = number(arrays["probability"][at][index], "share") if "probability" in arrays else "not recorded"
        most = number(moved[int(np.abs(moved).argmax())], "signed")
        rows.append((f"{row}", before, after, sure, drawing.told(*pair, found.by_feature), most))
    columns = (
        "row", "answer before", "answer after", "its probability", drawing.changed,
        "largest change, in units of the radius",
    )  # fmt: skip
    caption = f"Rows that {attack} broke at {radius}: at most {PAIRS}, by row number. {drawing.attacked_legend}"
    table = Table(columns, rows, "Answers before and after", numeric=(columns[0], columns[3], columns[-1]), folded=True)
    size = "text" if drawing.size == "text" else "half"
    return [Figure(panels, caption, table, title=f"Inputs broken at {radius}", size=size)]


def _pair(bundle: Bundle, found: reading.Moved) -> tuple[plots.Example, plots.Example]:
    """A kept row before and after an attack."""
    names = bundle.manifest.data.features
    before, after = (plots.Example(each.numbers, names, each.words, each.features) for each in found[:2])
    return before, after


def _curve(found: reading.Curve) -> plots.Curve:
    return plots.Curve(*zip(*((p.eps, p.value, p.low, p.high) for p in found.points), strict=True))


def _radii(found: reading.Curve) -> list[str]:
    return [f"at {point.at}" if point.eps else point.at for point in found.points]
