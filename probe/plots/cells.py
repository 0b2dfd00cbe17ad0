"""A table of estimates, coloured by how high they are."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike

from probe.formatting import Unit, number
from probe.palette import CATEGORIES, INK
from probe.plots.canvas import new_axes
from probe.plots.style import NORMAL, SMALL, safe_label, safe_labels, set_title

WORDS = 12  # columns; of more, numbers are not written
DARKEST = 0.45  # opacity of the highest number, on which text is still read on a white and on a black page


def cells(  # noqa: PLR0913 - columns of one table, then settings by name
    values: ArrayLike,
    rows: Sequence[object],
    columns: Sequence[object],
    *,
    unit: Unit = "share",
    labels: tuple[str, str] = ("", ""),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A table of numbers, the higher the darker; what is below 0 has another colour.

    Where there are more than 12 columns, numbers are not written: there is no room for them.

    Args:
        values: (rows, columns); NaN is left empty.
        rows: their names, the first on top.
        columns: their names.
        unit: of the values; a share is darkest at 1, other numbers at the highest.
        labels: of the axes, across and down.
        title: drawn above.
        ax: where to draw; by default new Axes.

    >>> ax = cells([[0.9, 0.5]], ["fog"], [1, 2])
    >>> [label.get_text() for label in ax.get_xticklabels()], len(ax.texts)
    (['1', '2'], 2)
    """
    numbers = np.asarray(values, dtype=float)
    written = numbers.shape[1] <= WORDS
    ax = new_axes(4.6 if written else 7.0, 0.9 + 0.24 * len(numbers)) if ax is None else ax
    most = 1.0 if unit == "share" else max(float(np.nanmax(np.abs(numbers), initial=0.0)), 1e-12)
    shade = np.empty((*numbers.shape, 4))
    shade[..., :3] = np.where(numbers[..., None] < 0, to_rgb(CATEGORIES[1]), to_rgb(CATEGORIES[0]))
    shade[..., 3] = DARKEST * np.nan_to_num(np.clip(np.abs(numbers) / most, 0, 1))
    ax.imshow(shade, aspect="auto", interpolation="none")
    for (row, column), value in np.ndenumerate(numbers):
        if np.isfinite(value) and written:
            ax.text(column, row, number(value, unit), ha="center", va="center", fontsize=SMALL, color=INK)
    ax.set_yticks(range(len(rows)), safe_labels(rows, 28), fontsize=SMALL, color=INK)
    ax.set_xticks(range(len(columns)), safe_labels(columns, 12), fontsize=SMALL, color=INK)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    for axis, label in zip((ax.xaxis, ax.yaxis), labels, strict=True):
        axis.set_label_text(safe_label(label, 60), fontsize=NORMAL, color=INK)
    set_title(ax, title, 60)
    return ax
