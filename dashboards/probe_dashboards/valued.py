"""Charts of the values of features that can be zoomed: the steps of one row, and the values of all rows."""

import numpy as np

from probe import plots
from probe.audit import Bundle
from probe.formatting import number
from probe.palette import AGAINST, CATEGORIES, FOR, MUTED
from probe.plots.spread import CELLS, LANES, lanes
from probe.text import visible
from probe_dashboards import vega
from probe_dashboards.vega import Spec
from probe_dashboards.views import explained, together

MOST = 5000  # dots that are sent to the browser; figures of more are static
ENDS = ("without them", "output")  # what the two outputs are called
STEP, LANE = 26, 40  # height of a row, in pixels


def waterfall(bundle: Bundle, row: str, method: str) -> Spec:
    """Steps from the output without the features, at the bottom, to the output with them, at the top."""
    start, _ = together.ends(bundle, int(row), method)
    lengths = np.asarray(explained.by_feature(bundle, int(row), method), dtype=float)
    found = plots.steps(bundle.manifest.data.features, lengths, start, top=_listed(bundle, row))
    reached = float(start + lengths.sum())
    bars: list[Spec] = [
        {"name": visible(name), "x": before, "end": after, "right": max(before, after), "against": after < before,
         "shown": number(after - before, "signed"), "reached": number(after)}
        for name, before, after in found
    ]  # fmt: skip
    outputs: list[Spec] = [
        {"name": word, "x": place, "shown": number(place)} for word, place in ((ENDS[1], reached), (ENDS[0], start))
    ]
    sort = [ENDS[1], *(each["name"] for each in bars), ENDS[0]]
    y = vega.names() | {"sort": None, "scale": {"domain": sort}}
    places = [each["x"] for each in (*bars, *outputs)] + [each["end"] for each in bars]
    wide = max(places) - min(places) or 1.0
    x = vega.axis("x", "", domain=[min(places) - 0.05 * wide, max(places) + 0.2 * wide], nice=False)
    x["axis"]["tickCount"] = 5
    colour = {"condition": {"test": "datum.against", "value": AGAINST}, "value": FOR}
    words: Spec = {"text": {"field": "shown", "type": "nominal"}}
    beside = vega.mark("text", align="left", dx=5, fontSize=12)
    return vega.layers(
        {"data": {"values": bars}, "mark": vega.mark("bar", height=16),
         "encoding": {"y": y, "x": x, "x2": {"field": "end"}, "color": colour,
                      **vega.hint(name="Feature", shown="Value", reached="Output after it")}},
        {"data": {"values": bars}, "mark": beside, "encoding": {"y": y, "x": x | {"field": "right"}, **words}},
        {"data": {"values": outputs}, "mark": vega.mark("point", filled=True, size=60, opacity=1),
         "encoding": {"y": y, "x": x, "color": {"value": MUTED}, **vega.hint(name="Of", shown="Output")}},
        {"data": {"values": outputs}, "mark": beside, "encoding": {"y": y, "x": x, **words}},
        *(vega.rule({"x": {"datum": place}}) for place in (start, reached)),
        encodings=("x",), height=STEP * len(sort) + 40,
    )  # fmt: skip


def beeswarm(bundle: Bundle, method: str) -> Spec | None:
    """A row of dots for each feature, a dot for each explained row."""
    found, top = together.swarm(bundle, method), together.listed(bundle)
    numbers = found.values[:, top]
    if numbers.size > MOST or not np.isfinite(numbers).all():
        return None
    wide = float(np.ptp(numbers)) / CELLS if numbers.size else 0.0
    rows = bundle.arrays("instances")["rows"]
    titles = [visible(str(bundle.manifest.data.features[at])) for at in top]
    values = [
        {"name": title, "x": float(value), "lane": float(lane), "level": float(level) if level == level else None,
         "row": str(row), "shown": number(value, "signed")}
        for title, own, heights in zip(titles, numbers.T, found.levels[:, top].T, strict=True)
        for row, value, lane, level in zip(rows, own, lanes(own, wide), heights, strict=True)
    ]  # fmt: skip
    x = vega.axis("x", "", padding=8)
    x["axis"]["tickCount"] = 5
    side = "datum.lane % 2 ? ceil(datum.lane / 2) : -ceil(datum.lane / 2)"  # by turns below and above the row
    offset = {"field": "side", "type": "quantitative", "scale": {"domain": [-LANES, LANES]}}
    legend = {"title": None, "orient": "top", "values": [0, 1], "labelExpr": "datum.value ? 'high' : 'low'"}
    known = any(each["level"] is not None for each in values)
    scale = {"domain": [0, 1], "range": [CATEGORIES[0], MUTED, CATEGORIES[1]], "interpolate": "rgb"}
    level = {"field": "level", "type": "quantitative", "scale": scale, "legend": legend if known else None}
    dots: Spec = {
        "data": {"values": values},
        "transform": [{"calculate": side, "as": "side"}],
        "mark": vega.mark("point", filled=True, size=22, opacity=0.8),
        "encoding": {
            "y": vega.names() | {"scale": {"domain": titles}}, "x": x, "yOffset": offset,
            "color": {"condition": {"test": "datum.level === null", "value": MUTED}, **level},
            **vega.hint(name="Feature", row="Row", shown="Value"),
        },
    }  # fmt: skip
    return vega.layers(
        dots, vega.rule({"x": {"datum": 0}}, dashed=False), encodings=("x",), height=LANE * len(top) + 60
    )


def _listed(bundle: Bundle, row: str) -> list[int]:
    return list(explained.order(bundle, int(row))[: together.LISTED])
