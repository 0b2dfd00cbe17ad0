"""Curves: robust accuracy, reliability diagrams, what a model answers along a feature, and learning curves."""

from collections.abc import Mapping
from textwrap import wrap
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike

from probe.formatting import Unit, radius
from probe.palette import AGAINST, CATEGORIES, INK, MUTED
from probe.plots.canvas import new_axes
from probe.plots.style import NORMAL, SMALL, safe_label, series_style, set_title, style_axes

LINE = 40  # letters of a line of a label
LOG_SCALE_RATIO = 100.0  # ratio of the highest loss to the lowest above which the axis is logarithmic


class Curve(NamedTuple):
    """Estimates at increasing x, with their intervals."""

    x: ArrayLike
    y: ArrayLike
    low: ArrayLike
    high: ArrayLike


def robustness(
    curves: Mapping[str, Curve],
    *,
    threshold: tuple[float, float] | None = None,
    unit: str = "",
    labels: tuple[str, str] = ("radius of the attack", "accuracy"),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Robust accuracy, or certified accuracy, against the radius.

    Args:
        curves: by name of the attack or group; x is the radius, y a share.
        threshold: a radius, drawn as a cross unless it is NaN, and the required share, drawn as a line.
        unit: of the radius.
        labels: of the axes.
        title: drawn above.
        ax: where to draw; by default new Axes.
    """
    ax = style_axes(new_axes(4.6, 3.0) if ax is None else ax)
    radii = np.unique(np.concatenate([np.asarray(curve.x, dtype=float) for curve in curves.values()]))
    for index, (name, curve) in enumerate(curves.items()):
        x, y, low, high = (np.asarray(part, dtype=float) for part in curve)
        style = series_style(index)
        ax.fill_between(x, low, high, color=style["color"], alpha=0.13, linewidth=0)
        ax.plot(x, y, label=safe_label(name), linewidth=1.6, markersize=4.5, **style)  # type: ignore[arg-type]  # a dict of names
    if threshold is not None:
        at, share = threshold
        ax.axhline(share, color=INK, linewidth=1.0, linestyle=(0, (2, 2)), alpha=0.7)
        ax.plot([at], [share], marker="x", color=INK, markersize=7, markeredgewidth=1.6, linestyle="none")
        # Outside the axes, where no curve crosses it.
        ax.annotate(
            f"asked: {share:.0%}", (1.0, share), (3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="left", va="center", fontsize=SMALL, color=INK,
        )  # fmt: skip
    positive = radii[radii > 0]
    if len(positive) > 2 and positive.max() / positive.min() > 6:
        # Radii grow by factors: the scale is linear up to the smallest one, then logarithmic.
        ax.set_xscale("symlog", linthresh=float(positive.min()), linscale=0.5)
    ax.set_xticks(radii, list(map(radius, radii)))
    ax.minorticks_off()
    ax.set_ylim(-0.02, 1.02)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel(safe_label(f"{labels[0]}{f' ({unit})' if unit else ''}", 80), fontsize=NORMAL, color=INK)
    ax.set_ylabel(safe_label(labels[1], 80), fontsize=NORMAL, color=INK)
    ax.legend(fontsize=SMALL, labelcolor=INK, frameon=False, loc="best", handlelength=2.6)
    set_title(ax, title, 60)
    return ax


def along(  # noqa: PLR0913 - columns of one table, then settings by name
    places: ArrayLike,
    values: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    unit: Unit = "number",
    labels: tuple[str, str] = ("", ""),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """An estimate along the values of a feature, with the band of its intervals.

    Args:
        places: the values of the feature, in their order.
        values: estimates; the line is broken at NaN.
        low: lower ends of the intervals.
        high: upper ends.
        unit: of the estimates.
        labels: of the axes.
        title: drawn above.
        ax: where to draw; by default new Axes.

    >>> ax = along([20, 40, 60], [0.1, 0.3, 0.2], [0.0, 0.2, 0.1], [0.2, 0.4, 0.3], labels=("age", "probability"))
    >>> ax.get_lines()[0].get_ydata().tolist()
    [0.1, 0.3, 0.2]
    """
    ax = style_axes(new_axes(4.6, 3.0) if ax is None else ax)
    x, y, lower, upper = (np.asarray(part, dtype=float) for part in (places, values, low, high))
    ax.fill_between(x, lower, upper, color=CATEGORIES[0], alpha=0.13, linewidth=0)
    ax.plot(x, y, color=CATEGORIES[0], marker="o", markersize=4.5, linewidth=1.6)
    ax.locator_params(nbins=6)
    if unit in ("share", "points"):
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None, symbol="%" if unit == "share" else " pp"))
    for axis, label in zip((ax.xaxis, ax.yaxis), labels, strict=True):
        lines = wrap(safe_label(label, 2 * LINE), LINE)
        axis.set_label_text("\n".join(lines), fontsize=NORMAL, color=INK)
    set_title(ax, title, 60)
    return ax


def reliability(  # noqa: PLR0913 - columns of one table, then settings by name
    confidence: ArrayLike,
    accuracy: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    counts: ArrayLike,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Accuracy against confidence, one point per bin; on the diagonal the model is calibrated.

    Args:
        confidence: mean confidence of each bin.
        accuracy: share of each bin that is correct, with `low` and `high` of its interval.
        low: see accuracy.
        high: see accuracy.
        counts: examples in each bin; a larger dot holds more.
        title: drawn above.
        ax: where to draw; by default new Axes.
    """
    ax = style_axes(new_axes(3.7, 3.4) if ax is None else ax)
    x, y, lower, upper, n = (np.asarray(part, dtype=float) for part in (confidence, accuracy, low, high, counts))
    filled = n > 0
    x, y, lower, upper, n = x[filled], y[filled], lower[filled], upper[filled], n[filled]
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle="--")
    ax.annotate(
        "calibrated", (0.03, 0.03), (4, 11), textcoords="offset points", rotation=45,
        rotation_mode="anchor", fontsize=SMALL, color=MUTED,
    )  # fmt: skip
    ax.errorbar(x, y, yerr=np.clip([y - lower, upper - y], 0, None), fmt="none", ecolor=AGAINST, elinewidth=1.2)
    ax.scatter(x, y, s=14 + 90 * n / n.max(initial=1.0), color=CATEGORIES[0], linewidths=0, zorder=3, clip_on=False)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    for axis, label in ((ax.xaxis, "confidence"), (ax.yaxis, "accuracy")):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axis.set_label_text(label, fontsize=NORMAL, color=INK)
    set_title(ax, title, 60)
    return ax


