"""How the model does when somebody moves its inputs on purpose."""

import numpy as np
import pandas as pd
from markupsafe import Markup

from probe import plots
from probe.audit.budgets import threat
from probe.audit.bundle import Arrays, Bundle
from probe.audit.manifest import StepRecord
from probe.audit.titles import titles
from probe.formatting import count, estimate, number, settings
from probe.numbers import fraction
from probe.report.parts import Block, Cell, Figure, Section, Table, Text, panel
from probe.report.sections.common import answer_name, chapter, drawer, reach, records, steps, with_absence

PAIRS = 4
CURVES = 6  # groups that are drawn; the table has all


def section(bundle: Bundle) -> Section:
    """Accuracy against the radius, by group too, and a few attacked inputs."""
    blocks: list[Block] = []
    if bundle.has("tables/robustness.csv"):
        blocks.append(_curves(bundle))
        blocks += _by_group(bundle)
        blocks += _pairs(bundle)
    drawing = drawer(bundle)
    return chapter(
        "robustness",
        with_absence(bundle, "robustness", blocks),
        shows=f"The share of rows that the model still gets right when {drawing.shows} that these attacks found.",
        hides=drawing.hides,
    )


def _curves(bundle: Bundle) -> Figure:
    table, checks = bundle.table("robustness"), bundle.manifest.plan.checks
    clean = table[table["attack"] == "none"]
    attacks = [name for name in dict.fromkeys(table["attack"]) if name != "none"]
    if len(attacks) == 2:  # all attacks are that one
        attacks.remove("all attacks")
    attacks.sort(key=lambda name: name != "all attacks")  # drawn first, so that it hides none of the others
    curves = {_name(bundle, name): _curve(pd.concat([clean, table[table["attack"] == name]])) for name in attacks}
    asked = (float(fraction(checks["robust_eps"])), float(checks["robust_accuracy"]))
    ax = plots.robustness(curves, threshold=asked, unit=_norm(bundle))
    radii = list(dict.fromkeys(table["eps"]))
    columns = ("attack", *(_column(bundle, r) for r in radii))
    cells: dict[tuple[str, float], Cell] = {
        (r["attack"], r["eps"]): estimate(r["robust_accuracy"], r["low"], r["high"], "share") for r in records(table)
    }
    rows = [[_name(bundle, a), *(cells.get((a, r), cells.get(("none", r), "")) for r in radii)] for a in attacks]
    moved = {r["eps"]: r for r in records(bundle.table("movable"))} if bundle.has("tables/movable.csv") else {}
    if moved:
        shares = [number(moved[r]["movable"], "share") if r in moved else "" for r in radii]
        rows.append(["right answers whose input the attacks could change", *shares])
    tried = "; ".join(f"{_name(bundle, s.id)}: {settings(s.method, leave=('method', 'eps'))}" for s in _attacks(bundle))
    return Figure(
        [panel(ax, "Accuracy falling as the radius of the attack grows; its numbers are in the table.", "robustness")],
        f"Accuracy on {count(clean['n'].iloc[0])} rows after attacks of growing radius, with 95 % Wilson intervals. "
        "“All attacks” counts a row as lost if any of them broke it. The line is what the plan "
        "asks at every radius, the cross where it asks for robustness. "
        f"{tried}.",
        Table(
            columns, rows, "Accuracy (95 % interval) at each radius", numeric=columns[1:], file="tables/robustness.csv"
        ),
        title="Accuracy under attack",
    )


def _by_group(bundle: Bundle) -> list[Block]:
    if not bundle.has("tables/robustness_by_group.csv"):
        return []
    table, smallest = bundle.table("robustness_by_group"), bundle.manifest.plan.bias.min_group_size
    panels = []
    for order, attribute in enumerate(dict.fromkeys(table["attribute"])):
        part = table[(table["attribute"] == attribute) & (table["n"] >= smallest)]
        largest = part[part["eps"] == 0].nlargest(CURVES, "n")
        curves = {str(group): _curve(part[part["group"] == group]) for group in largest["group"]}
        if len(curves) > 1:
            ax = plots.robustness(curves, unit=_norm(bundle), title=f"by {attribute}", ax=plots.new_axes(3.7, 2.8))
            panels.append(panel(ax, f"Accuracy under attack by {attribute}.", f"by-group-{order}"))
    radii = list(dict.fromkeys(table["eps"]))
    columns = ("group", "attribute", "n", *(_column(bundle, r) for r in radii))
    rows: list[list[Cell]] = []
    for (attribute, group), part in table.groupby(["attribute", "group"], sort=False):
        measured = [estimate(r["robust_accuracy"], r["low"], r["high"], "share") for r in records(part)]
        rows.append([str(group), str(attribute), count(part["n"].iloc[0]), *measured])
    numbers = Table(
        columns, rows, "Accuracy (95 % interval) of each group at each radius", numeric=columns[2:], folded=True,
        file="tables/robustness_by_group.csv",
    )  # fmt: skip
    if not panels:
        return [
            Text("By group", level=3),
            Text(f"Of no attribute do two groups have {smallest} attacked rows, so none is drawn."),
            numbers,
        ]
    caption = (
        f"Accuracy under all attacks together. Drawn are up to {CURVES} groups of each attribute, of at least "
        f"{smallest} attacked rows; the table has all. Where bands overlap, the rows do not tell the groups apart."
    )
    return [Figure(panels, caption, numbers, title="By group", size="half" if len(panels) > 1 else "single")]


