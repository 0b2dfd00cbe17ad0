"""What charts that can be zoomed are made of, as Vega-Lite. What a part names by itself is a constant."""

from collections.abc import Iterable, Sequence
from typing import Any

from probe.formatting import Unit, number
from probe.palette import CATEGORIES, MUTED

Spec = dict[str, Any]
TALL, SQUARE = 360, 400  # height of a chart, in pixels
COLOURS = [*CATEGORIES[:6], "#A6761D", MUTED]  # readable on white and on black
DASHES = [[1, 0], [6, 3], [7, 3, 2, 3], [2, 2]]
CERTAIN, TRIED = {"value": COLOURS[0]}, {"value": COLOURS[5]}
PERCENT = "format(100 * datum.value, '.4~g') + '\u202f%'"
WRITTEN = {"share": PERCENT, "points": PERCENT.replace("%'", "pp'"), "number": "", "signed": ""}


def layers(*layers: Spec, encodings: Sequence[str] = ("x", "y"), height: int = TALL) -> Spec:
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


def mark(kind: str, **look: Any) -> Spec:
    """A mark, clipped to the axes."""
    # Clipped, as what is zoomed away would lie over the axes. Read as a whole by its description, not mark by mark.
    return {"type": kind, "clip": True, "aria": False, **look}


def rule(at: Spec, *, dashed: bool = True) -> Spec:
    """A line at a place."""
    return {
        "data": {"values": [{}]},
        "mark": mark("rule", color=MUTED, strokeWidth=1.5, strokeDash=[3, 3] if dashed else [1, 0]),
        "encoding": at,
    }


def diagonal(start: float, end: float) -> Spec:
    """A dashed line where both coordinates are equal."""
    ends = [{"x": start, "y": start}, {"x": end, "y": end}]
    places = {key: {"field": key, "type": "quantitative"} for key in ("x", "y")}
    return {"data": {"values": ends}, "mark": mark("line", color=MUTED, strokeDash=[4, 3]), "encoding": places}


def axis(field: str, title: str, unit: Unit = "number", **scale: Any) -> Spec:
    """A quantitative coordinate with its title and unit."""
    axis: Spec = {"title": title or None, "labelFlush": False} | ({"labelExpr": WRITTEN[unit]} if WRITTEN[unit] else {})
    return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}


def share(field: str, title: str) -> Spec:
    """A coordinate from 0 to 1."""
    return axis(field, title, "share", domain=[-0.02, 1.02], nice=False)


def names() -> Spec:
    """A coordinate of names, in their order."""
    axis = {"title": None, "labelLimit": 260, "labelFlush": False, "ticks": False, "domain": False}
    return {"field": "name", "type": "nominal", "sort": None, "axis": axis}


def pairs(pairs: Iterable[tuple[Any, Any]], unit: Unit) -> list[Spec]:
    """Points, with their numbers as they are shown."""
    return [{"x": float(x), "y": float(y), "x shown": number(x, unit), "y shown": number(y, unit)} for x, y in pairs]


def hint(**titles: str) -> Spec:
    """What is shown where a pointer rests: fields by title."""
    return {"tooltip": [{"field": field, "type": "nominal", "title": title} for field, title in titles.items()]}


def by_name(names: Sequence[str], range_: Sequence[Any]) -> Spec:
    """Curves told apart by their names, over and over from the start of a range; their legend stands below."""
    legend = {
        "title": None,
        "orient": "bottom",
        "columns": 3,
        "labelLimit": 200,
        "symbolStrokeWidth": 2,
        "symbolOpacity": 1,
    }
    cycle = [range_[index % len(range_)] for index in range(len(names))]
    return {"field": "series", "type": "nominal", "legend": legend, "scale": {"domain": [*names], "range": cycle}}
