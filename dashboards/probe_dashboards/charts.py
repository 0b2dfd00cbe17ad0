"""Charts that can be zoomed, from the numbers of the static figures of the same names, as Vega-Lite.

What a chart names by itself is a constant: text of a bundle is only ever a value of its data, which Vega-Lite shows as
text. It never becomes the name of a field, a format, a link or a part of an expression.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd

from probe import plots
from probe.audit import Bundle, reading
from probe.formatting import Unit, count, estimate, interval, norm, number, radius
from probe.palette import CATEGORIES, MUTED
from probe.text import visible
from probe_dashboards.views import bias, decided, proofs, quality, robustness, sliced
from probe_dashboards.views.flips import attacks_of

Spec = dict[str, Any]
MOST = 5000  # points that are sent to the browser; figures of more are static
TALL, SQUARE = 360, 400  # height of a chart, in pixels
COLOURS = [*CATEGORIES[:6], "#A6761D", MUTED]  # readable on white and on black
LINE = 44  # letters of a line of a title
SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left"]
DASHES = [[1, 0], [6, 3], [7, 3, 2, 3], [2, 2]]
CERTAIN, TRIED = {"value": COLOURS[0]}, {"value": COLOURS[5]}
PERCENT = "format(100 * datum.value, '.4~g') + '\u202f%'"
WRITTEN = {"share": PERCENT, "points": PERCENT.replace("%'", "pp'"), "number": "", "signed": ""}


def chart(name: str, bundle: Bundle, ink: str, *keys: str) -> Spec | None:
    """The chart of a figure, by the same name, colour of text and parameters; none where the figure is only static."""
    drawn = CHARTS[name](bundle, *keys) if name in CHARTS else None
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": 400}
    look = {"axis": text, "legend": text}
    return drawn and drawn | {"config": look, "usermeta": {"embedOptions": {"actions": False}}}


def _curves(bundle: Bundle, by: str, norm: str = "") -> Spec:
    own = attacks_of(bundle, norm)
    asked = own.threshold[1] if by == robustness.ATTACK else None
    return _radii(robustness.drawn(bundle, by, norm), ("radius of the attack", own.measure.lower()), own.axis, asked)


def _certified(bundle: Bundle, axis: str) -> Spec:
    found = proofs.certificates(bundle)[axis]
    asked = {each.threshold for each in found if each.threshold is not None}
    at = asked.pop() if len(asked) == 1 else None
    return _radii(proofs.drawn(found), ("radius", found[0].asks), norm(found[0].axis), at)


def _radii(curves: Mapping[str, plots.Curve], titles: tuple[str, str], unit: str, asked: float | None) -> Spec:
    at = sorted({float(x) for curve in curves.values() for x in np.asarray(curve.x)})
    above = [each for each in at if each > 0]
    # Radii grow by factors: the scale is linear up to the smallest one, then logarithmic.
    scale: Spec = {"type": "symlog", "constant": above[0]} if len(above) > 2 and above[-1] > 6 * above[0] else {}
    words = "".join(f"datum.value === {each!r} ? '{radius(each)}' : " for each in at)
    x = _axis("x", f"{titles[0]}{f' ({visible(unit)})' if unit else ''}", nice=False, **scale)
    x["axis"] |= {"values": at, "labelExpr": f"{words}''", "labelOverlap": True}
    y = _share("y", visible(titles[1]))
    rules = [] if asked is None else [_rule({"y": {"datum": asked}})]
    return _lines(curves, x, y, rules, marked=True)


def _thresholds(bundle: Bundle, one: str) -> Spec:
    own = decided.own(bundle, one)
    x, y = _share("x", "threshold"), _share("y", "share")
    return _lines(decided.curves(bundle, one), x, y, [] if own is None else [_rule({"x": {"datum": own}})])


def _roc(bundle: Bundle, label: str, of: str) -> Spec:
    found, at = reading.roc(bundle, label, of), decided.operating(bundle, label, of)
    x, y = _share("x", "false positive rate"), _share("y", "true positive rate")
    rates = _pairs(zip(found["fpr"], found["tpr"], strict=True), "share")
    own = _pairs([at] if at else [], "share")
    hint = _hint(**{"x shown": "False positive rate", "y shown": "True positive rate"})
    return _layers(
        _diagonal(0.0, 1.0),
        {"data": {"values": rates}, "mark": _mark("line", order=True), "encoding": {"x": x, "y": y, "color": CERTAIN}},
        {"data": {"values": rates}, "mark": _mark("point", opacity=0, size=80), "encoding": {"x": x, "y": y, **hint}},
        {"data": {"values": own}, "mark": _mark("point", filled=True, size=90),
         "encoding": {"x": x, "y": y, "color": TRIED, **hint}},
        height=SQUARE,
    )  # fmt: skip


def _reliability(bundle: Bundle, label: str = "") -> Spec:
    return _bins(reading.reliability(bundle)[label])


def _calibrated(bundle: Bundle, slug: str, item: str) -> Spec:
    return _bins(proofs.surveys(bundle)[slug].diagrams[item])


def _bins(bins: pd.DataFrame) -> Spec:
    bins = bins[bins["n"] > 0]
    values = [
        {"x": float(x), "y": float(y), "low": float(low), "high": float(high), "n": int(n), "n shown": count(n),
         "x shown": number(x, "share"), "shown": str(estimate(y, low, high, "share"))}
        for x, y, low, high, n in bins[["confidence", "accuracy", "low", "high", "n"]].itertuples(index=False)
    ]  # fmt: skip
    x, y = _share("x", "confidence"), _share("y", "accuracy")
    size = {"field": "n", "type": "quantitative", "legend": None, "scale": {"range": [30, 200]}}
    hint = _hint(**{"x shown": "Confidence", "shown": "Accuracy", "n shown": "Rows"})
    places = {"x": x, "color": CERTAIN}
    return _layers(
        _diagonal(0.0, 1.0),
        {"data": {"values": values}, "mark": _mark("rule"),
         "encoding": {**places, "y": y | {"field": "low"}, "y2": {"field": "high"}}},
        {"data": {"values": values}, "mark": _mark("point", filled=True, opacity=1),
         "encoding": {**places, "y": y, "size": size, **hint}},
        height=SQUARE,
    )  # fmt: skip


def _forest(bundle: Bundle, attribute: str, rate: str, threshold: str = "") -> Spec:
    frame = bias.rates(bundle, attribute, rate, threshold)
    return _intervals(frame.rename(columns={"group": "name"}), reading.compared_by(bundle)[rate].unit)


def _breakdown(bundle: Bundle, norm: str = "") -> Spec:
    columns = {"smallest radius": "name", "share": "value", "examples": "n"}
    return _intervals(robustness.breakdown(bundle, norm).rename(columns=columns), "share")


def _survey(bundle: Bundle, slug: str) -> Spec | None:
    found = proofs.surveys(bundle)[slug]
    if found.table is not None:
        return None
    if found.places:
        return _along(found)
    rows = list(found.rows)[: proofs.DRAWN]
    return _intervals(proofs.curve(rows).rename(columns={"item": "name"}), rows[0].unit)


def _along(found: reading.Proof) -> Spec:
    unit = found.rows[0].unit
    values = [
        {"x": at, "y": row.value, "low": row.low, "high": row.high, "at": visible(row.item), "shown": str(row.written)}
        for at, row in zip(found.places, found.rows, strict=True)
        if None not in (row.value, row.low, row.high)
    ]
    x = _axis("x", visible(found.along), zero=False)
    y = _axis("y", "", unit, zero=False)
    x["axis"]["tickCount"] = 6
    y["axis"]["title"] = wrap(visible(found.asks), LINE)  # a longer title would stand beside the chart, and shrink it
    hint = _hint(at="At", shown="Estimate [95\u202f% interval]")
    drawn: list[Spec] = [
        {"mark": _mark("area", opacity=0.13),
         "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": CERTAIN}},
        {"mark": _mark("line", strokeWidth=2), "encoding": {"x": x, "y": y, "color": CERTAIN}},
        {"mark": _mark("point", filled=True, size=55, opacity=1),
         "encoding": {"x": x, "y": y, "color": CERTAIN, **hint}},
    ]  # fmt: skip
    return _layers(*({"data": {"values": values}, **each} for each in drawn))


def _spread(bundle: Bundle, metric: str) -> Spec | None:
    found = quality.spreads(bundle, metric)
    if not found or sum(len(each.values) for each in found) > MOST:
        return None
    unit = found[0].over.unit
    single = [
        {"name": visible(each.title), "x": float(value), "row": str(int(row)), "shown": number(value, unit)}
        for each in found
        for row, value in zip(each.rows, each.values, strict=True)
        if np.isfinite(value)
    ]
    frame = pd.DataFrame([(each.title, each.over.value, each.over.low, each.over.high) for each in found])
    frame.columns = pd.Index(["name", "value", "low", "high"])
    ticks: Spec = {
        "data": {"values": single},
        "mark": _mark("tick", thickness=1.5, size=14, opacity=0.55, yOffset=9),
        "encoding": {"y": _names(), "x": _axis("x", "", unit), "color": {"value": MUTED},
                     **_hint(name="Method", row="Row", shown="On this row")},
    }  # fmt: skip
    return _intervals(frame, unit, ticks, step=44)


def _errors(bundle: Bundle, one: str) -> Spec:
    found = reading.distribution(bundle, sliced.name(bundle, one))
    tolerance = getattr(bundle.manifest.task, "tolerance", None)
    values = [
        {"x": float(start), "end": float(end), "y": int(n), "at": interval(start, end, "signed"), "n": count(n)}
        for start, end, n in found[["from", "to", "n"]].itertuples(index=False)
    ]
    x, y = _axis("x", "error: answer minus label"), _axis("y", "rows", zero=True)
    bars: Spec = {
        "data": {"values": values},
        "mark": _mark("bar", opacity=0.85),
        "encoding": {
            **{"x": x, "x2": {"field": "end"}, "y": y, "color": CERTAIN},
            **_hint(at="Error", n="Rows"),
        },
    }
    lines = [_rule({"x": {"datum": side}}) for side in ((-tolerance, tolerance) if tolerance is not None else ())]
    return _layers(bars, _rule({"x": {"datum": 0}}, dashed=False), *lines)


def _predicted(bundle: Bundle, one: str) -> Spec | None:
    name = sliced.name(bundle, one)
    found = reading.errors(bundle, name)[["label", "answer"]].astype(float).dropna()
    if found.empty or len(found) > MOST or not np.isfinite(found).all(axis=None):
        return None
    values = _pairs(found.itertuples(index=False), "number")
    said = f": {visible(name)}" if name else ""
    places = {"x": _axis("x", f"label{said}", zero=False), "y": _axis("y", f"answer{said}", zero=False)}
    return _layers(
        _diagonal(float(found.min().min()), float(found.max().max())),
        {"data": {"values": values}, "mark": _mark("point", filled=True, size=22, opacity=0.6),
         "encoding": {**places, "color": CERTAIN, **_hint(**{"x shown": "Label", "y shown": "Answer"})}},
        height=SQUARE,
    )  # fmt: skip


CHARTS: dict[str, Callable[..., Spec | None]] = {
    "reliability": _reliability,
    "roc": _roc,
    "thresholds": _thresholds,
    "errors": _errors,
    "predicted": _predicted,
    "curves": _curves,
    "forest": _forest,
    "breakdown": _breakdown,
    "spread": _spread,
    "certified": _certified,
    "survey": _survey,
    "calibrated": _calibrated,
}


def _lines(curves: Mapping[str, plots.Curve], x: Spec, y: Spec, rules: Sequence[Spec], *, marked: bool = False) -> Spec:
    names, values = [visible(name) for name in curves], []
    for name, curve in zip(names, curves.values(), strict=True):
        for at, value, low, high in zip(*(np.asarray(part, dtype=float) for part in curve), strict=True):
            if np.isfinite([at, value, low, high]).all():
                shown = str(estimate(value, low, high, "share"))
                at_shown = radius(at) if marked else number(at, "share")
                place = {"series": name, "x": float(at), "y": float(value), "at": at_shown, "shown": shown}
                values.append({**place, "low": float(low), "high": float(high)})
    legend = {
        "title": None,
        "orient": "bottom",
        "columns": 3,
        "labelLimit": 200,
        "symbolStrokeWidth": 2,
        "symbolOpacity": 1,
    }

    def by(range_: Sequence[Any]) -> Spec:
        cycle = [range_[index % len(range_)] for index in range(len(names))]
        return {"field": "series", "type": "nominal", "legend": legend, "scale": {"domain": names, "range": cycle}}

    colour, dash = by(COLOURS), by(DASHES)
    hint = _hint(series="Curve", at="At", shown="Share [95\u202f% interval]")
    points: Spec = {"mark": _mark("point", filled=True, size=55, opacity=1 if marked else 0), "encoding": {**hint}}
    points["encoding"] |= {"x": x, "y": y, "color": colour} | ({"shape": by(SHAPES)} if marked else {})
    drawn: list[Spec] = [
        {"mark": _mark("area", opacity=0.13),
         "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": colour}},
        {"mark": _mark("line", strokeWidth=2), "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash}},
        points,
    ]  # fmt: skip
    return _layers(*({"data": {"values": values}, **each} for each in drawn), *rules)


def _intervals(frame: pd.DataFrame, unit: Unit, *below: Spec, step: int = 26) -> Spec:
    """For each name a dot at the estimate and a line over its interval, the first name on top."""
    values: list[Spec] = []
    for line in frame.to_dict("records"):
        shown = str(estimate(line["value"], line["low"], line["high"], unit))
        n = f"  n={count(line['n'])}" if line.get("n") is not None else ""
        there: Spec = {key: float(line[key]) if np.isfinite(line[key]) else None for key in ("value", "low", "high")}
        few = bool(line.get("small", False))
        values.append({"name": f"{visible(line['name'])}{n}", "shown": shown, "few": few, "x": there["value"], **there})
    ends = [each[key] for each in values for key in ("low", "high", "value") if each[key] is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = 0.03 * (high - low or 1.0)
    x = _axis("x", "", unit, domain=[low - room, high + room], nice=False)
    x["axis"]["tickCount"] = 6
    zero = [] if unit == "share" else [_rule({"x": {"datum": 0}}, dashed=False)]
    colour = {"condition": {"test": "datum.few", "value": MUTED}, **CERTAIN}
    over = {"y": _names(), "color": colour, **_hint(name="Of", shown="Estimate [95\u202f% interval]")}
    dash = {"condition": {"test": "datum.few", "value": [2, 2]}, "value": [1, 0]}
    opacity = {"condition": {"test": "datum.few", "value": 0}, "value": 1}
    up = -6 if below else 0
    return _layers(
        {"data": {"values": values}, "mark": _mark("rule", strokeWidth=2, yOffset=up),
         "encoding": {**over, "x": x | {"field": "low"}, "x2": {"field": "high"}, "strokeDash": dash}},
        {"data": {"values": values}, "mark": _mark("point", filled=False, size=60, strokeWidth=2, yOffset=up),
         "encoding": {**over, "x": x, "fill": colour, "fillOpacity": opacity}},
        *below,
        *zero,
        encodings=("x",), height=step * max(len(values), 2) + 64,
    )  # fmt: skip


def _layers(*layers: Spec, encodings: Sequence[str] = ("x", "y"), height: int = TALL) -> Spec:
    """Layers over one pair of axes; the first carries the zoom."""
    chosen = {
        "type": "interval",
        "encodings": list(encodings),
        # A wheel alone and a finger scroll the page.
        "zoom": "wheel![event.ctrlKey || event.metaKey]",
        "translate": "[pointerdown[event.pointerType === 'mouse'], window:pointerup] > window:pointermove!",
    }
    first, *others = layers
    return {
        "height": height,
        "layer": [first | {"params": [{"name": "zoom", "select": chosen, "bind": "scales"}]}, *others],
    }


def _mark(kind: str, **look: Any) -> Spec:
    # Clipped, as what is zoomed away would lie over the axes. Read as a whole by its description, not mark by mark.
    return {"type": kind, "clip": True, "aria": False, **look}


def _rule(at: Spec, *, dashed: bool = True) -> Spec:
    return {
        "data": {"values": [{}]},
        "mark": _mark("rule", color=MUTED, strokeWidth=1.5, strokeDash=[3, 3] if dashed else [1, 0]),
        "encoding": at,
    }


def _diagonal(start: float, end: float) -> Spec:
    ends = [{"x": start, "y": start}, {"x": end, "y": end}]
    places = {key: {"field": key, "type": "quantitative"} for key in ("x", "y")}
    return {"data": {"values": ends}, "mark": _mark("line", color=MUTED, strokeDash=[4, 3]), "encoding": places}


def _axis(field: str, title: str, unit: Unit = "number", **scale: Any) -> Spec:
    axis: Spec = {"title": title or None, "labelFlush": False} | ({"labelExpr": WRITTEN[unit]} if WRITTEN[unit] else {})
    return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}


def _share(field: str, title: str) -> Spec:
    return _axis(field, title, "share", domain=[-0.02, 1.02], nice=False)


def _names() -> Spec:
    axis = {"title": None, "labelLimit": 260, "labelFlush": False, "ticks": False, "domain": False}
    return {"field": "name", "type": "nominal", "sort": None, "axis": axis}


def _pairs(pairs: Iterable[tuple[Any, Any]], unit: Unit) -> list[Spec]:
    return [{"x": float(x), "y": float(y), "x shown": number(x, unit), "y shown": number(y, unit)} for x, y in pairs]


def _hint(**titles: str) -> Spec:
    return {"tooltip": [{"field": field, "type": "nominal", "title": title} for field, title in titles.items()]}
