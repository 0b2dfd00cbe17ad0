"""Answers beside labels: what each threshold gives, and how far off numbers are."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from probe.palette import CATEGORIES, INK, LINES, MUTED
from probe.plots.canvas import new_axes
from probe.plots.curves import Curve
from probe.plots.style import NORMAL, SMALL, safe_label, style_axes

FEW = 500  # points that are drawn one by one; more are counted in cells


def roc(fpr: ArrayLike, tpr: ArrayLike, *, at: tuple[float, float] | None = None, ax: Axes | None = None) -> Axes:
    """True against false positive rate at all thresholds; on the diagonal a score says nothing.

    Args:
        fpr: false positive rates, growing.
        tpr: true positive rates at the same thresholds.
        at: the two rates of the model's own threshold, drawn as a dot.
        ax: where to draw; Axes of their own unless given.

    Example:
        >>> roc([0, 0.5, 1], [0, 0.9, 1]).get_xlabel()
        'false positive rate'
    """
    ax = style_axes(new_axes(3.7, 3.4) if ax is None else ax)
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle="--")
    ax.plot(np.asarray(fpr, dtype=float), np.asarray(tpr, dtype=float), color=CATEGORIES[0], linewidth=1.7)
    if at is not None:
        ax.plot([at[0]], [at[1]], marker="o", markersize=6.5, color=CATEGORIES[5], linestyle="none", clip_on=False)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    return _shares(ax, "false positive rate", "true positive rate")


def roc_by(curves: Mapping[str, tuple[ArrayLike, ArrayLike]], *, ax: Axes | None = None) -> Axes:
    """True against false positive rate of several groups.

    Args:
        curves: by name of the group; false and true positive rates, growing.
        ax: where to draw; Axes of their own unless given.

    Example:
        >>> [line.get_label() for line in roc_by({"women": ([0, 1], [0, 1])}).get_lines()][1:]
        ['women']
    """
    ax = style_axes(new_axes(4.8, 4.0) if ax is None else ax)
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle="--")
    for index, (name, (fpr, tpr)) in enumerate(curves.items()):
        colour, dash = CATEGORIES[index % len(CATEGORIES)], LINES[index % len(LINES)]
        x, y = np.asarray(fpr, dtype=float), np.asarray(tpr, dtype=float)
        ax.plot(x, y, color=colour, linestyle=dash, linewidth=1.7, label=safe_label(name))
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    if curves:
        ax.legend(fontsize=SMALL, labelcolor=INK, frameon=False, loc="lower right", handlelength=2.6)
    return _shares(ax, "false positive rate", "true positive rate")


def thresholds(curves: Mapping[str, Curve], *, at: float | None = None, ax: Axes | None = None) -> Axes:
    """Rates against the threshold, with their intervals as bands.

    Args:
        curves: by name of the rate; x is the threshold.
        at: the threshold in use, drawn as a line.
        ax: where to draw; Axes of their own unless given.

    Example:
        >>> thresholds({"recall": Curve([0.2, 0.8], [0.9, 0.4], [0.8, 0.3], [1.0, 0.5])}, at=0.5).get_xlabel()
        'threshold'
    """
    ax = style_axes(new_axes(4.8, 3.1) if ax is None else ax)
    for index, (name, curve) in enumerate(curves.items()):
        x, y, low, high = (np.asarray(part, dtype=float) for part in curve)
        colour = CATEGORIES[index % len(CATEGORIES)]
        ax.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
        ax.plot(x, y, color=colour, linestyle=LINES[index % len(LINES)], linewidth=1.7, label=safe_label(name))
    if at is not None:
        ax.axvline(at, color=INK, linewidth=1.0, linestyle=(0, (2, 2)), alpha=0.7)
    ax.set(xlim=(0, 1), ylim=(-0.02, 1.02))
    ax.legend(fontsize=SMALL, labelcolor=INK, frameon=False, loc="best", handlelength=2.6)
    return _shares(ax, "threshold", "share")


def errors(edges: ArrayLike, counts: ArrayLike, *, tolerance: float | None = None, ax: Axes | None = None) -> Axes:
    """How many errors lie in each bin.

    Args:
        edges: of the bins, one more than there are bins.
        counts: examples of each bin.
        tolerance: up to which an error is none, drawn as lines on both sides of 0.
        ax: where to draw; Axes of their own unless given.

    Example:
        >>> errors([-1, 0, 1], [3, 5]).get_ylabel()
        'rows'
    """
    ax = style_axes(new_axes(4.4, 2.8) if ax is None else ax, grid="y")
    ends, heights = np.asarray(edges, dtype=float), np.asarray(counts, dtype=float)
    ax.bar(ends[:-1], heights, np.diff(ends), align="edge", color=CATEGORIES[0], edgecolor="none", alpha=0.85)
    ax.axvline(0, color=INK, linewidth=1.0)
    for side in (-tolerance, tolerance) if tolerance is not None else ():
        ax.axvline(side, color=CATEGORIES[5], linewidth=1.2, linestyle=(0, (4, 2)))
    return _labelled(ax, "error: answer minus label", "rows")


def predicted(labels: ArrayLike, answers: ArrayLike, *, name: str = "", ax: Axes | None = None) -> Axes:
    """Answers against labels; on the diagonal they are right. Many are counted in cells, of which darker hold more.

    Args:
        labels: one number per example.
        answers: to the same examples.
        name: of what is answered.
        ax: where to draw; Axes of their own unless given.

    Example:
        >>> predicted([1.0, 2.0], [1.1, 1.8], name="price").get_xlabel()
        'label: price'
    """
    ax = style_axes(new_axes(3.7, 3.4) if ax is None else ax)
    x, y = np.asarray(labels, dtype=float), np.asarray(answers, dtype=float)
    ends = [min(x.min(initial=np.inf), y.min(initial=np.inf)), max(x.max(initial=-np.inf), y.max(initial=-np.inf))]
    if np.isfinite(ends).all():
        ax.plot(ends, ends, color=MUTED, linewidth=1.0, linestyle="--")
    if len(x) > FEW:
        ax.hexbin(x, y, gridsize=28, bins="log", mincnt=1, cmap="Blues", linewidths=0)
    else:
        ax.scatter(x, y, s=11, color=CATEGORIES[0], alpha=0.75, linewidths=0)
    said = f": {safe_label(name, 24)}" if name else ""
    return _labelled(ax, f"label{said}", f"answer{said}")


def _shares(ax: Axes, below: str, beside: str) -> Axes:
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return _labelled(ax, below, beside)


def _labelled(ax: Axes, below: str, beside: str) -> Axes:
    ax.set_xlabel(below, fontsize=NORMAL, color=INK)
    ax.set_ylabel(beside, fontsize=NORMAL, color=INK)
    return ax
