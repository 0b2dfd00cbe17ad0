"""Attributions of a few rows, and how reliable each method is."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from probe import plots
from probe.audit.bundle import Bundle, Stored
from probe.audit.reading import (
    CURVES_NOTE,
    SWARM_NOTE,
    Ranked,
    answered,
    between,
    captioned,
    curved,
    curves,
    fitted,
    kept,
    measured,
    ranked,
    ranks_note,
    swarm,
    why_not_kept,
)
from probe.audit.titles import title_of
from probe.formatting import DASH, PLUS_MINUS, digits, estimated, number, settings, share, words
from probe.report.blocks import Block, Figure, Section, Table, Text, panel
from probe.report.sections.common import chapter, drawer, steps, with_not_measured
from probe.statistics import ranking

INSTANCES = 4
FEATURES = 10
SUREST = 1 - 1e-9  # a confidence that rests on a draw is never written as 100 %


def section(bundle: Bundle) -> Section:
    """The checks of each method, and its attributions for a few rows."""
    blocks: list[Block] = []
    ran = steps(bundle, "explainer")
    if measured(bundle, kind="explainer"):
        blocks.append(_methods(bundle))
    if found := ranked(bundle):
        blocks.append(_ranks(found))
    if found_curves := curved(bundle):
        blocks.append(_curves(bundle, found_curves))
    if ran and bundle.has("arrays/instances.npz"):
        blocks += _together(bundle)
        blocks += _instances(bundle, {title_of(bundle.manifest, step): bundle.arrays(step.name) for step in ran})
    return chapter("explanation", with_not_measured(bundle, "explanation", blocks))


def _methods(bundle: Bundle) -> Table:
    found = [(step, measured(bundle, step=step.name)) for step in steps(bundle, "explainer")]
    metrics = list(dict.fromkeys(row.metric for _, rows in found for row in rows))
    columns = ("method", *map(words, metrics), "n", "settings")
    rows = []
    for step, own in found:
        cells = {row.metric: row.written for row in own}
        n = own[0].counted if own else ""
        rows.append((title_of(bundle.manifest, step), *(cells.get(m, DASH) for m in metrics), n, settings(step.method)))
    caption = (
        "The measures of each method, with 95 % intervals. Deletion and insertion: difference to random orders in the "
        "area under the curve of the output. Completeness: difference between the sum of the values and the sum that "
        "the method promises."
    )
    return Table(columns, rows, caption, numeric=columns[1:-1], file="tables/readings.csv")


def _ranks(found: Sequence[Ranked]) -> Table:
    metrics = list(found[0].by)
    columns = ("method", "mean rank", "best to worst", *map(words, metrics))
    rows = [
        (
            each.method,
            digits(each.mean),
            f"{digits(each.best)} to {digits(each.worst)}",
            *(digits(each.by[name]) for name in metrics),
        )
        for each in found
    ]
    return Table(columns, rows, ranks_note(found), numeric=columns[1:])


def _curves(bundle: Bundle, metrics: Mapping[str, str]) -> Figure:
    """The output as features are removed or added, by the order of each explainer and by random ones."""
    panels, rows = [], []
    for metric, how in metrics.items():
        found = curves(bundle, metric)
        drawn = {name: (each["share"], each["own"], each["random"]) for name, each in found.items()}
        ax = plots.moved(drawn, how=how, title=words(metric))
        panels.append(panel(ax, f"The output as features are {how}, by method: {words(metric)}", f"curves-{metric}"))
        for name, each in found.items():
            half = each.iloc[int((each["share"] - 0.5).abs().argmin())]
            ends = (each["own"].iloc[0], half["own"], half["random"], each["own"].iloc[-1])
            rows.append((words(metric), name, *(number(float(end)) for end in ends)))
    columns = ("measure", "method", "at the start", "half way", "half way, random orders", "at the end")
    table = Table(columns, rows, "The output at three points of each curve", numeric=columns[2:], folded=True)
    how = " or ".join(dict.fromkeys(metrics.values()))
    return Figure(panels, CURVES_NOTE.format(moved=how), table, "As features are removed or added", size="half")


def _instances(bundle: Bundle, methods: dict[str, Stored]) -> list[Block]:
    shown = bundle.arrays("instances")
    rows = shown["rows"][:INSTANCES]
    title = f"The first {len(rows)} of the {len(shown['rows']):,} rows explained"
    blocks: list[Block] = [
        Text(title, level=3),
        Text("They are the first by row number, not hand-picked. What red and blue mean depends on the method:"),
        _captions(bundle),
    ]
    if not bundle.manifest.plan.keeps_inputs:
        blocks.append(Text(why_not_kept(bundle.manifest)))
    for index, row in enumerate(rows):
        found, task = answered(bundle, int(row)), bundle.manifest.task
        explained = task.name(int(next(iter(methods.values()))["targets"][index]))
        verdict = f"{'but' if found.right is False else 'and'} the label is {found.label}"
        verdict = verdict if found.differs else "which is the label"
        head = f"Row {int(row):,}: the model answers {found.answer}, {verdict}."
        head += f" The explanation is of {explained}." if explained != found.answer and len(task.names) != 1 else ""
        fits = {title_of(bundle.manifest, step): fitted(bundle, step, int(row)) for step in steps(bundle, "explainer")}
        head += "".join(f" {method}: {text}" for method, text in fits.items() if text)
        if bundle.manifest.plan.keeps_inputs:
            blocks.append(_instance(bundle, methods, shown, index, head))
        else:
            blocks += [Text(head), _top(bundle, methods, index)]
    return blocks


def _together(bundle: Bundle) -> list[Block]:
    """The values of all explained rows, where features mean the same in each."""
    ran = steps(bundle, "explainer")
    swarms = {title_of(bundle.manifest, step): swarm(bundle, step) for step in ran}
    if not drawer(bundle).tabular or len(next(iter(swarms.values())).values) < 2:
        return []
    names = bundle.manifest.data.features
    shared = plots.shared_order([each.sizes for each in swarms.values()])[:FEATURES]
    panels = [
        panel(
            plots.beeswarm(names, each.values, each.levels, top=shared, title=method),
            f"Values of all rows by {method}",
            f"swarm-{order}",
        )
        for order, (method, each) in enumerate(swarms.items())
    ]
    rows = [(str(names[at]), *(number(float(each.sizes[at])) for each in swarms.values())) for at in shared]
    columns = ("feature", *swarms)
    caption = f"The mean absolute value of each feature; the {len(rows)} that rank highest on average over the methods"
    table = Table(columns, rows, caption, numeric=columns[1:], folded=True)
    count = len(next(iter(swarms.values())).values)
    return [Figure(panels, SWARM_NOTE, table, f"All {count:,} rows explained", size="half")]


def _captions(bundle: Bundle) -> Table:
    """What the values of each method mean."""
    rows = [(title_of(bundle.manifest, step), captioned(step)) for step in steps(bundle, "explainer")]
    return Table(("method", "what its values mean"), rows, "What the values of each method mean")


def _instance(bundle: Bundle, methods: dict[str, Stored], shown: Stored, index: int, head: str) -> Figure:
    """One input and its attributions by each method, drawn by the drawer of its form."""
    drawing, names = drawer(bundle), bundle.manifest.data.features
    found = kept(bundle, int(shown["rows"][index]))
    assert found is not None, "drawn only where the plan has inputs kept"
    example = plots.Example(found.numbers, names, found.words, found.features, found.truth)
    shared = plots.shared_order([arrays["by_feature"][index] for arrays in methods.values()])[:FEATURES]
    panels = []
    if drawing.shown_alone:
        panels.append(panel(drawing.input(example, title="input"), f"The input. {head}", f"input-{index}"))
    for order, (method, arrays) in enumerate(methods.items()):
        errors = arrays["errors"][index] if "errors" in arrays else None
        values = plots.Values(arrays["values"][index], arrays["by_feature"][index], top=shared, errors=errors)
        if text := drawing.text(example, values):
            panels.append(Markup("<h4>{}</h4>{}").format(method, Markup(text)))
        else:
            ax = drawing.explained(example, values, title=method)
            panels.append(panel(ax, f"{drawing.alt.format(method=method)}. {head}", f"map-{index}-{order}"))
    panels += _steps(bundle, int(shown["rows"][index]), shared, index) if drawing.tabular else []
    known = " Green border: the planted truth." if found.truth is not None and drawing.borders else ""
    return Figure(panels, f"{head} {drawing.legend}{known}", _top(bundle, methods, index), size=drawing.size)


def _steps(bundle: Bundle, row: int, shared: Sequence[int], index: int) -> list[Markup]:
    """The values of the first method that promises a sum, as steps to the output of the row."""
    for step in steps(bundle, "explainer"):
        if (found := between(bundle, step, row)) is not None:
            values, title = bundle.arrays(step.name)["by_feature"][index], title_of(bundle.manifest, step)
            ax = plots.waterfall(
                bundle.manifest.data.features, values, found[0], top=shared, title=f"{title}, in steps"
            )
            return [
                panel(
                    ax, f"Steps of {title} from the output without the features to that of row {row}", f"steps-{index}"
                )
            ]
    return []


def _top(bundle: Bundle, methods: dict[str, Stored], index: int) -> Table:
    """The features with the highest mean rank over all methods, and the value of each by each method."""
    names = bundle.manifest.data.features
    values = np.stack([arrays["by_feature"][index] for arrays in methods.values()])
    described = bundle.arrays("instances").get("described")
    chosen = [at for at in plots.shared_order(values) if described is None or described[index, at]][:FEATURES]
    columns = ("feature", *(("value",) if described is not None else ()), *methods)
    rows: Sequence[Sequence[str]] = [
        (
            str(names[at]) if at < len(names) else f"feature {at}",
            *((str(described[index, at]),) if described is not None else ()),
            *(
                estimated(arrays["by_feature"][index][at], arrays["errors"][index][at] if "errors" in arrays else None)
                for arrays in methods.values()
            ),
        )
        for at in chosen
    ]
    caption = f"The {len(rows)} features that rank highest on average over the methods"
    if any("errors" in arrays for arrays in methods.values()):
        caption += f"; after {PLUS_MINUS} the standard error of values that were estimated from a draw"
        caption += "".join(
            f"; {method}: its first above its second with {share(min(ranking(*each)[1][0], SUREST))} confidence"
            for method, arrays in methods.items()
            if "errors" in arrays and len((each := (arrays["by_feature"][index], arrays["errors"][index]))[0]) > 1
        )
    return Table(columns, rows, caption, numeric=columns[1:], folded=True)
