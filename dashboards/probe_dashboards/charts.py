"""Charts that can be zoomed, from the numbers of the static figures of the same names, as Vega-Lite.

What a chart names by itself is a constant: text of a bundle is only ever a value of its data, which Vega-Lite shows as
text. It never becomes the name of a field, a format, a link or a part of an expression.
"""

from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap

import numpy as np
import pandas as pd

from probe import plots
from probe.audit import Bundle, reading
from probe.formatting import Unit, count, defined, estimate, interval, norm, number, radius
from probe.palette import MUTED
from probe.text import visible
from probe_dashboards import ordered, valued, vega
from probe_dashboards.vega import CERTAIN, COLOURS, DASHES, SQUARE, TRIED, Spec
from probe_dashboards.views import bias, decided, proofs, quality, robustness, sliced
from probe_dashboards.views.flips import attacks_of

MOST = 5000  # points that are sent to the browser; figures of more are static
LINE = 44  # letters of a line of a title
SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left"]


def chart(name: str, bundle: Bundle, *keys: str) -> Spec | None:
    """The chart of a figure, by the same name and parameters; none where the figure is only static."""
    drawn = CHARTS[name](bundle, *keys) if name in CHARTS else None
    # The colour of the text around the chart: it is drawn anew, and nothing is asked again, when the theme changes.
    ink = "currentColor"
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": 400}
    look = {"axis": text, "legend": text, "text": {"color": ink}}
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
    x = vega.axis("x", f"{titles[0]}{f' ({visible(unit)})' if unit else ''}", nice=False, **scale)
    x["axis"] |= {"values": at, "labelExpr": f"{words}''", "labelOverlap": True}
    y = vega.share("y", visible(titles[1]))
    rules = [] if asked is None else [vega.rule({"y": {"datum": asked}})]
    return _lines(curves, x, y, rules, marked=True)


def _thresholds(bundle: Bundle, one: str) -> Spec:
    own = decided.own(bundle, one)
    x, y = vega.share("x", "threshold"), vega.share("y", "share")
    return _lines(decided.curves(bundle, one), x, y, [] if own is None else [vega.rule({"x": {"datum": own}})])


def _roc(bundle: Bundle, label: str, of: str) -> Spec:
    found, at = reading.roc(bundle, label, of), decided.operating(bundle, label, of)
    x, y = vega.share("x", "false positive rate"), vega.share("y", "true positive rate")
    rates = vega.pairs(zip(found["fpr"], found["tpr"], strict=True), "share")
    own = vega.pairs([at] if at else [], "share")
    hint = vega.hint(**{"x shown": "False positive rate", "y shown": "True positive rate"})
    return vega.layers(
        vega.diagonal(0.0, 1.0),
        {"data": {"values": rates}, "mark": vega.mark("line", order=True),
         "encoding": {"x": x, "y": y, "color": CERTAIN}},
        {"data": {"values": rates}, "mark": vega.mark("point", opacity=0, size=80),
         "encoding": {"x": x, "y": y, **hint}},
        {"data": {"values": own}, "mark": vega.mark("point", filled=True, size=90),
         "encoding": {"x": x, "y": y, "color": TRIED, **hint}},
        height=SQUARE,
    )  # fmt: skip


