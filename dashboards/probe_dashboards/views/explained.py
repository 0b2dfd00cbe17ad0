"""What explains one example, and whether the methods agree."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe import formatting, plots
from probe.audit import Bundle, reading
from probe.audit.reading import captioned
from probe.audit.readings import evidence
from probe.errors import IntegrityError
from probe.statistics import ranks
from probe.statuses import STATUSES
from probe.text import visible
from probe_dashboards.views import panels, quality, ran
from probe_dashboards.views.instance import classes, drawer, example, features, words
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import correlation, md, unbroken

Array = NDArray[Any]
BARS = 10  # features that a chart lists
TOP = 5  # features that two methods are asked to agree on
SHARES, OWN = "shares", "own"
SCALES = {SHARES: "one for all methods", OWN: "one for each method, in its unit"}
ONE_SCALE = (
    "All methods are on one scale, and list the same features in the same order, by their mean rank over the methods. "
    "A value is a share of the sum of the sizes of its method's values: 0.1 is a tenth of all that the method found. "
    "Red is evidence for the answer, blue against it, unless the method says otherwise."
)
BADGES = {
    "pass": "blue[:material/check_circle:",
    "fail": "orange[:material/cancel:",
    "inconclusive": "orange[:material/help:",
}


def methods(bundle: Bundle) -> dict[str, str]:
    """The explainers that ran: id to name in the bundle."""
    return ran.names(bundle, "explainer")


def method_titles(bundle: Bundle) -> dict[str, str]:
    """The explainers that ran: id to what people call it."""
    return ran.titles(bundle, "explainer")


def caption(bundle: Bundle, method: str) -> str:
    """What red and blue of a method say, and what its values add up to."""
    return captioned(ran.steps(bundle, "explainer")[method])


def drawn(bundle: Bundle, row: int, method: str, shown: str = SHARES) -> plots.Values:
    """What a method attributes to the example, with the features that every chart of it lists.

    On the scale that all methods share each value is a share of the sum of the sizes of its method's.
    """
    top = order(bundle, row)[:BARS]
    if shown == OWN:
        return plots.Values(
            values(bundle, row, method), by_feature(bundle, row, method), top, errors=errors(bundle, row, method)
        )
    each = {one: _shares(bundle, row, one, top) for one in methods(bundle)}
    here = example(bundle, row)
    limit = max(drawer(bundle).reach(here, one) for one in each.values())
    return replace(each[method], limit=limit or None)


def values(bundle: Bundle, row: int, method: str) -> Array:
    """What a method attributes to each number of the input."""
    return _explanation(bundle, row, method, "values")


@once
def scale(bundle: Bundle, row: int, method: str, shown: str = SHARES) -> str:
    """What the colours or widths of a method's drawing stand for; empty where it says so itself."""
    return drawer(bundle).key(example(bundle, row), drawn(bundle, row, method, shown))


def legend(bundle: Bundle, shown: str) -> str:
    """How to read the drawings."""
    return ONE_SCALE if shown == SHARES else drawer(bundle).legend


def order(bundle: Bundle, row: int) -> list[int]:
    """The features in the order in which every chart and table of the example lists them."""
    return bundle.derived(
        ("shared order", str(row)),
        lambda: plots.shared_order([by_feature(bundle, row, method) for method in methods(bundle)]),
    )


def by_feature(bundle: Bundle, row: int, method: str) -> Array:
    """What a method attributes to each feature; of a text to each word that is there."""
    return told(bundle, row, _explanation(bundle, row, method, "by_feature"))


def errors(bundle: Bundle, row: int, method: str) -> Array | None:
    """The standard errors of what a method attributes to each feature; None if nothing was drawn."""
    if "errors" not in bundle.arrays(ran.steps(bundle, "explainer")[method].name):
        return None
    return told(bundle, row, _explanation(bundle, row, method, "errors"))


def fitted(bundle: Bundle, row: int, method: str) -> str:
    """How well a method's local fit tells the output around the example; empty where it has none."""
    return reading.fitted(bundle, ran.steps(bundle, "explainer")[method], row)


def sentence(bundle: Bundle, row: int, method: str = "", shown: str = SHARES) -> str:
    """The text as HTML, its words shaded by what a method attributes to them; plain if none is named.

    Empty where the form is drawn as a figure.
    """
    return drawer(bundle).text(example(bundle, row), drawn(bundle, row, method, shown) if method else None)


def target(bundle: Bundle, row: int, method: str) -> str:
    """The class that a method explains."""
    stored = bundle.arrays(ran.steps(bundle, "explainer")[method].name)
    return classes(bundle)[int(stored["targets"][_at(stored["rows"], row)])]


