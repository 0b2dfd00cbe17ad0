"""Forest plots: estimates with intervals."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from probe.formatting import Unit
from probe.palette import CATEGORIES, INK, MUTED
from probe.plots.canvas import new_axes
from probe.plots.style import SMALL, safe_labels, set_title, style_axes


def forest(  # noqa: PLR0913 - columns of one table, then settings by name
    names: Sequence[object],
    values: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    counts: ArrayLike | None = None,
    faint: ArrayLike | None = None,
    threshold: float | None = None,
    unit: Unit = "share",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A forest plot: per name a dot at the estimate and a line over its interval, the first name on top.

    Args:
        names: one per row.
        values: estimates; NaN is shown as undefined.
        low: lower ends of the intervals.
        high: upper ends.
        counts: the sample size of each estimate, shown after the name.
        faint: True for rows that are shown but not compared, such as small groups; they are hollow and dashed.
        threshold: position of a vertical line.
        unit: of the values; shares are drawn from 0 %, and differences of shares in percentage points.
        title: drawn above.
        ax: where to draw; by default new Axes.

    >>> ax = forest(["women", "men"], [0.4, 0.5], low=[0.3, 0.4], high=[0.5, 0.6])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['women', 'men']
    """
    y, lower, upper = (np.asarray(part, dtype=float) for part in (values, low, high))
    hollow = np.zeros(len(y), dtype=bool) if faint is None else np.asarray(faint, dtype=bool)
    labels = safe_labels(names, 28)
    if counts is not None:
        labels = [f"{label}  n={int(n):,}" for label, n in zip(labels, np.asarray(counts), strict=True)]
    ax = style_axes(new_axes(3.9, 0.72 + 0.24 * max(len(labels), 2)) if ax is None else ax, grid="x")
    if threshold is not None:
        ax.axvline(threshold, color=CATEGORIES[5], linewidth=1.2, linestyle=(0, (4, 2)), zorder=1)
    at = np.arange(len(labels))
    for row, (value, start, end, open_) in enumerate(zip(y, lower, upper, hollow, strict=True)):
        colour = MUTED if open_ else CATEGORIES[0]
        if np.isnan(value):
            ax.annotate(
                "undefined", (0.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=SMALL, color=MUTED
            )
            continue
        ax.plot([start, end], [row, row], color=colour, linewidth=1.6, linestyle=":" if open_ else "-")
        ax.plot([value], [row], marker="o", markersize=5.5, color=colour, markerfacecolor="none" if open_ else colour)
    ax.set_yticks(at, labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    if unit == "share":
        # From 0, and no further than the intervals reach.
        reach = max(0.2, min(1.0, np.ceil(10 * np.nanmax(np.append(upper, 0.0)) + 0.2) / 10))
        ax.set_xlim(-0.02 * reach, 1.02 * reach)
        ax.locator_params(axis="x", nbins=6)
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    else:
        ax.axvline(0, color=INK, linewidth=0.8, alpha=0.6, zorder=1)
        ax.locator_params(axis="x", nbins=5)
        if unit == "points":
            ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None, symbol=" pp"))
    set_title(ax, title, 60)
    return ax
