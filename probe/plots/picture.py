"""Pictures: an input as it is, and Axes that hold one."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from probe.plots.canvas import blank
from probe.plots.style import INK, MUTED, NORMAL, plain


def picture(image: ArrayLike, *, title: str = "", ax: Axes | None = None) -> Axes:
    """An image as the model gets it: grey (height, width) or colour (height, width, 3)."""
    ax = blank(1.5, 2.0) if ax is None else ax
    pixels = np.asarray(image, dtype=float)
    low, high = min(float(pixels.min()), 0.0), max(float(pixels.max()), 1.0)
    ax.imshow((pixels - low) / (high - low), cmap="gray", vmin=0, vmax=1, interpolation="none")
    return frame(ax, title)


def frame(ax: Axes, title: str) -> Axes:
    """Axes of a picture: no ticks, a hairline around it."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_anchor("N")  # so that pictures beside each other hang from one line
    for spine in ax.spines.values():
        spine.set(visible=True, color=MUTED, linewidth=0.7)
    if title:
        ax.set_title(plain(title), fontsize=NORMAL, color=INK, loc="left", pad=5)
    return ax