def attributions(bundle: Bundle, row: int) -> pd.DataFrame:
    """What every method attributes to each feature, in the order of the charts."""
    found = method_titles(bundle)
    columns: dict[str, Array] = {}
    for method, name in found.items():
        columns[visible(name)] = by_feature(bundle, row, method)
        if (spread := errors(bundle, row, method)) is not None:
            columns[f"{visible(name)}: standard error"] = spread
    frame = pd.DataFrame(columns)
    frame.insert(0, "Feature", features(bundle, row))
    return frame.iloc[order(bundle, row)].reset_index(drop=True)


@once
def badges(bundle: Bundle, method: str) -> list[str]:
    """What was measured of a method over all explained examples, and what follows from it, as Markdown."""
    if not bundle.has("tables/readings.csv"):
        return ["Not checked: the audit ended before its tables were made"]
    step = ran.steps(bundle, "explainer")[method]
    said = {r.metric: r.notes for r in step.readings}
    return [_badge(row, said[row.metric].get(row.status, "")) for row in reading.measured(bundle, step=step.name)] or [
        ":grey[:material/help: Not measured]"
    ]


@once
def agreement(bundle: Bundle, row: int) -> pd.DataFrame:
    """Spearman's rank correlation between what the methods attribute to the features; NaN for a constant one."""
    found = correlations(bundle, row)
    matrix = [[found[one, other] for other in methods(bundle)] for one in methods(bundle)]
    names = [visible(name) for name in method_titles(bundle).values()]
    frame = pd.DataFrame(matrix, columns=names).map(correlation)
    frame.insert(0, "Method", names)
    return frame


def correlations(bundle: Bundle, row: int) -> dict[tuple[str, str], float]:
    """Spearman's rank correlation of each two methods, NaN for a constant one."""
    named = methods(bundle)
    return bundle.derived(
        ("rank correlations", str(row)),
        lambda: _correlated({method: by_feature(bundle, row, method) for method in named}),
    )


@once
def meanings(bundle: Bundle, row: int) -> pd.DataFrame:
    """Of each method what its values mean: of which output, with which settings, and what they add up to."""
    lines = []
    for method, name in method_titles(bundle).items():
        step = ran.steps(bundle, "explainer")[method]
        output = bundle.manifest.task.spoken(str(step.method.get("output", "output")))
        lines.append(
            (
                visible(name),
                visible(captioned(step)),
                visible(f"the {output} of {target(bundle, row, method)}"),
                visible(formatting.settings(step.method, leave=("method", "output"))) or formatting.DASH,
                sums(bundle, row, method),
            )
        )
    heads = ["Method", "What its values mean", "Of", "Settings", "What they add up to here"]
    return pd.DataFrame(lines, columns=heads)


def sums(bundle: Bundle, row: int, method: str) -> str:
    """What the values of an example add up to, beside the sum that the method promises, where that was measured."""
    total = formatting.number(float(by_feature(bundle, row, method).sum()), "signed")
    for record in ran.steps(bundle, "explainer")[method].readings:
        # Its evidence is the residual and the size of the promise.
        if record.reduction == "residual share" and record.status == "done":
            rows, _ = quality.by_row(bundle, ran.steps(bundle, "explainer")[method], record)
            stored = bundle.arrays(ran.steps(bundle, "explainer")[method].name)
            off, promised = evidence(stored, record)[_at(rows, row)]
            share = f", {formatting.share(off / promised)} of it" if promised else ""
            return (
                f"{total}; promised is a change of {formatting.number(promised)}, and they are off by "
                f"{formatting.number(off)}{share}"
            )
    return f"{total}; no promise was measured"


@once
def here(bundle: Bundle, row: int) -> pd.DataFrame:
    """The quality of each method for this example, and on average over all that were explained."""
    found = []
    for metric, title in quality.metrics(bundle).items():
        for each in quality.spreads(bundle, metric):
            own = each.values[each.rows == row]
            found.append(
                (
                    visible(each.title),
                    title,
                    formatting.number(float(own[0]), each.over.unit)
                    if len(own) and np.isfinite(own[0])
                    else formatting.DASH,
                    f"{unbroken(each.over.written)}, n = {each.over.counted}",
                    "higher" if each.higher else "lower",
                )
            )
    return pd.DataFrame(found, columns=["Method", "Measure", "For this example", "On average", "Better"])


