"""How accurate the model is under attack."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from probe import plots
from probe.audit import reading
from probe.audit.budgets import reach_of
from probe.audit.bundle import Bundle
from probe.audit.families import JUDGED
from probe.audit.titles import title_of
from probe.formatting import DASH, counted, number
from probe.report.blocks import Block, Cell, Figure, Section, Table, Text, panel
from probe.report.sections import before_after
from probe.report.sections.common import answer_name, chapter, drawer, with_not_measured

MOVABLE = "right answers whose input the attacks could change"
BRACKET = "Robust accuracy lies between what is certified and what all attacks left. "
PAIRS = 4
CURVES = 6  # groups that are drawn; the table has all


def section(bundle: Bundle) -> Section:
    """What withstood against the radius, by group too, and a few attacked inputs; attacks of one norm at a time."""
    blocks, found = list[Block](), reading.attacks(bundle)
    for order, attacks in enumerate(found):
        several = len(found) > 1
        blocks.append(_curves(attacks, order, several=several))
        if told := attacks.in_units:
            blocks.append(Text(told))
        blocks += _by_label(attacks, order, several=several)
        blocks += _by_group(attacks, order, several=several)
        blocks += _pairs(attacks, order)
    blocks[1:1] = _besides(bundle)
    blocks += before_after.blocks(bundle)
    drawing = drawer(bundle)
    shows = f"The share of rows that the model still gets right when {drawing.shows} that these attacks found."
    if found and not any(each.family.judges for each in found):
        shows = f"The share of rows whose answer does not move that far when {drawing.shows} that these attacks found."
    return chapter("robustness", with_not_measured(bundle, "robustness", blocks), shows=shows, hides=drawing.hides)


def _curves(attacks: reading.Attacks, order: int, *, several: bool) -> Figure:
    found, judges, known = reading.bracketed(attacks), attacks.family.judges, reading.brackets_of(attacks)
    drawn = {curve.name: _curve(curve) for curve in found}
    labels = ("radius of the attack", attacks.measure.lower())
    ax = plots.robustness(drawn, threshold=attacks.threshold, unit=attacks.axis, labels=labels)
    points = found[0].points
    columns = ("attack", *_radii(found[0]))
    rows: list[list[Cell]] = [_numbers(curve, points) for curve in found]
    moved = {point.eps: number(point.value, "share") for point in attacks.movable}
    if moved:
        name = MOVABLE if judges else MOVABLE.replace("right answers", "rows")
        rows.append([name, *(moved.get(point.eps, "") for point in points)])
    mine = {title_of(attacks.bundle.manifest, step) for step in attacks.family.steps}
    tried = "; ".join(
        f"{each.title}: {each.settings}"
        for each in reading.tried(attacks.bundle.manifest)
        if not several or each.title in mine
    )
    of = f"Accuracy on {found[0].counted} rows" if judges else f"Share of {found[0].counted} rows that withstood"
    worst = (
        "“All attacks” counts a row as broken if any of them broke it. "
        if judges
        else f"The attacks' goal: {attacks.aimed}. A row withstands if no attack reaches the goal. "
    )
    lowest = "; ".join(f"{of} {name}, {point.written} of {counted(point.n)}" for of, name, point in attacks.lowest)
    looks = f"{attacks.ended} " if attacks.ended else ""
    lowest = f"Lowest at that radius, with intervals for all at once: {lowest}. " if lowest else ""
    return Figure(
        [
            panel(
                ax,
                f"{attacks.measure} falling as the radius of the attack grows; the numbers are in the table.",
                _id("robustness", order),
            )
        ],
        f"{of} under attacks of growing radius, with {attacks.intervals}. {looks}{worst}"
        "The line is the plan's threshold at every radius; the cross marks the radius of its check of robustness. "
        f"{lowest}{BRACKET if known else ''}{tried}.",
        Table(
            columns,
            rows,
            f"{attacks.measure} (95 % interval) at each radius",
            numeric=columns[1:],
            file="tables/robustness.csv",
        ),
        title=_title("Accuracy under attack" if judges else "Rows that withstood the attacks", attacks, several),
    )


def _numbers(curve: reading.Curve, points: Sequence[reading.Point]) -> list[Cell]:
    at = {point.eps: point.written for point in curve.points}
    return [curve.name, *(at.get(point.eps, DASH) for point in points)]


def _title(title: str, attacks: reading.Attacks, several: bool) -> str:  # noqa: FBT001
    return f"{title} ({attacks.named})" if several else title


def _id(name: str, order: int) -> str:
    return f"{name}-{order + 1}" if order else name


def _besides(bundle: Bundle) -> list[Block]:
    """Other metrics of the attacks."""
    found = [row for row in reading.measured(bundle, kind="attack") if row.metric not in JUDGED]
    columns = ("attack", "measure", "estimate", "n")
    rows: list[list[Cell]] = [[row.method, row.named, row.written, row.counted] for row in found]
    return [Table(columns, rows, "Other metrics of the attacks", numeric=columns[2:])] if rows else []


def _by_label(attacks: reading.Attacks, order: int, *, several: bool) -> list[Block]:
    """Accuracy of each label under attacks on that label alone."""
    found = attacks.by_label
    if not found:
        return []
    ax = plots.robustness({curve.name: _curve(curve) for curve in found}, unit=attacks.axis)
    columns = ("label", *_radii(found[0]))
    rows: list[list[Cell]] = [[curve.name, *(point.written for point in curve.points)] for curve in found]
    numbers = Table(
        columns, rows, "Accuracy (95 % interval) of each label at each radius", numeric=columns[1:],
        file="tables/robustness_by_label.csv",
    )  # fmt: skip
    caption = "Accuracy of each label under all attacks on that label alone; the other labels may change."
    drawn = panel(ax, "Accuracy of each label under attack; the numbers are in the table.", _id("by-label", order))
    return [Figure([drawn], caption, numbers, title=_title("By label", attacks, several), size="single")]


def _by_group(attacks: reading.Attacks, number: int, *, several: bool) -> list[Block]:
    found, smallest = attacks.by_group, attacks.bundle.manifest.plan.bias.min_group_size
    if not found:
        return []
    measure, labels = attacks.measure, ("radius of the attack", attacks.measure.lower())
    panels = []
    for order, (attribute, groups) in enumerate(found.items()):
        large = [curve for curve in groups if curve.points[0].n >= smallest]
        largest = sorted(large, key=lambda curve: -curve.points[0].n)[:CURVES]
        drawn = {curve.name: _curve(curve) for curve in largest}
        if len(drawn) > 1:
            ax = plots.robustness(
                drawn, unit=attacks.axis, labels=labels, title=f"by {attribute}", ax=plots.new_axes(3.7, 2.8)
            )
            panels.append(panel(ax, f"{measure} under attack by {attribute}.", _id(f"by-group-{order}", number)))
    first = next(iter(found.values()))[0]
    columns = ("group", "attribute", "n", *_radii(first))
    rows: list[list[Cell]] = [
        [curve.name, attribute, curve.counted, *(point.written for point in curve.points)]
        for attribute, groups in found.items()
        for curve in groups
    ]
    numbers = Table(
        columns, rows, f"{measure} (95 % interval) of each group at each radius", numeric=columns[2:], folded=True,
        file="tables/robustness_by_group.csv",
    )  # fmt: skip
    title = _title("By group", attacks, several)
    if not panels:
        return [
            Text(title, level=3),
            Text(f"No attribute has two groups with {smallest} attacked rows each, so none is drawn."),
            numbers,
        ]
    caption = (
        f"{measure} under all attacks together, for up to {CURVES} groups of each attribute with at least {smallest} "
        "attacked rows; the table has all. Where bands overlap, the rows do not tell the groups apart."
    )
    return [Figure(panels, caption, numbers, title=title, size="half" if len(panels) > 1 else "single")]


def _pairs(attacks: reading.Attacks, number_of: int) -> list[Block]:
    """A few inputs that the last attack broke, at the plan's radius or at the next larger one that broke any."""
    bundle, step = attacks.bundle, attacks.family.steps[-1]
    arrays = bundle.arrays(step.name)
    at = int(np.argmin(np.abs(arrays["eps"] - attacks.threshold[0])))
    if not {"inputs", "moved"} <= arrays.keys():
        return []
    attack, judges = title_of(bundle.manifest, step), attacks.family.judges
    did = "broke" if judges else "moved to its goal"
    success = arrays["success"][:, : len(arrays["inputs"])]
    hit = [k for k in range(at, len(success)) if success[k].any()]
    if not hit:
        return [Text(f"{attack} {did} none of the {counted(len(arrays['inputs']))} whose inputs were kept.")]
    at = hit[0]  # the plan's radius, or the next that broke any of these
    radius, broken = reach_of(bundle.manifest, step, float(arrays["eps"][at])), np.flatnonzero(success[at])[:PAIRS]
    panels, rows, drawing = [], [], drawer(bundle)
    decided = reading.decisions(bundle)
    for order, index in enumerate(broken):
        row = int(arrays["rows"][index])
        before = answer_name(bundle, decided[row])
        after = answer_name(bundle, arrays["predicted"][at][index])
        found = reading.moved(bundle, step.name, row, at)
        assert found is not None, "asked for only of rows that are kept"
        moved, pair = found.by_feature / drawing.places, _pair(bundle, found)
        title = f"row {row}: {before} → {after}"
        if text := drawing.text_diff(*pair):
            panels.append(Markup("<h4>{}</h4>{}").format(title, Markup(text)))
        else:
            ax = drawing.attacked(*pair, found.by_feature, title=title)
            panels.append(
                panel(ax, f"Row {row} before and after: {before} becomes {after}.", _id(f"pair-{order}", number_of))
            )
        sure = number(arrays["probability"][at][index], "share") if "probability" in arrays else "not recorded"
        most = number(moved[int(np.abs(moved).argmax())], "signed")
        rows.append((f"{row}", before, after, sure, drawing.told(*pair, found.by_feature), most))
    columns = (
        "row", "answer before", "answer after", "its probability", drawing.changed,
        "largest change, in units of the radius",
    )  # fmt: skip
    caption = f"Rows that {attack} {did} at {radius}: at most {PAIRS}, by row number. {drawing.attacked_legend}"
    table = Table(columns, rows, "Answers before and after", numeric=(columns[0], columns[3], columns[-1]), folded=True)
    size = "text" if drawing.size == "text" else "half"
    title = f"Inputs {'broken' if judges else 'moved to the goal'} at {radius}"
    return [Figure(panels, caption, table, title=title, size=size)]


def _pair(bundle: Bundle, found: reading.Moved) -> tuple[plots.Example, plots.Example]:
    """A kept row before and after an attack."""
    names = bundle.manifest.data.features
    before, after = (plots.Example(each.numbers, names, each.words, each.features) for each in found[:2])
    return before, after


def _curve(found: reading.Curve) -> plots.Curve:
    return plots.Curve(*zip(*((p.eps, p.value, p.low, p.high) for p in found.points), strict=True))


def _radii(found: reading.Curve) -> list[str]:
    return [f"at {point.at}" if point.eps else point.at for point in found.points]
