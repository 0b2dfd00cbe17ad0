"""One function per figure: arrays in, Axes out; texts as HTML. They need only numpy and matplotlib."""

from probe.plots.answers import errors, predicted, roc, roc_by, thresholds
from probe.plots.bars import bars, shared_order, whiskers
from probe.plots.beeswarm import beeswarm
from probe.plots.canvas import new_axes, to_png, to_svg
from probe.plots.cells import cells
from probe.plots.curves import Curve, along, learning, reliability, robustness
from probe.plots.drawers import Drawer, Example, Values, drawer_of
from probe.plots.graph import edge_changes, graph, symmetrise
from probe.plots.heatmap import heatmap, pixel_map
from probe.plots.intervals import forest
from probe.plots.moved import moved
from probe.plots.perturbation import before_and_after
from probe.plots.picture import channels_last, image
from probe.plots.sentence import text_diff, text_heatmap
from probe.plots.series import Scale, series, series_change
from probe.plots.signed import reach
from probe.plots.spread import spread
from probe.plots.waterfall import steps, waterfall

__all__ = [
    "Curve",
    "Drawer",
    "Example",
    "Scale",
    "Values",
    "along",
    "bars",
    "beeswarm",
    "before_and_after",
    "cells",
    "channels_last",
    "drawer_of",
    "edge_changes",
    "errors",
    "forest",
    "graph",
    "heatmap",
    "image",
    "learning",
    "moved",
    "new_axes",
    "pixel_map",
    "predicted",
    "reach",
    "reliability",
    "robustness",
    "roc",
    "roc_by",
    "series",
    "series_change",
    "shared_order",
    "spread",
    "steps",
    "symmetrise",
    "text_diff",
    "text_heatmap",
    "thresholds",
    "to_png",
    "to_svg",
    "waterfall",
    "whiskers",
]
