"""Explanations before and after an attack."""

from dataclasses import replace

from markupsafe import Markup

from probe import plots
from probe.audit import reading
from probe.audit.bundle import Bundle
from probe.audit.titles import title_of
from probe.formatting import estimate, number
from probe.report.blocks import Block, Figure, Table, Text, panel
from probe.report.sections.common import drawer, steps

FEATURES = 10


def blocks(bundle: Bundle) -> list[Block]:
    """How far explanations before and after each attack agree, and both of the first row that an attack broke."""
    found = reading.agreements(bundle)
    if not found:
        return []
    rows = [
        (each.attack, each.method, str(estimate(*each.over[:3], "signed")), number(each.lowest, "signed"), str(each.n))
        for each in found
    ]
    table = Table(
        ("attack", "method", "rank correlation", "lowest of a row", "n"),
        rows,
        "Spearman's rank correlation of the values before and after the attack, over the features to which either "
        "gives a value: the mean over the rows that it broke and that are explained, with a 95 % interval. 1 is the "
        "same order; 0 is no relation.",
        numeric=("rank correlation", "lowest of a row", "n"),
    )
    shown = _first(bundle, table)
    return [shown] if shown else [Text("Explanations before and after", level=3), table]


def _first(bundle: Bundle, table: Table) -> Figure | None:
    """Both explanations by each method of the first row that was explained again, where inputs are kept."""
    for step in steps(bundle, "attack"):
        stored = bundle.arrays(step.name)
        if "shown" not in stored or "explained" not in stored:
            continue
        row = int(stored["explained"][0])
        at = reading.place(stored, row)
        radius = int(stored["success"][:, at].argmax())  # the smallest that breaks it, whose input was explained
        moved = reading.moved(bundle, step.name, row, radius)
        again = reading.before_after(bundle, step.name, row)
        assert moved is not None, "the inputs of rows that are explained again are kept"
        drawing, names = drawer(bundle), bundle.manifest.data.features
        attack = title_of(bundle.manifest, step)
        top = plots.shared_order([each.before for each in again.values()])[:FEATURES]
        panels = []
        for order, each in enumerate(again.values()):
            assert each.numbers is not None, "kept with the inputs"
            shown = [plots.Example(kept.numbers, names, kept.words, kept.features) for kept in moved[:2]]
            examples = [shown[0], replace(shown[1], like=shown[0].inputs)]
            both = [
                plots.Values(*parts, top=top) for parts in zip(each.numbers, (each.before, each.after), strict=True)
            ]
            limit = max(map(drawing.reach, examples, both)) or None
            for when, example, values in zip(("before", "after"), examples, both, strict=True):
                values, title = replace(values, limit=limit), f"{when}: {each.title}"
                if text := drawing.text(example, values):
                    panels.append(Markup("<h4>{}</h4>{}").format(title, Markup(text)))
                else:
                    ax = drawing.explained(example, values, title=title)
                    said = f"{each.title}, {when} {attack}. Row {row}."
                    panels.append(panel(ax, said, f"before-after-{order}-{when}"))
        caption = (
            f"Row {row:,}, the first that {attack} broke and that is explained, before and after: the same methods, "
            "settings, seed and output. Both drawings by a method are on one scale: equal values look equal."
        )
        return Figure(panels, caption, table, title="Explanations before and after", size=drawing.size)
    return None