def _pairs(bundle: Bundle) -> list[Block]:
    """A few inputs that the last attack broke, at the smallest radius from the one that was asked for."""
    attacks = _attacks(bundle)
    if not attacks:
        return []
    arrays, answers = bundle.arrays(attacks[-1].name), bundle.arrays("predictions")
    asked = bundle.manifest.plan.checks["robust_eps"]
    at = int(np.argmin(np.abs(arrays["eps"] - float(fraction(asked)))))
    if not {"inputs", "moved"} <= arrays.keys():
        return []
    attack = _name(bundle, attacks[-1].id)
    success = arrays["success"][:, : len(arrays["inputs"])]
    hit = [k for k in range(at, len(success)) if success[k].any()]
    if not hit:
        return [Text(f"None of the {len(arrays['inputs'])} rows kept to be looked at was broken by {attack}.")]
    at = hit[0]  # the radius that was asked for, or the next that broke any of these
    asked, broken = reach(bundle, float(arrays["eps"][at])), np.flatnonzero(success[at])[:PAIRS]
    panels, rows, drawing = [], [], drawer(bundle)
    for order, index in enumerate(broken):
        row = int(arrays["rows"][index])
        before = answer_name(bundle, answers["labels"][row])
        after = answer_name(bundle, arrays["predicted"][at][index])
        moved, pair = arrays["moved"][at][index] / drawing.places, _pair(bundle, arrays, at, int(index))
        title = f"row {row}: {before} → {after}"
        if text := drawing.text_diff(*pair):
            panels.append(Markup("<h4>{}</h4>{}").format(title, Markup(text)))
        else:
            ax = drawing.attacked(*pair, arrays["moved"][at][index], title=title)
            panels.append(panel(ax, f"Row {row} before and after: {before} becomes {after}.", f"pair-{order}"))
        sure = number(arrays["probability"][at][index], "share") if "probability" in arrays else "not recorded"
        most = number(moved[int(np.abs(moved).argmax())], "signed")
        rows.append((f"{row}", before, after, sure, drawing.told(*pair, arrays["moved"][at][index]), most))
    columns = (
        "row", "answer before (the label)", "answer after", "its probability", drawing.changed,
        "largest move, in units of the radius",
    )  # fmt: skip
    caption = (
        f"Rows that {attack} broke at {asked}: at most {PAIRS}, in the order of their row numbers. "
        f"{drawing.attacked_legend}"
    )
    table = Table(columns, rows, "Answers before and after", numeric=(columns[0], columns[3], columns[-1]), folded=True)
    size = "text" if drawing.size == "text" else "half"
    return [Figure(panels, caption, table, title=f"What broke it at {asked}", size=size)]


def _pair(bundle: Bundle, arrays: Arrays, at: int, index: int) -> tuple[plots.Example, plots.Example]:
    """A kept row before and after an attack."""
    names, told = bundle.manifest.data.features, "before" in arrays
    before, after = (arrays["before"][index].tolist(), arrays["after"][at][index].tolist()) if told else ((), ())
    return (
        plots.Example(arrays["inputs"][index], names, before),
        plots.Example(arrays["shown"][at][index], names, after),
    )


def _curve(rows: pd.DataFrame) -> plots.Curve:
    return plots.Curve(rows["eps"], rows["robust_accuracy"], rows["low"], rows["high"])


def _attacks(bundle: Bundle) -> list[StepRecord]:
    return steps(bundle, "attack")


def _norm(bundle: Bundle) -> str:
    return threat(bundle.manifest).axis


def _column(bundle: Bundle, eps: float) -> str:
    return f"at {reach(bundle, eps)}".replace("radius ", "")


def _name(bundle: Bundle, attack: str) -> str:
    return titles(bundle.manifest, "attack").get(attack, attack)
