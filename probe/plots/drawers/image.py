"""Drawings of images: a heat map over the image, and the image before and after an attack."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes

from probe.formatting import MINUS, digits
from probe.plots.drawers.drawer import Array, Drawer, Example, Values
from probe.plots.heatmap import border, heatmap, pixel_map
from probe.plots.perturbation import before_and_after
from probe.plots.picture import channels_last, image
from probe.plots.signed import reach


@dataclass(frozen=True, kw_only=True)
class ImageDrawer(Drawer):
    """Draws an image, channels first."""

    form: ClassVar[str] = "image"
    shown_alone: ClassVar[bool] = True
    borders: ClassVar[bool] = True
    size: ClassVar[str] = "small"
    pixels: ClassVar[tuple[int, int, int]] = (280, 200, 620)
    alt: ClassVar[str] = "Heat map of {method}"
    legend: ClassVar[str] = (
        "Each map has a scale of its own, written below it: 0 is white or clear, and where the scale says at least, "
        "the 1 % of the pixels beyond it share the darkest shade. Groups of pixels are coloured by the value of the "
        "group."
    )
    attacked_alt: ClassVar[str] = "before and after {attack}, and the change, amplified"
    attacked_legend: ClassVar[str] = "The change is amplified as its label says: red is brighter, blue darker."

    def input(self, example: Example, *, title: str = "", ax: Axes | None = None) -> Axes:
        return image(channels_last(example.inputs), title=title, ax=ax)

    def explained(self, example: Example, values: Values, *, title: str = "", ax: Axes | None = None) -> Axes:
        image = channels_last(example.inputs)
        limit = values.limit
        ax = heatmap(values.by_number, image, features=example.features, limit=limit, title=title, ax=ax)
        if example.truth is not None:
            border(ax, example.truth)
        return ax

    def attacked(
        self, before: Example, after: Example, moved: Array, *, title: str = "", ax: Axes | None = None
    ) -> Axes:
        return before_and_after(channels_last(before.inputs), channels_last(after.inputs), title=title, ax=ax)

    def reach(self, example: Example, values: Values) -> float:
        return reach(pixel_map(values.by_number, example.features))

    def key(self, example: Example, values: Values) -> str:
        shown = pixel_map(values.by_number, example.features)
        limit = values.limit or reach(shown)
        if np.abs(shown).max(initial=0.0) > limit * (1 + 1e-9):
            return f"darkest where ≤ {MINUS}{digits(limit, 2)} or ≥ +{digits(limit, 2)}"
        return f"darkest at \N{PLUS-MINUS SIGN}{digits(limit, 2)}"
