"""Where a model looks: a heat map over its image. Red speaks for the target class, blue against it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike, NDArray

from probe.formatting import MINUS
from probe.plots.canvas import blank
from probe.plots.picture import frame, grey
from probe.plots.style import AGAINST, FOR, INK, MUTED, OUTLINE, SIGNED, SMALL

PHOTO = 64  # images larger than this in both directions lie below their map; the outline of a smaller one is enough
SHARE = 0.99  # of the pixels that are not 0 lie within the scale; the rest share the darkest shades

Map = NDArray[np.float64]


def heatmap(
    values: ArrayLike,
    image: ArrayLike | None = None,
    *,
    features: ArrayLike | None = None,
    limit: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Signed values over their image; 0 is white, or lets the image through, and both signs have the same scale.

    Where each group of pixels shares its value evenly, as those of SHAP and LIME do, a group is coloured by its whole
    value: the colour of a segment does not depend on its size. Labels with an inequality say that larger values share
    the darkest shade.

    Args:
        values: (height, width), or (channels, height, width), which are summed over channels.
        image: (height, width), or (height, width, 3) in colour. Up to 64 pixels its outline is drawn, of a larger one
            the image itself in grey, below a translucent map.
        features: the group that each value belongs to, shaped as `values`.
        limit: what the darkest shade stands for; chosen by `reach` unless given.
        title: drawn above.
        ax: where to draw; Axes of their own unless given.
    """
    ax = blank(1.5, 2.0) if ax is None else ax
    shown = pixel_map(values, features)
    limit = reach(shown) if limit is None else limit
    limit = limit if limit > 0 else 1.0  # nothing but zeros: all white
    pixels = None if image is None else np.asarray(image, dtype=float)
    if pixels is not None and min(pixels.shape[:2]) > PHOTO:
        _over_photo(ax, shown / limit, pixels)
    else:
        ax.imshow(shown, cmap=SIGNED, vmin=-limit, vmax=limit, interpolation="none")
        if pixels is not None:
            _outline(ax, grey(pixels))
    frame(ax, title)
    _scale(ax, limit, clipped=bool(np.abs(shown).max(initial=0.0) > limit * (1 + 1e-9)))
    return ax


def pixel_map(values: ArrayLike, features: ArrayLike | None = None) -> Map:
    """One number per pixel, (height, width): the sum over channels, or over the groups that a pixel belongs to.

    A group counts with its whole value only where its pixels share that evenly; otherwise they have values of their
    own, and those are shown.
    """
    numbers = np.asarray(values, dtype=float)
    numbers = numbers[None] if numbers.ndim == 2 else numbers
    if features is None:
        return np.asarray(numbers.sum(0))
    owner = np.asarray(features).reshape(numbers.shape)
    _, owner = np.unique(owner, return_inverse=True)
    owner = owner.reshape(numbers.shape)
    size = np.bincount(owner.ravel())
    whole = np.bincount(owner.ravel(), weights=numbers.ravel())
    even = np.abs(numbers - (whole / size)[owner]).max(initial=0.0) <= 1e-4 * np.abs(numbers).max(initial=0.0)
    if not even:
        return np.asarray(numbers.sum(0))
    # A group may own several channels of a pixel, and counts once.
    total = np.zeros(numbers.shape[1:])
    for channel in range(len(numbers)):
        repeated = (owner[:channel] == owner[channel]).any(0)
        total += np.where(repeated, 0.0, whole[owner[channel]])
    return total


def reach(shown: Map) -> float:
    """What the darkest shade of a map stands for: its largest size, or the 99th percentile where many values differ.

    One glaring pixel would leave the rest of a map white.
    """
    sizes = np.abs(shown[shown != 0])
    if len(np.unique(sizes)) < 100:
        return float(sizes.max(initial=0.0))
    return float(np.quantile(sizes, SHARE))


def _over_photo(ax: Axes, relative: Map, pixels: NDArray[Any]) -> None:
    # The photo is kept light, so that both colours can be told apart on its dark parts too.
    ax.imshow(0.45 + 0.55 * grey(pixels), cmap="gray", vmin=0, vmax=1, interpolation="none")
    overlay = np.empty((*relative.shape, 4))
    overlay[..., :3] = np.where(relative[..., None] >= 0, to_rgb(FOR), to_rgb(AGAINST))
    overlay[..., 3] = 0.85 * np.clip(np.abs(relative), 0, 1)
    ax.imshow(overlay, interpolation="none")


def _outline(ax: Axes, image: NDArray[Any]) -> None:
    low, high = float(image.min()), float(image.max())
    if high > low and min(image.shape) > 1:
        style: dict[str, Any] = {"colors": OUTLINE, "alpha": 0.6, "linewidths": 0.7}
        ax.contour(image, levels=[low + 0.25 * (high - low), low + 0.6 * (high - low)], **style)


def _scale(ax: Axes, limit: float, *, clipped: bool) -> None:
    # Inside these Axes, as colorbar() would take room from whoever lent them.
    scale = ax.inset_axes((0.0, -0.09, 1.0, 0.035))
    scale.imshow(np.linspace(-1, 1, 64)[None], cmap=SIGNED, aspect="auto", interpolation="none")
    below, above = ("\N{LESS-THAN OR EQUAL TO} ", "\N{GREATER-THAN OR EQUAL TO} ") if clipped else ("", "")
    scale.set_xticks([0, 31.5, 63], [f"{below}{MINUS}{limit:.2g}", "0", f"{above}+{limit:.2g}"])
    scale.set_yticks([])
    scale.tick_params(labelsize=SMALL, labelcolor=INK, color=INK, length=0, pad=2)
    first, _, last = scale.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    for spine in scale.spines.values():
        spine.set(color=MUTED, linewidth=0.5)
