"""Figures of adversarial images."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from probe.formatting import TIMES
from probe.palette import INK, MUTED, SIGNED
from probe.plots.canvas import new_axes
from probe.plots.picture import frame
from probe.plots.style import SMALL


def before_and_after(
    before: ArrayLike, after: ArrayLike, *, gain: float | None = None, title: str = "", ax: Axes | None = None
) -> Axes:
    """An image, the attacked image, and their difference, amplified as its label says.

    For colour images, the difference at each pixel is that of the channel that changed most.

    Args:
        before: (height, width), or (height, width, 3) in colour.
        after: the same shape.
        gain: factor of the difference; by default its largest value fills about half of the scale.
        title: drawn above.
        ax: where to draw; by default new Axes.
    """
    ax = new_axes(4.6, 1.9) if ax is None else ax
    clean, attacked = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    change = attacked - clean
    if change.ndim == 3:  # the channel that changed most: a mean would hide changes that cancel
        change = np.take_along_axis(change, np.abs(change).argmax(-1)[..., None], -1)[..., 0]
    low, high = float(min(clean.min(), attacked.min(), 0.0)), float(max(clean.max(), attacked.max(), 1.0))
    height, width = change.shape
    step = width * 1.06
    span = high - low
    if gain is None:
        gain = 0.6 * span / float(np.abs(change).max()) if change.any() else 1.0
        gain = float(f"{gain:.1g}") if gain < 1000 else 1000.0
    panels = [
        ("before", clean, "gray", low, high),
        ("after", attacked, "gray", low, high),
        (f"change {TIMES} {gain:g}", change * gain, SIGNED, -span, span),
    ]
    for index, (label, pixels, colours, bottom, top) in enumerate(panels):
        left = index * step
        extent = (left - 0.5, left + width - 0.5, height - 0.5, -0.5)
        shown = np.clip(pixels, low, high) if pixels.ndim == 3 else pixels
        ax.imshow(shown, cmap=colours, vmin=bottom, vmax=top, interpolation="none", extent=extent)
        ax.plot(
            np.array([0, 1, 1, 0, 0]) * width + left - 0.5, np.array([0, 0, 1, 1, 0]) * height - 0.5,
            color=MUTED, linewidth=0.7,
        )  # fmt: skip
        ax.annotate(
            label, (left + width / 2 - 0.5, height - 0.5), (0, -4), textcoords="offset points",
            ha="center", va="top", fontsize=SMALL, color=INK, annotation_clip=False,
        )  # fmt: skip
    frame(ax, title)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set(xlim=(-0.5 - 0.02 * width, 2 * step + width - 0.5 + 0.02 * width), ylim=(height - 0.48, -0.52))
    return ax
