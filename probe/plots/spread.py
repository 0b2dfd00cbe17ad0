"""How a number spreads over many examples, method beside method."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from probe.palette import CATEGORIES, INK, MUTED
from probe.plots.canvas import new_axes
from probe.plots.style import safe_labels, set_title, style_axes

LANES = 9  # places across a row on which dots that would overlap are put
CELLS = 60  # stretches of the axis within which dots overlap


def spread(
    names: Sequence[object],
    values: Sequence[ArrayLike],
    intervals: ArrayLike,
    *,
    threshold: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A row per name: a faint dot for each example, above them the estimate over all with its interval.

    Args:
        names: one per row, the first on top.
        values: of each name one number per example; those that are not finite are left out.
        intervals: of each name the estimate, the lower and the upper end, (names, 3).
        threshold: where a line is drawn.
        title: drawn above.
        ax: where to draw; Axes of their own unless given.

    Example:
        >>> ax = spread(["a", "b"], [[0.1, 0.2], [0.3, 0.1]], [[0.15, 0.1, 0.2], [0.2, 0.0, 0.4]])
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['a', 'b']
    """
    ax = style_axes(new_axes(4.8, 0.72 + 0.42 * max(len(names), 2)) if ax is None else ax, grid="x")
    dots = [np.asarray(each, dtype=float)[np.isfinite(np.asarray(each, dtype=float))] for each in values]
    together = np.concatenate([*dots, np.zeros(0)])
    wide = float(np.ptp(together)) / CELLS if len(together) else 0.0
    ax.axvline(0, color=INK, linewidth=0.8, alpha=0.6, zorder=1)
    if threshold is not None:
        ax.axvline(threshold, color=CATEGORIES[5], linewidth=1.2, linestyle=(0, (4, 2)), zorder=1)
    for row, (each, (value, low, high)) in enumerate(zip(dots, np.asarray(intervals, dtype=float), strict=True)):
        ax.scatter(
            each, row + 0.12 + lanes(each, wide) * 0.32 / LANES, s=7, color=MUTED, alpha=0.45, linewidths=0, zorder=2
        )
        ax.plot([low, high], [row - 0.2, row - 0.2], color=CATEGORIES[0], linewidth=1.8, zorder=3)
        ax.plot([value], [row - 0.2], marker="o", markersize=5.5, color=CATEGORIES[0], zorder=3)
    ax.set_yticks(np.arange(len(names)), safe_labels(names, 28))
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.locator_params(axis="x", nbins=6)
    set_title(ax, title, 60)
    return ax


def lanes(values: NDArray[np.float64], wide: float) -> NDArray[np.float64]:
    """The lane of each dot along its row, from 0, so that few hide others. The same values always lie alike."""
    cells = np.floor(values / wide) if wide > 0 else np.zeros(len(values))
    order = np.argsort(cells, kind="stable")
    _, starts, counts = np.unique(cells[order], return_index=True, return_counts=True)
    within = np.empty(len(values))
    within[order] = np.arange(len(values)) - np.repeat(starts, counts)
    return within % LANES