def _roc_by(bundle: Bundle, attribute: str) -> Spec:
    curves = bias.separated(bundle, attribute)
    values = [
        {"series": name, **place}
        for name, found in curves.items()
        for place in vega.pairs(zip(found["fpr"], found["tpr"], strict=True), "share")
    ]
    x, y = vega.share("x", "false positive rate"), vega.share("y", "true positive rate")
    colour, dash = (vega.by_name([*curves], range_) for range_ in (COLOURS, DASHES))
    told = vega.hint(**{"series": "Group", "x shown": "False positive rate", "y shown": "True positive rate"})
    return vega.layers(
        vega.diagonal(0.0, 1.0),
        {"data": {"values": values}, "mark": vega.mark("line", order=True, strokeWidth=2),
         "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash}},
        {"data": {"values": values}, "mark": vega.mark("point", opacity=0, size=80),
         "encoding": {"x": x, "y": y, "color": colour, **told}},
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
    x, y = vega.share("x", "confidence"), vega.share("y", "accuracy")
    size = {"field": "n", "type": "quantitative", "legend": None, "scale": {"range": [30, 200]}}
    hint = vega.hint(**{"x shown": "Confidence", "shown": "Accuracy", "n shown": "Rows"})
    places = {"x": x, "color": CERTAIN}
    return vega.layers(
        vega.diagonal(0.0, 1.0),
        {"data": {"values": values}, "mark": vega.mark("rule"),
         "encoding": {**places, "y": y | {"field": "low"}, "y2": {"field": "high"}}},
        {"data": {"values": values}, "mark": vega.mark("point", filled=True, opacity=1),
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
    x = vega.axis("x", visible(found.along), zero=False)
    y = vega.axis("y", "", unit, zero=False)
    x["axis"]["tickCount"] = 6
    y["axis"]["title"] = wrap(visible(found.asks), LINE)  # a longer title would stand beside the chart, and shrink it
    hint = vega.hint(at="At", shown="Estimate [95\u202f% interval]")
    drawn: list[Spec] = [
        {"mark": vega.mark("area", opacity=0.13),
         "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": CERTAIN}},
        {"mark": vega.mark("line", strokeWidth=2), "encoding": {"x": x, "y": y, "color": CERTAIN}},
        {"mark": vega.mark("point", filled=True, size=55, opacity=1),
         "encoding": {"x": x, "y": y, "color": CERTAIN, **hint}},
    ]  # fmt: skip
    return vega.layers(*({"data": {"values": values}, **each} for each in drawn))


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
        "mark": vega.mark("tick", thickness=1.5, size=14, opacity=0.55, yOffset=9),
        "encoding": {"y": vega.names(), "x": vega.axis("x", "", unit), "color": {"value": MUTED},
                     **vega.hint(name="Method", row="Row", shown="On this row")},
    }  # fmt: skip
    return _intervals(frame, unit, ticks, step=44)


def _errors(bundle: Bundle, one: str) -> Spec:
    found = reading.distribution(bundle, sliced.name(bundle, one))
    tolerance = getattr(bundle.manifest.task, "tolerance", None)
    values = [
        {"x": float(start), "end": float(end), "y": int(n), "at": interval(start, end, "signed"), "n": count(n)}
        for start, end, n in found[["from", "to", "n"]].itertuples(index=False)
    ]
    x, y = vega.axis("x", "error: answer minus label"), vega.axis("y", "rows", zero=True)
    bars: Spec = {
        "data": {"values": values},
        "mark": vega.mark("bar", opacity=0.85),
        "encoding": {
            **{"x": x, "x2": {"field": "end"}, "y": y, "color": CERTAIN},
            **vega.hint(at="Error", n="Rows"),
        },
    }
    lines = [vega.rule({"x": {"datum": side}}) for side in ((-tolerance, tolerance) if tolerance is not None else ())]
    return vega.layers(bars, vega.rule({"x": {"datum": 0}}, dashed=False), *lines)


def _predicted(bundle: Bundle, one: str) -> Spec | None:
    name = sliced.name(bundle, one)
    found = reading.errors(bundle, name)[["label", "answer"]].astype(float).dropna()
    if found.empty or len(found) > MOST or not np.isfinite(found).all(axis=None):
        return None
    values = vega.pairs(found.itertuples(index=False), "number")
    said = f": {visible(name)}" if name else ""
    places = {"x": vega.axis("x", f"label{said}", zero=False), "y": vega.axis("y", f"answer{said}", zero=False)}
    return vega.layers(
        vega.diagonal(float(found.min().min()), float(found.max().max())),
        {"data": {"values": values}, "mark": vega.mark("point", filled=True, size=22, opacity=0.6),
         "encoding": {**places, "color": CERTAIN, **vega.hint(**{"x shown": "Label", "y shown": "Answer"})}},
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
    "roc_by": _roc_by,
    "waterfall": valued.waterfall,
    "beeswarm": valued.beeswarm,
    "moved": ordered.moved,
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
    colour, dash = vega.by_name(names, COLOURS), vega.by_name(names, DASHES)
    hint = vega.hint(series="Curve", at="At", shown="Share [95\u202f% interval]")
    points: Spec = {"mark": vega.mark("point", filled=True, size=55, opacity=1 if marked else 0), "encoding": {**hint}}
    points["encoding"] |= {"x": x, "y": y, "color": colour} | ({"shape": vega.by_name(names, SHAPES)} if marked else {})
    drawn: list[Spec] = [
        {"mark": vega.mark("area", opacity=0.13),
         "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": colour}},
        {"mark": vega.mark("line", strokeWidth=2), "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash}},
        points,
    ]  # fmt: skip
    return vega.layers(*({"data": {"values": values}, **each} for each in drawn), *rules)


def _intervals(frame: pd.DataFrame, unit: Unit, *below: Spec, step: int = 26) -> Spec:
    """For each name a dot at the estimate and a line over its interval, the first name on top."""
    values: list[Spec] = []
    for line in frame.to_dict("records"):
        shown = str(estimate(line["value"], line["low"], line["high"], unit))
        n = f"  n={count(line['n'])}" if line.get("n") is not None else ""
        there: Spec = {key: float(line[key]) if defined(line[key]) else None for key in ("value", "low", "high")}
        few = bool(line.get("small", False))
        values.append({"name": f"{visible(line['name'])}{n}", "shown": shown, "few": few, "x": there["value"], **there})
    ends = [each[key] for each in values for key in ("low", "high", "value") if each[key] is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = 0.03 * (high - low or 1.0)
    x = vega.axis("x", "", unit, domain=[low - room, high + room], nice=False)
    x["axis"]["tickCount"] = 6
    zero = [] if unit == "share" else [vega.rule({"x": {"datum": 0}}, dashed=False)]
    colour = {"condition": {"test": "datum.few", "value": MUTED}, **CERTAIN}
    over = {"y": vega.names(), "color": colour, **vega.hint(name="Of", shown="Estimate [95\u202f% interval]")}
    dash = {"condition": {"test": "datum.few", "value": [2, 2]}, "value": [1, 0]}
    opacity = {"condition": {"test": "datum.few", "value": 0}, "value": 1}
    up = -6 if below else 0
    return vega.layers(
        {"data": {"values": values}, "mark": vega.mark("rule", strokeWidth=2, yOffset=up),
         "encoding": {**over, "x": x | {"field": "low"}, "x2": {"field": "high"}, "strokeDash": dash}},
        {"data": {"values": values}, "mark": vega.mark("point", filled=False, size=60, strokeWidth=2, yOffset=up),
         "encoding": {**over, "x": x, "fill": colour, "fillOpacity": opacity}},
        *below,
        *zero,
        encodings=("x",), height=step * max(len(values), 2) + 64,
    )  # fmt: skip
