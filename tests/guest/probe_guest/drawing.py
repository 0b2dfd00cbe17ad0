"""How the form is drawn, without torch: readers of bundles need no more of it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes

from probe.plots import new_axes
from probe.plots.drawers import Drawer, Example


@dataclass(frozen=True, kw_only=True)
class CompassDrawer(Drawer):
    """Arrows."""

    form: ClassVar[str] = "compass"
    changed: ClassVar[str] = "turned most"

    def input(self, example: Example, *, title: str = "", ax: Axes | None = None) -> Axes:
        ax = new_axes() if ax is None else ax
        angle = np.deg2rad(example.inputs.ravel())
        ax.quiver(np.zeros_like(angle), np.zeros_like(angle), np.sin(angle), np.cos(angle))
        ax.set_title(title)
        return ax
