"""One function per figure: arrays in, Axes out. They know numpy and matplotlib, and nothing else of probe."""

from probe.plots.attribution import bars, heatmap
from probe.plots.canvas import blank, to_png, to_svg
from probe.plots.curves import Curve, learning, reliability, robustness
from probe.plots.intervals import forest
from probe.plots.perturbation import before_and_after
from probe.plots.picture import picture

__all__ = [
    "Curve",
    "bars",
    "before_and_after",
    "blank",
    "forest",
    "heatmap",
    "learning",
    "picture",
    "reliability",
    "robustness",
    "to_png",
    "to_svg",
]
