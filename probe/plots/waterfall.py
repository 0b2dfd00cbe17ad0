"""An attribution as steps from one output to another."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from probe.formatting import MINUS, number
from probe.palette import AGAINST, FOR, INK
from probe.plots.canvas import new_axes
from probe.plots.style import SMALL, safe_labels, set_title, style_axes


def waterfall(  # noqa: PLR0913 - columns of one table, then settings by name
    names: Sequence[object],
    values: ArrayLike,
    start: float,
    *,
    top: int | Sequence[int] = 10,
    ends: tuple[str, str] = ("without them", "output"),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Steps from the output without the features, at the bottom, to the output with them, at the top.

    Only for values that add up to the difference of the two, as those of SHAP or integrated gradients.

    Args:
        names: one per feature.
        values: one per feature; red steps lead to the right, blue ones to the left.
        start: the output from which the steps start, where all features are absent.
        top: how many features to draw, the largest on top, or their indices in order; the others are one step.
        ends: what the two outputs are called.
        title: drawn above.
        ax: where to draw; by default new Axes.

    >>> ax = waterfall(["age", "income"], [0.5, -2.0], 1.0)
    >>> [round(float(bar.get_x() + bar.get_width()), 2) for bar in ax.patches]  # to the output, from the last step
    [-0.5, 1.5]
    """
    found = steps(names, values, start, top=top)
    labels = safe_labels([each.name for each in found], 22, among=names)
    before, after = (np.array([getattr(each, side) for each in found]) for side in ("before", "after"))
    lengths = after - before
    ax = style_axes(new_axes(3.4, 0.9 + 0.21 * max(len(labels), 3)) if ax is None else ax, grid="x")
    at = np.arange(len(labels))
    ax.barh(at, lengths, left=before, color=[FOR if length >= 0 else AGAINST for length in lengths], height=0.66)
    for row in at[1:]:
        ax.plot([after[row]] * 2, [row - 0.67, row + 0.33], color=INK, linewidth=0.7, alpha=0.6)
    for row, length, right in zip(at, lengths, np.maximum(before, after), strict=True):
        text = (f"{length:+.2g}" if abs(length) < 100 else f"{length:+,.0f}").replace("-", MINUS)
        ax.annotate(
            text, (right, row), (3, 0), textcoords="offset points",
            ha="left", va="center", fontsize=SMALL - 1, color=INK,
        )  # fmt: skip
    reached = float(start + np.asarray(values, dtype=float).sum())
    ends_at = np.concatenate([before, after, [start]])
    wide = float(np.ptp(ends_at)) or 1.0
    for place, word, y in ((float(start), ends[0], len(labels) + 0.25), (reached, ends[1], -0.6)):
        ax.axvline(place, color=INK, linewidth=0.8, alpha=0.6, linestyle=(0, (3, 2)))
        # What is less than float32 can tell from zero at this scale is zero.
        told = number(place if abs(place) > 1e-6 * wide else 0.0)
        ax.annotate(
            f"{word} {told}", (place, y), (3, 0), textcoords="offset points",
            ha="left", va="bottom", fontsize=SMALL - 1, color=INK,
        )  # fmt: skip
    ax.set(xlim=(ends_at.min() - 0.08 * wide, ends_at.max() + 0.42 * wide), ylim=(len(labels) + 0.3, -1.2))
    ax.set_yticks(at, labels)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.locator_params(axis="x", nbins=5)
    set_title(ax, title)
    return ax


class Step(NamedTuple):
    """A step of a waterfall: the output before it and after it."""

    name: str
    before: float
    after: float


def steps(names: Sequence[object], values: ArrayLike, start: float, *, top: int | Sequence[int] = 10) -> list[Step]:
    """The steps that `waterfall` draws, from top to bottom; its arguments are the same.

    >>> steps(["age", "income"], [0.5, -2.0], 1.0)
    [Step(name='income', before=1.5, after=-0.5), Step(name='age', before=1.0, after=1.5)]
    """
    numbers = np.asarray(values, dtype=float)
    listed = np.argsort(-np.abs(numbers), kind="stable")[:top] if isinstance(top, int) else np.asarray(top, np.intp)
    rest = np.setdiff1d(np.arange(len(numbers)), listed)
    told, lengths = [str(names[at]) for at in listed], numbers[listed]
    if len(rest):
        told.append(f"{len(rest)} other{'s' * (len(rest) > 1)}")
        lengths = np.append(lengths, numbers[rest].sum())
    after = start + np.cumsum(lengths[::-1])[::-1]
    return [Step(*each) for each in zip(told, (after - lengths).tolist(), after.tolist(), strict=True)]
