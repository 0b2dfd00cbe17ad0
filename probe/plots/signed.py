"""Diverging colours: the range, and its colour bar. Red is above 0, blue below."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from probe.formatting import MINUS, digits
from probe.palette import INK, MUTED, SIGNED
from probe.plots.style import SMALL

SHARE = 0.99  # percentile of the nonzero values within the scale; the rest share the darkest shades

Map = NDArray[np.float64]


def reach(shown: Map) -> float:
    """The value of the darkest shade: the largest absolute value, or the 99th percentile if many values differ.

    A single extreme pixel would leave the rest of a map white.

    >>> reach(np.array([0.5, -2.0]))
    2.0
    """
    sizes = np.abs(shown[shown != 0])
    if len(np.unique(sizes)) < 100:
        return float(sizes.max(initial=0.0))
    return float(np.quantile(sizes, SHARE))


def whole_values(values: ArrayLike, features: ArrayLike) -> tuple[NDArray[np.intp], Map] | None:
    """The feature of each coordinate, and each feature's total value; None if values are not spread evenly.

    SHAP and LIME spread a feature's value evenly. Colouring by the total makes the colour independent of its size.
    """
    numbers = np.asarray(values, dtype=float)
    _, owner = np.unique(np.asarray(features).reshape(numbers.shape), return_inverse=True)
    owner = owner.reshape(numbers.shape)
    size, whole = np.bincount(owner.ravel()), np.bincount(owner.ravel(), weights=numbers.ravel())
    even = np.abs(numbers - (whole / size)[owner]).max(initial=0.0) <= 1e-4 * np.abs(numbers).max(initial=0.0)
    return (np.asarray(owner), np.asarray(whole, dtype=float)) if even else None


def signed_scale(ax: Axes, limit: float, *, clipped: bool, down: float = 0.09) -> None:
    """A colour bar below the Axes, at a distance given as a fraction of their height."""
    # Inside these Axes: colorbar() would take space from the caller's figure.
    scale = ax.inset_axes((0.0, -down, 1.0, 0.035))
    scale.imshow(np.linspace(-1, 1, 64)[None], cmap=SIGNED, aspect="auto", interpolation="none")
    below, above = ("\N{LESS-THAN OR EQUAL TO} ", "\N{GREATER-THAN OR EQUAL TO} ") if clipped else ("", "")
    scale.set_xticks([0, 31.5, 63], [f"{below}{MINUS}{digits(limit, 2)}", "0", f"{above}+{digits(limit, 2)}"])
    scale.set_yticks([])
    scale.tick_params(labelsize=SMALL, labelcolor=INK, color=INK, length=0, pad=2)
    first, _, last = scale.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    for spine in scale.spines.values():
        spine.set(color=MUTED, linewidth=0.5)
