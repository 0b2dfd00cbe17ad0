"""Images, and Axes for them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from probe.palette import MUTED
from probe.plots.canvas import new_axes
from probe.plots.style import set_title


def image(image: ArrayLike, *, title: str = "", ax: Axes | None = None) -> Axes:
    """An image as the model gets it: grey (height, width) or colour (height, width, 3)."""
    pixels = np.asarray(image, dtype=float)
    tall = 2.0 if title else 1.5 * pixels.shape[0] / pixels.shape[1]
    ax = new_axes(1.5, tall) if ax is None else ax
    low, high = min(float(pixels.min()), 0.0), max(float(pixels.max()), 1.0)
    ax.imshow((pixels - low) / (high - low), cmap="gray", vmin=0, vmax=1, interpolation="none")
    return frame(ax, title)


def channels_last(pixels: ArrayLike) -> NDArray[Any]:
    """Convert an image (channels, height, width) to (height, width, 3) in colour, or (height, width) in grey.

    With any other number of channels than three, the mean over channels is taken.

    >>> channels_last(np.zeros((3, 4, 5))).shape
    (4, 5, 3)
    """
    image = np.asarray(pixels, dtype=float)
    return np.moveaxis(image, 0, -1) if len(image) == 3 else image.mean(0)


def grey(image: NDArray[Any]) -> NDArray[Any]:
    """The luminance of an image (height, width) or (height, width, 3), from 0 to 1 (weights of ITU-R BT.601)."""
    luminance = image @ np.array([0.299, 0.587, 0.114]) if image.ndim == 3 else image
    low, high = min(float(luminance.min()), 0.0), max(float(luminance.max()), 1.0)
    return np.asarray((luminance - low) / (high - low))


def frame(ax: Axes, title: str) -> Axes:
    """Remove the ticks of Axes and draw a hairline around them."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_anchor("N")  # so that adjacent images are aligned at the top
    for spine in ax.spines.values():
        spine.set(visible=True, color=MUTED, linewidth=0.7)
    set_title(ax, title, wrap=False)
    return ax