def learning(
    epochs: ArrayLike,
    training: ArrayLike,
    validation: ArrayLike,
    *,
    kept: int | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Training and validation loss after each epoch; the area between them is the gap.

    Args:
        epochs: their numbers.
        training: the loss on training rows after each.
        validation: the loss on rows that are not trained on.
        kept: the epoch whose weights were kept, drawn as a line.
        title: drawn above.
        ax: where to draw; by default new Axes.
    """
    ax = style_axes(new_axes(4.6, 3.0) if ax is None else ax)
    x, below, above = (np.asarray(part, dtype=float) for part in (epochs, training, validation))
    ax.fill_between(x, below, above, color=MUTED, alpha=0.18, linewidth=0)
    for index, (name, y) in enumerate({"training rows": below, "validation rows": above}.items()):
        ax.plot(x, y, label=name, linewidth=1.6, markersize=3.5, **series_style(index))  # type: ignore[arg-type]  # a dict of names
    if kept is not None:
        ax.axvline(kept, color=INK, linewidth=1.0, linestyle=(0, (2, 2)), alpha=0.7)
        ax.annotate(
            "kept", (kept, 1), (-3, -3), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha="right", va="top", rotation=90, fontsize=SMALL, color=INK,
        )  # fmt: skip
    # Room for a single epoch, and for the word beside the line.
    ax.set_xlim(x.min(initial=1) - 0.5, x.max(initial=1) + 0.5)
    ax.margins(y=0.12)
    both = np.concatenate([below, above])
    if both.min(initial=1.0) > 0 and both.max(initial=1.0) > LOG_SCALE_RATIO * both.min(initial=1.0):
        # A diverged epoch would flatten all others.
        ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("epoch", fontsize=NORMAL, color=INK)
    ax.set_ylabel("loss", fontsize=NORMAL, color=INK)
    ax.legend(fontsize=SMALL, labelcolor=INK, frameon=False, loc="best", handlelength=2.6)
    set_title(ax, title, 60)
    return ax