@once
def overlap(bundle: Bundle, row: int) -> pd.DataFrame:
    """How many of its top features each method shares with each other one."""
    names = [visible(name) for name in method_titles(bundle).values()]
    tops = [_top(bundle, row, method) for method in methods(bundle)]
    cells = [[f"{len(one & other)} of {len(one)}" for other in tops] for one in tops]
    frame = pd.DataFrame(cells, columns=names)
    frame.insert(0, "Method", names)
    return frame


def behind(bundle: Bundle, row: int) -> dict[str, Panel]:
    """What stands behind the explanations of an example and their agreement."""
    steps = ran.steps(bundle, "explainer")
    again = [panels.replanned(bundle, "explain", "--rows", str(row), *panels.options(s.method)) for s in steps.values()]
    head = again[0].splitlines()[0]
    command = "\n".join([head, *(text.splitlines()[1] for text in again)]) if panels.has_source(bundle) else ""
    at = _at(bundle.arrays(next(iter(steps.values())).name)["rows"], row)
    stored = f"bundle.arrays(step.name)['by_feature'][{at}]"
    python = f"{{step.id: {stored} for step in reading.steps(bundle.manifest, 'explainer')}}"
    return {
        "explanations": Panel(
            "explanations",
            "Values by feature",
            lambda: _listed(bundle, row),
            "whether the model should use these features, or what would happen if they changed in the world.",
            python,
            command,
        ),
        "agreement": Panel(
            "agreement",
            "Agreement of the methods",
            lambda: _pairs(bundle, row),
            "that methods which agree are right: they may share the same error.",
            python,
            command,
        ),
    }


def _listed(bundle: Bundle, row: int) -> pd.DataFrame:
    """What every method attributes to each feature, as numbers."""
    named = {name: by_feature(bundle, row, method) for method, name in method_titles(bundle).items()}
    listed = features(bundle, row) or [str(at) for at in range(len(next(iter(named.values()))))]
    return pd.DataFrame({"feature": listed} | named).iloc[order(bundle, row)]


def _pairs(bundle: Bundle, row: int) -> pd.DataFrame:
    """How far each two methods agree, as numbers."""
    titles, found = method_titles(bundle), correlations(bundle, row)
    pairs = [
        (titles[a], titles[b], found[a, b], len(_top(bundle, row, a) & _top(bundle, row, b)))
        for a, b in combinations(titles, 2)
    ]
    return pd.DataFrame(pairs, columns=["method", "other", "rank_correlation", f"shared_of_top_{TOP}"])


def _shares(bundle: Bundle, row: int, method: str, top: list[int]) -> plots.Values:
    each = by_feature(bundle, row, method)
    whole = float(np.abs(each).sum()) or 1.0
    spread = errors(bundle, row, method)
    shared = None if spread is None else spread / whole
    return plots.Values(values(bundle, row, method) / whole, each / whole, top, errors=shared)


def _top(bundle: Bundle, row: int, method: str) -> set[int]:
    sizes = np.abs(by_feature(bundle, row, method))
    return {int(at) for at in np.argsort(-sizes, kind="stable")[:TOP]}


def _correlated(named: Mapping[str, Array]) -> dict[tuple[str, str], float]:
    placed = {name: ranks(each) for name, each in named.items()}
    centred = {name: each - each.mean() for name, each in placed.items()}
    sizes = {name: float(np.sqrt((each**2).sum())) for name, each in centred.items()}
    return {
        (a, b): float(one @ other) / (sizes[a] * sizes[b]) if sizes[a] * sizes[b] else float("nan")
        for a, one in centred.items()
        for b, other in centred.items()
    }


def told(bundle: Bundle, row: int, found: Array) -> Array:
    """Those of all features; of a text those of each word that is there."""
    said = words(bundle, row) if drawer(bundle).named_in_words else []
    return found[[bool(word) for word in said]] if said else found


def _explanation(bundle: Bundle, row: int, method: str, part: str) -> Array:
    stored = bundle.arrays(ran.steps(bundle, "explainer")[method].name)
    return np.asarray(stored[part][_at(stored["rows"], row)], dtype=float)


def _at(stored: Array, row: int) -> int:
    found = np.flatnonzero(stored == row)
    if not len(found):
        raise IntegrityError(f"example {row} is not among those that the audit kept")
    return int(found[0])


def _badge(row: reading.Measurement, said: str) -> str:
    written = f"{unbroken(row.written)}, n = {row.counted}"
    name, status = md(formatting.words(row.metric)), row.status
    if status not in BADGES:
        return f"{name}: {written}"
    said = md(said or STATUSES[status].word)
    return f":{BADGES[status]} {name}: {said if status == 'pass' else said.upper()}] {written}"
