"""The output of a model as features are removed or added one after another."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike, NDArray

from probe.palette import CATEGORIES, INK, LINES, MUTED
from probe.plots.canvas import new_axes
from probe.plots.style import NORMAL, SMALL, safe_label, set_title, style_axes

RANDOM = "random order"  # what its curve is called

Line = NDArray[np.float64]


def moved(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
    *,
    how: str = "removed",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The output against the share of features that are removed or added, method beside method.

    Args:
        curves: by name of the method; the share, the output in the method's order, and in random ones, which is grey.
        how: what is done with features.
        title: drawn above.
        ax: where to draw; Axes of their own unless given.

    Example:
        >>> moved({"Saliency": ([0, 1], [0.9, 0.1], [0.9, 0.1])}).get_xlabel()
        'share of features removed'
    """
    ax = style_axes(new_axes(4.8, 3.1) if ax is None else ax)
    for index, line in enumerate(by_chance(curves)):
        label = None if index else RANDOM
        ax.plot(*line, color=MUTED, linestyle=":", linewidth=1.5, label=label)
    for index, (name, (share, own, _)) in enumerate(curves.items()):
        colour, dash = CATEGORIES[index % len(CATEGORIES)], LINES[index % len(LINES)]
        ax.plot(np.asarray(share), np.asarray(own), color=colour, linestyle=dash, linewidth=1.7, label=safe_label(name))
    ax.set_xlim(-0.01, 1.01)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel(safe_label(f"share of features {how}"), fontsize=NORMAL, color=INK)
    ax.set_ylabel("output", fontsize=NORMAL, color=INK)
    if curves:
        ax.legend(fontsize=SMALL, labelcolor=INK, frameon=False, loc="best", handlelength=2.6)
    set_title(ax, title, 60)
    return ax


def by_chance(curves: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]]) -> list[tuple[Line, Line]]:
    """The curves of random orders, share and output; one that several methods have in common is there once.

    Args:
        curves: as for `moved`.

    Example:
        >>> shared = ([0, 1], [0.9, 0.1], [0.9, 0.1])
        >>> len(by_chance({"Saliency": shared, "Lime": shared}))
        1
    """
    found: list[tuple[Line, Line]] = []
    for curve in curves.values():
        share, _, random = (np.asarray(part, dtype=float) for part in curve)
        if not any(random.shape == other.shape and np.allclose(random, other) for _, other in found):
            found.append((share, random))
    return found
