"""Where a model looks: heat maps for images, bars for tables. Red speaks for the target class, blue against it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from probe.plots.canvas import blank
from probe.plots.picture import frame
from probe.plots.style import AGAINST, FOR, INK, MINUS, MUTED, NORMAL, OUTLINE, SIGNED, SMALL, dress, plain


def heatmap(
    values: ArrayLike,
    image: ArrayLike | None = None,
    *,
    limit: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Signed values over the outline of their image; white is zero and both signs have the same scale.

    Args:
        values: (height, width).
        image: (height, width); its outline helps to see where the values lie.
        limit: what the darkest red stands for, and all beyond it; the largest absolute value unless given.
        title: drawn above.
        ax: where to draw; Axes of their own unless given.
    """
    ax = blank(1.5, 2.0) if ax is None else ax
    shown = np.asarray(values, dtype=float)
    limit = float(np.abs(shown).max(initial=0.0)) if limit is None else limit
    limit = limit if limit > 0 else 1.0  # nothing but zeros: all white
    ax.imshow(shown, cmap=SIGNED, vmin=-limit, vmax=limit, interpolation="none")
    if image is not None:
        _outline(ax, np.asarray(image, dtype=float))
    frame(ax, title)
    # A scale inside these Axes, as colorbar() would take room from whoever lent them.
    scale = ax.inset_axes((0.0, -0.09, 1.0, 0.035))
    scale.imshow(np.linspace(-1, 1, 64)[None], cmap=SIGNED, aspect="auto", interpolation="none")
    scale.set_xticks([0, 31.5, 63], [f"{MINUS}{limit:.3g}", "0", f"+{limit:.3g}"])
    scale.set_yticks([])
    scale.tick_params(labelsize=SMALL, labelcolor=INK, color=INK, length=0, pad=2)
    first, _, last = scale.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    for spine in scale.spines.values():
        spine.set(color=MUTED, linewidth=0.5)
    return ax


def bars(
    names: Sequence[object],
    values: ArrayLike,
    *,
    top: int = 10,
    title: str = "",
    limit: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The features with the largest absolute values, largest on top; bars to the right speak for, to the left against.

    Args:
        names: one per feature.
        values: one per feature.
        top: how many features are drawn; the sum of the others has a bar of its own.
        title: drawn above.
        limit: the end of the axis on both sides; fits the largest bar unless given.
        ax: where to draw; Axes of their own unless given.
    """
    numbers = np.asarray(values, dtype=float)
    order = np.argsort(-np.abs(numbers), kind="stable")
    chosen, rest = order[:top], order[top:]
    labels, lengths = [plain(names[i], 22) for i in chosen], list(numbers[chosen])
    if len(rest):
        labels.append(f"{len(rest)} others")
        lengths.append(float(numbers[rest].sum()))
    ax = blank(3.4, 0.62 + 0.21 * max(len(labels), 3)) if ax is None else ax
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
    dress(ax, grid="x").set_yticks(at, labels)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.locator_params(axis="x", nbins=5)
    ax.set(xlim=(-1.5 * reach, 1.5 * reach), ylim=(len(labels) - 0.4, -0.6))
    if title:
        ax.set_title(plain(title), fontsize=NORMAL, color=INK, loc="left", pad=5)
    return ax


def _outline(ax: Axes, image: NDArray[np.float64]) -> None:
    low, high = float(image.min()), float(image.max())
    if high > low and min(image.shape) > 1:
        style: dict[str, Any] = {"colors": OUTLINE, "alpha": 0.6, "linewidths": 0.7}
        ax.contour(image, levels=[low + 0.25 * (high - low), low + 0.6 * (high - low)], **style)
