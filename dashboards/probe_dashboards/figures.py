"""Figures of a bundle as SVG, by name and parameters."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from probe import plots
from probe.audit import Bundle, reading
from probe.formatting import norm
from probe_dashboards.views import (
    attacked,
    before_after,
    bias,
    counterfactuals,
    curved,
    decided,
    explained,
    instance,
    proofs,
    quality,
    robustness,
    sliced,
    together,
)
from probe_dashboards.views.flips import attacks_of


def svg(name: str, bundle: Bundle, *keys: str) -> str:
    """Draw a figure with a transparent background, its text and axes in a colour that suits the theme of the page."""
    return plots.to_svg(FIGURES[name](bundle, *keys), alone=True)


def _input(bundle: Bundle, row: str) -> Axes:
    return instance.drawer(bundle).input(instance.example(bundle, int(row)))


def _explained(bundle: Bundle, row: str, method: str, shown: str = explained.SHARES) -> Axes:
    example, values = instance.example(bundle, int(row)), explained.drawn(bundle, int(row), method, shown)
    return instance.drawer(bundle).explained(example, values)


def _attacked(bundle: Bundle, row: str, attack: str, eps: str) -> Axes:
    found = attacked.pair(bundle, int(row), attack, eps)
    assert found is not None, "asked for only where it was kept"
    return instance.drawer(bundle).attacked(*found)


def _before_after(bundle: Bundle, row: str, attack: str, eps: str, method: str, which: str) -> Axes:
    found = before_after.drawn(bundle, int(row), attack, eps, method)
    return instance.drawer(bundle).explained(*found[before_after.WHEN.index(which)])


def _reliability(bundle: Bundle, label: str = "") -> Axes:
    return _bins(reading.reliability(bundle)[label])


def _bins(bins: pd.DataFrame) -> Axes:
    return plots.reliability(*(bins[name] for name in ("confidence", "accuracy", "low", "high", "n")))


def _roc(bundle: Bundle, label: str, of: str) -> Axes:
    found = reading.roc(bundle, label, of)
    return plots.roc(found["fpr"], found["tpr"], at=decided.operating(bundle, label, of))


def _thresholds(bundle: Bundle, one: str) -> Axes:
    return plots.thresholds(decided.curves(bundle, one), at=decided.own(bundle, one))


def _errors(bundle: Bundle, one: str) -> Axes:
    found = reading.distribution(bundle, sliced.name(bundle, one))
    tolerance = getattr(bundle.manifest.task, "tolerance", None)
    return plots.errors([*found["from"], found["to"].iloc[-1]], found["n"], tolerance=tolerance)


def _predicted(bundle: Bundle, one: str) -> Axes:
    found = reading.errors(bundle, sliced.name(bundle, one))
    return plots.predicted(found["label"], found["answer"], name=sliced.name(bundle, one))


def _curves(bundle: Bundle, by: str, norm: str = "") -> Axes:
    curves, own = robustness.drawn(bundle, by, norm), attacks_of(bundle, norm)
    threshold, labels = own.threshold if by == "attack" else None, ("radius of the attack", own.measure.lower())
    return plots.robustness(curves, threshold=threshold, unit=own.axis, labels=labels, ax=plots.new_axes(4.8, 3.1))


def _forest(bundle: Bundle, attribute: str, rate: str, threshold: str = "") -> Axes:
    frame = bias.rates(bundle, attribute, rate, threshold)
    ax = plots.new_axes(4.1, 0.72 + 0.24 * max(len(frame), 2))
    return plots.forest(
        list(frame["group"]),
        frame["value"],
        frame["low"],
        frame["high"],
        counts=frame["n"],
        faint=frame["small"],
        unit=reading.compared_by(bundle)[rate].unit,
        ax=ax,
    )


def _roc_by(bundle: Bundle, attribute: str) -> Axes:
    return plots.roc_by({name: (each["fpr"], each["tpr"]) for name, each in bias.separated(bundle, attribute).items()})


def _spread(bundle: Bundle, metric: str) -> Axes:
    found = quality.spreads(bundle, metric)
    ends = np.array([[each.over.value, each.over.low, each.over.high] for each in found], dtype=float)
    return plots.spread([each.title for each in found], [each.values for each in found], ends)


def _breakdown(bundle: Bundle, norm: str = "") -> Axes:
    frame = robustness.breakdown(bundle, norm)
    ax = plots.new_axes(5.2, 0.72 + 0.24 * max(len(frame), 2))
    return plots.forest(
        list(frame["smallest radius"]), frame["share"], frame["low"], frame["high"], counts=frame["examples"], ax=ax
    )


def _certified(bundle: Bundle, axis: str) -> Axes:
    found = proofs.certificates(bundle)[axis]
    thresholds = {each.threshold for each in found if each.threshold is not None}
    line = (float("nan"), thresholds.pop()) if len(thresholds) == 1 else None
    return plots.robustness(
        proofs.drawn(found), threshold=line, unit=norm(found[0].axis), labels=("radius", found[0].asks)
    )


def _survey(bundle: Bundle, slug: str) -> Axes:
    found = proofs.surveys(bundle)[slug]
    if found.places:
        numbers, unit = proofs.curve(list(found.rows)), found.rows[0].unit
        columns = (numbers[name] for name in ("value", "low", "high"))
        return plots.along(list(found.places), *columns, unit=unit, labels=(found.along, found.asks))
    if (table := found.table) is not None:
        across = found.split.strip(" ,:")
        return plots.cells(table, list(table.index), list(table.columns), unit=found.rows[0].unit, labels=(across, ""))
    rows = list(found.rows)[: proofs.DRAWN]
    numbers = proofs.curve(rows)
    ax = plots.new_axes(4.8, 0.72 + 0.24 * max(len(rows), 2))
    return plots.forest(
        list(numbers["item"]), numbers["value"], numbers["low"], numbers["high"], unit=rows[0].unit, ax=ax
    )


def _calibrated(bundle: Bundle, slug: str, item: str) -> Axes:
    return _bins(proofs.surveys(bundle)[slug].diagrams[item])


def _counterfactual(bundle: Bundle, method: str, row: str) -> Axes:
    found = counterfactuals.candidate(counterfactuals.searches(bundle)[method], row)
    assert found.change is not None, "asked for only where it was kept"
    return instance.drawer(bundle).attacked(*counterfactuals.pair(bundle, found), found.change.moved)


def _waterfall(bundle: Bundle, row: str, method: str) -> Axes:
    start, _ = together.ends(bundle, int(row), method)
    values = explained.by_feature(bundle, int(row), method)
    top = explained.order(bundle, int(row))[: together.LISTED]
    return plots.waterfall(bundle.manifest.data.features, values, start, top=top)


def _moved(bundle: Bundle, metric: str, row: str = "") -> Axes:
    found = curved.drawn(bundle, metric, int(row) if row else None)
    drawn = {name: (each["share"], each["own"], each["random"]) for name, each in found.items()}
    return plots.moved(drawn, how=curved.how(bundle, metric))


def _beeswarm(bundle: Bundle, method: str) -> Axes:
    found, top = together.swarm(bundle, method), together.listed(bundle)
    return plots.beeswarm(bundle.manifest.data.features, found.values, found.levels, top=top)


FIGURES: dict[str, Callable[..., Axes]] = {
    "input": _input,
    "reliability": _reliability,
    "roc": _roc,
    "thresholds": _thresholds,
    "errors": _errors,
    "predicted": _predicted,
    "explained": _explained,
    "attacked": _attacked,
    "before_after": _before_after,
    "curves": _curves,
    "forest": _forest,
    "roc_by": _roc_by,
    "breakdown": _breakdown,
    "spread": _spread,
    "beeswarm": _beeswarm,
    "waterfall": _waterfall,
    "moved": _moved,
    "certified": _certified,
    "survey": _survey,
    "calibrated": _calibrated,
    "counterfactual": _counterfactual,
}
