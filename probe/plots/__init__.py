"""One function per figure: arrays in, Axes out; texts as HTML. They know numpy and matplotlib, no other room."""

from probe.plots.bars import bars, shared_order
from probe.plots.canvas import blank, to_png, to_svg
from probe.plots.curves import Curve, learning, reliability, robustness
from probe.plots.drawers import Drawer, Example, Values, drawer_of
from probe.plots.graph import both_places, graph, rewired
from probe.plots.heatmap import heatmap, pixel_map
from probe.plots.intervals import forest
from probe.plots.perturbation import before_and_after
from probe.plots.picture import channels_last, picture
from probe.plots.sentence import edited, shaded
from probe.plots.series import Scale, series, series_change
from probe.plots.signed import reach

__all__ = [
    "Curve",
    "Drawer",
    "Example",
    "Scale",
    "Values",
    "bars",
    "before_and_after",
    "blank",
    "both_places",
    "channels_last",
    "drawer_of",
    "edited",
    "forest",
    "graph",
    "heatmap",
    "learning",
    "picture",
    "pixel_map",
    "reach",
    "reliability",
    "rewired",
    "robustness",
    "series",
    "series_change",
    "shaded",
    "shared_order",
    "to_png",
    "to_svg",
]
