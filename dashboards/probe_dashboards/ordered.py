"""A chart that can be zoomed of the output as features are removed or added, in the order of each explainer."""

import numpy as np

from probe.audit import Bundle
from probe.formatting import number
from probe.palette import MUTED
from probe.plots.moved import RANDOM, by_chance
from probe.text import visible
from probe_dashboards import vega
from probe_dashboards.vega import Spec
from probe_dashboards.views import curved

MOST = 5000  # points that are sent to the browser; figures of more are static


def moved(bundle: Bundle, metric: str, row: str = "") -> Spec | None:
    """The curves of all methods over one pair of axes, and dotted those of random orders."""
    found = curved.drawn(bundle, metric, int(row) if row else None)
    curves = {name: (each["share"], each["own"], each["random"]) for name, each in found.items()}
    lines = [(visible(name), share, own) for name, (share, own, _) in curves.items()]
    chance = [(f"{RANDOM} {at}", *each) for at, each in enumerate(by_chance(curves))]
    if sum(len(share) for _, share, _ in lines + chance) > MOST:
        return None
    names = [name for name, *_ in lines]
    x = vega.share("x", f"share of features {curved.how(bundle, metric)}")
    y = vega.axis("y", "output", zero=False)
    colour, dash = vega.by_name(names, vega.COLOURS), vega.by_name(names, vega.DASHES)
    told = vega.hint(series="Order", at="Share of features", shown="Output")
    own, random = ({"data": {"values": [p for line in each for p in _points(*line)]}} for each in (lines, chance))
    return vega.layers(
        {**own, "mark": vega.mark("line", order=True, strokeWidth=2),
         "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash}},
        {**random, "mark": vega.mark("line", order=True, strokeWidth=1.5, strokeDash=[2, 3], color=MUTED),
         "encoding": {"x": x, "y": y, "detail": {"field": "series", "type": "nominal"}}},
        {**own, "mark": vega.mark("point", filled=True, opacity=0, size=80),
         "encoding": {"x": x, "y": y, "color": colour, **told}},
    )  # fmt: skip


def _points(series: str, share: np.ndarray, output: np.ndarray) -> list[Spec]:
    return [
        {"series": series, "x": float(at), "y": float(value), "at": number(at, "share"), "shown": number(value)}
        for at, value in zip(np.asarray(share), np.asarray(output), strict=True)
        if np.isfinite([at, value]).all()
    ]
