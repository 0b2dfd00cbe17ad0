"""Attributions as a heat map over an image: red supports the target class, blue opposes it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike, NDArray

from probe.palette import AGAINST, FOR, OUTLINE, SIGNED, TRUTH
from probe.plots.canvas import new_axes
from probe.plots.picture import frame, grey
from probe.plots.signed import Map, reach, signed_scale, whole_values

PHOTO = 64  # larger images are drawn below their map; for smaller ones an outline is enough


def heatmap(
    values: ArrayLike,
    image: ArrayLike | None = None,
    *,
    features: ArrayLike | None = None,
    limit: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Signed values over their image; 0 is white, or transparent, and both signs have the same scale.

    If each group of pixels shares its value evenly, as in SHAP and LIME, a group is coloured by its total value, so
    that the colour of a segment does not depend on its size. A label with an inequality means that larger values share
    the darkest shade.

    Args:
        values: (height, width), or (channels, height, width), which are summed over channels.
        image: (height, width), or (height, width, 3) in colour. Up to 64 pixels its outline is drawn; a larger image is
            drawn in grey below a translucent map.
        features: the group that each value belongs to, shaped as `values`.
        limit: the value of the darkest shade; by default chosen by `reach`.
        title: drawn above.
        ax: where to draw; by default new Axes.
    """
    ax = new_axes(1.5, 2.0) if ax is None else ax
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
    signed_scale(ax, limit, clipped=bool(np.abs(shown).max(initial=0.0) > limit * (1 + 1e-9)))
    return ax


def pixel_map(values: ArrayLike, features: ArrayLike | None = None) -> Map:
    """One number per pixel, (height, width): the sum over channels, or over the groups of a pixel.

    A group counts with its total value only if its pixels share it evenly; otherwise the pixels' own values are shown.
    """
    numbers = np.asarray(values, dtype=float)
    numbers = numbers[None] if numbers.ndim == 2 else numbers
    if features is None:
        return np.asarray(numbers.sum(0))
    shared = whole_values(numbers, features)
    if shared is None:
        return np.asarray(numbers.sum(0))
    owner, whole = shared
    # A group may contain several channels of a pixel, but counts once.
    total = np.zeros(numbers.shape[1:])
    for channel in range(len(numbers)):
        repeated = (owner[:channel] == owner[channel]).any(0)
        total += np.where(repeated, 0.0, whole[owner[channel]])
    return total


def _over_photo(ax: Axes, relative: Map, pixels: NDArray[Any]) -> None:
    # The photo is lightened, so that both colours remain distinct on dark areas.
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


def border(ax: Axes, truth: ArrayLike) -> None:
    """Draw the border of a planted truth on a map, along the edges of the pixels where it is not 0."""
    planted = np.asarray(truth) != 0
    inside = np.pad(planted.any(0) if planted.ndim == 3 else planted, 1)
    lines = []
    for row, column in np.argwhere(inside[1:] != inside[:-1]):  # between this pixel and the one below
        lines.append(((column - 1.5, row - 0.5), (column - 0.5, row - 0.5)))
    for row, column in np.argwhere(inside[:, 1:] != inside[:, :-1]):  # and the one to the right
        lines.append(((column - 0.5, row - 1.5), (column - 0.5, row - 0.5)))
    ax.add_collection(LineCollection(lines, colors=TRUTH, linewidths=1.2, label="planted truth"))
