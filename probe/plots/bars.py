"""Attributions as bars: red to the right supports the class, blue to the left opposes it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from numpy.typing import ArrayLike, NDArray

from probe.formatting import MINUS
from probe.palette import AGAINST, FOR, INK
from probe.plots.canvas import new_axes
from probe.plots.style import SMALL, safe_labels, set_title, style_axes
from probe.statistics import ranks


def shared_order(values: ArrayLike) -> list[int]:
    """One order of features for the charts of several methods: by mean rank of absolute values, largest first.

    Args:
        values: (methods, features).

    >>> shared_order([[0.1, -3.0, 2.0], [0.0, 1.0, -4.0]])
    [1, 2, 0]
    """
    sizes = np.abs(np.asarray(values, dtype=float))
    places = ranks(-sizes) if sizes.size else sizes
    # Ties in the mean rank go to the feature with the better rank in some method.
    share = sizes / np.maximum(sizes.max(axis=1, keepdims=True, initial=0.0), np.finfo(float).tiny)
    return [int(at) for at in np.lexsort((-share.max(axis=0, initial=0.0), places.mean(axis=0)))]


def bars(
    names: Sequence[object],
    values: ArrayLike,
    *,
    top: int | Sequence[int] = 10,
    title: str = "",
    limit: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Bars of the features with the largest absolute values, largest on top; right supports the target, left opposes.

    Args:
        names: one per feature.
        values: one per feature.
        top: how many features to draw, largest first, or their indices in order, such as the first of `shared_order`;
            one more bar shows the sum of the others.
        title: drawn above.
        limit: the end of the axis on both sides; by default fits the largest bar.
        ax: where to draw; by default new Axes.

    >>> ax = bars(["age", "income"], [0.5, -2.0])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['income', 'age']
    """
    numbers = np.asarray(values, dtype=float)
    chosen = _listed(numbers, top)
    rest = np.setdiff1d(np.arange(len(numbers)), chosen)
    labels, lengths = safe_labels([names[i] for i in chosen], 22, among=names), list(numbers[chosen])
    if len(rest):
        labels.append(f"{len(rest)} other{'s' * (len(rest) > 1)}")
        lengths.append(float(numbers[rest].sum()))
    ax = new_axes(3.4, 0.62 + 0.21 * max(len(labels), 3)) if ax is None else ax
    at = np.arange(len(labels))
    colours = [FOR if length >= 0 else AGAINST for length in lengths]
    ax.barh(at, lengths, color=colours, height=0.66)
    ax.axvline(0, color=INK, linewidth=0.8)
    reach = limit or float(np.abs(lengths).max(initial=0.0)) or 1.0
    for y, length in zip(at, lengths, strict=True):
        side = 1 if length >= 0 else -1
        text = (f"{length:+.2g}" if abs(length) < 100 else f"{length:+,.0f}").replace("-", MINUS) if length else "0"
        ax.annotate(
            text, (length, y), (3 * side, 0), textcoords="offset points",
            ha="left" if side > 0 else "right", va="center", fontsize=SMALL - 1, color=INK,
        )  # fmt: skip
    style_axes(ax, grid="x").set_yticks(at, labels)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.locator_params(axis="x", nbins=5)
    ax.set(xlim=(-1.5 * reach, 1.5 * reach), ylim=(len(labels) - 0.4, -0.6))
    set_title(ax, title)
    return ax


def whiskers(ax: Axes, values: ArrayLike, errors: ArrayLike, top: int | Sequence[int] = 10) -> Axes:
    """Intervals of 95 % on the bars that `bars` drew of these values; their numbers move to the outer ends.

    Args:
        ax: what `bars` returned.
        values: one per feature.
        errors: their standard errors; a value with 0 is exact and has no whisker, nor has the sum of the others.
        top: as for `bars`.

    >>> ax = whiskers(bars(["age", "income"], [0.5, -2.0]), [0.5, -2.0], [0.1, 0.0])
    >>> [[round(float(x), 3) for x, _ in line] for line in ax.collections[0].get_segments()]
    [[0.304, 0.696]]
    """
    numbers, spread = np.asarray(values, dtype=float), 1.96 * np.asarray(errors, dtype=float)
    listed = _listed(numbers, top)
    some = np.flatnonzero(spread[listed] > 0)
    at = listed[some]
    ax.errorbar(numbers[at], some, xerr=spread[at], fmt="none", ecolor=INK, elinewidth=0.8, capsize=1.5)
    for text, feature in zip(ax.texts[: len(listed)], listed, strict=True):
        if isinstance(text, Annotation):
            text.xy = (numbers[feature] + np.copysign(spread[feature], numbers[feature]), text.xy[1])
    return ax


def _listed(numbers: NDArray[np.float64], top: int | Sequence[int]) -> NDArray[np.intp]:
    """The features that have a bar of their own."""
    return np.argsort(-np.abs(numbers), kind="stable")[:top] if isinstance(top, int) else np.asarray(top, dtype=np.intp)
