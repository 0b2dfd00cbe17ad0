"""Attributions of many examples, feature beside feature."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import ArrayLike

from probe.palette import CATEGORIES, INK, MUTED
from probe.plots.canvas import new_axes
from probe.plots.spread import CELLS, LANES, lanes
from probe.plots.style import SMALL, safe_labels, set_title, style_axes

LEVELS = LinearSegmentedColormap.from_list("levels", [CATEGORIES[0], MUTED, CATEGORIES[1]])  # low, middle, high


def beeswarm(
    names: Sequence[object],
    values: ArrayLike,
    levels: ArrayLike | None = None,
    *,
    top: int | Sequence[int] = 10,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A row of dots for each feature, a dot for each example: right of the line supports the target, left opposes it.

    Args:
        names: one per feature.
        values: attributions, (examples, features).
        levels: how high the example's own number is among the examples, from 0 to 1: blue is low, orange high; grey
            where it is NaN, as of a category, and where none are given.
        top: how many features to draw, by their mean absolute value, or their indices in order.
        title: drawn above.
        ax: where to draw; by default new Axes.

    >>> ax = beeswarm(["age", "income"], [[0.5, -2.0], [0.1, 1.0]], [[0.0, 1.0], [1.0, 0.0]])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['income', 'age']
    """
    numbers = np.asarray(values, dtype=float)
    heights = np.full(numbers.shape, np.nan) if levels is None else np.asarray(levels, dtype=float)
    sizes = np.abs(numbers).mean(0) if len(numbers) else np.zeros(numbers.shape[1])
    listed = np.argsort(-sizes, kind="stable")[:top] if isinstance(top, int) else np.asarray(top, dtype=np.intp)
    ax = style_axes(new_axes(3.4, 0.8 + 0.3 * max(len(listed), 3)) if ax is None else ax, grid="x")
    ax.axvline(0, color=INK, linewidth=0.8)
    wide = float(np.ptp(numbers[:, listed])) / CELLS if numbers[:, listed].size else 0.0
    for row, feature in enumerate(listed):
        own, height = numbers[:, feature], heights[:, feature]
        known = np.isfinite(height)
        lane = lanes(own, wide)
        at = row + np.where(lane % 2, 0.5, -0.5) * np.ceil(lane / 2) * 1.4 / LANES  # by turns below and above the row
        ax.scatter(own[~known], at[~known], s=7, color=MUTED, linewidths=0, alpha=0.8)
        ax.scatter(own[known], at[known], s=7, c=height[known], cmap=LEVELS, vmin=0, vmax=1, linewidths=0, alpha=0.8)
    ax.set_yticks(np.arange(len(listed)), safe_labels([names[at] for at in listed], 22, among=names))
    ax.set_ylim(len(listed) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.locator_params(axis="x", nbins=5)
    if bool(np.isfinite(heights[:, listed]).any()):
        for place, (word, colour) in enumerate((("low", CATEGORIES[0]), ("high", CATEGORIES[1]))):
            ax.annotate(
                f"● {word}", (0.72 + 0.16 * place, 1.01), xycoords="axes fraction", fontsize=SMALL, color=colour
            )  # fmt: skip
    set_title(ax, title, 30)
    return ax
