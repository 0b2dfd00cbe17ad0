"""A patch that is pasted on images: planted truth for explanations of a network that goes by it."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from probe.arrays import Given, from_numbers
from probe.dataset import Dataset
from probe.errors import DataError, RangeError, ShapeError


def pasted(
    data: Dataset, patch: Given | None = None, *, at: Sequence[int] = (0, 0), size: Sequence[int] = ()
) -> Dataset:
    """The same images with a patch, whose place is their planted truth (`data.truth`).

    A network that was trained on images of which one class has the patch goes by that shortcut. An audit of such a
    network on pasted images tells which explainers find it, by `PointingGame` and `RelevanceMass`; of another network
    the patch is no truth. Labels stay those of the images without it.

    Args:
        data: images (rows, channels, height, width).
        patch: its pixels, (height, width), the same in all channels, or (channels, height, width), within the bounds;
            by default it has the highest values of the space.
        at: the row and the column of its first pixel.
        size: the height and the width of a patch whose pixels are not given.

    Raises:
        DataError: if the rows are no images.
        RangeError: if the patch does not lie within the image.
        ShapeError: if it has another shape.

    >>> import torch
    >>> from probe import Dataset, Space, pasted
    >>> data = Dataset(torch.zeros(2, 1, 4, 4), torch.tensor([0, 1]), space=Space(bounds=(0.0, 1.0)))
    >>> found = pasted(data, size=(1, 2), at=(3, 0))
    >>> found.inputs[0, 0, 3].tolist(), int(found.truth.sum())
    ([1.0, 1.0, 0.0, 0.0], 4)
    """
    Dataset.require(data)
    if data.inputs.ndim != 4:
        raise DataError(
            f"{data.name} has rows of shape {tuple(data.inputs.shape[1:])}, expected images (channels, height, width) "
            "to paste a patch on; leave the patch out"
        )
    channels, *sides = data.inputs.shape[1:]
    if patch is None:
        high = torch.as_tensor(data.space.bounds[1]).to(data.inputs)
        pixels = high.expand(channels, *sides)[:, : _whole(size, "size", 1)[0], : _whole(size, "size", 1)[1]]
    else:
        pixels = torch.as_tensor(from_numbers(patch)).to(data.inputs)
        if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and len(pixels) != channels) or not pixels.numel():
            raise ShapeError(
                f"the patch has the shape {tuple(pixels.shape)}, expected (height, width) or "
                f"({channels}, height, width)"
            )
    height, width = _whole(size, "size", 1) if patch is None else pixels.shape[-2:]
    top, left = _whole(at, "at", 0)
    if top + height > sides[0] or left + width > sides[1]:
        raise RangeError(
            f"a patch of {height} x {width} pixels at row {top}, column {left} does not lie within images of "
            f"{sides[0]} x {sides[1]}; give a smaller one, or another place"
        )
    place = (..., slice(top, top + height), slice(left, left + width))
    inputs, truth = data.inputs.clone(), torch.zeros(channels, *sides, dtype=torch.bool)
    inputs[place], truth[place] = pixels, True
    said = f"a patch of {height} x {width} pixels was pasted on each image at row {top}, column {left}"
    return replace(data, inputs=inputs, truth=truth, notices=(*data.notices, f"{said}; labels are those without it"))


def _whole(pair: Sequence[int], name: str, low: int) -> tuple[int, int]:
    """Two whole numbers."""
    numbers = tuple(pair) if isinstance(pair, Sequence) and not isinstance(pair, str) else ()
    if len(numbers) != 2 or not all(isinstance(each, int) and each >= low for each in numbers):
        what = "the height and the width of the patch, such as (3, 3)" if low else "row and column, such as (0, 0)"
        raise RangeError(f"pasted({name}={pair!r}): expected {what}")
    return numbers
