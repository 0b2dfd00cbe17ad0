"""Segments of images by colour and place."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probe.dataset import Dataset
from probe.errors import DataError, ProbeError
from probe.extras import EXTRAS
from probe.model import Model
from probe.space import Space


def in_segments(model: Model, data: Dataset, count: int) -> tuple[Model, Dataset]:
    """A model and images whose features are about so many segments of each image; as they are where that is 0.

    Raises:
        DataError: if the rows are no images.
    """
    if not count:
        return model, data
    if data.inputs.ndim != 4:
        raise DataError(
            f"{data.name} has rows of shape {tuple(data.inputs.shape[1:])}, which are not images and "
            "have no segments; leave segments out"
        )
    features = segments(data.inputs, count)
    return replace(model, space=featured(model.space, features)), replace(data, space=featured(data.space, features))


def featured(space: Space, features: Tensor) -> Space:
    """A space with other features, which have no names."""
    return replace(space, features=features, form=replace(space.form, names=()))


def segments(images: Tensor | npt.NDArray[Any], count: int = 40, *, compactness: float = 10.0) -> Tensor:
    """Number the segments of images that differ in colour and place (SLIC, Achanta et al. 2012): their features.

    Args:
        images: (channels, height, width), or several, (rows, channels, height, width), a tensor or an array; brightness
            from 0 to 1.
        count: about how many segments an image has.
        compactness: how much place counts beside colour; larger makes squarer segments.

    Returns:
        The number of the segment of each coordinate, shaped as the images. Each image has its own, as if it were
        alone: `Space(features=segments(images))` is the space of these images.

    >>> import torch
    >>> from probe import segments
    >>> image = torch.zeros(3, 8, 8)
    >>> image[:, :, 4:] = 1.0  # dark on the left, light on the right
    >>> segments(image, 4)[0, 0]
    tensor([0, 0, 0, 0, 1, 1, 1, 1])
    >>> segments(torch.stack([image, image.mT]), 4).shape
    torch.Size([2, 3, 8, 8])

    Raises:
        DataError: if it is no image, or holds NaN or infinity.
        ProbeError: if scikit-image is not installed.
    """
    images = torch.as_tensor(images)
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(f"segments of {tuple(images.shape)}; expected an image (channels, height, width), or several")
    if count < 1:
        raise DataError(f"count = {count}; expected an image in 1 segment at least")
    if not bool(images.isfinite().all()):
        raise DataError(
            "the images hold NaN or infinity, which have no colour; fill those pixels in, or drop the images"
        )
    if images.ndim == 4:
        return torch.stack([segments(image, count, compactness=compactness) for image in images])
    try:
        from skimage.segmentation import slic
    except ImportError as error:
        raise ProbeError(
            f"segments need scikit-image, which cannot be imported ({error}); {EXTRAS['images'].install()} installs it"
        ) from None
    pixels = images.detach().cpu().double().movedim(0, -1).numpy()
    found = slic(pixels, n_segments=count, compactness=compactness, start_label=0, channel_axis=-1)
    _, numbers = np.unique(found, return_inverse=True)
    return torch.from_numpy(numbers.reshape(found.shape)).expand(len(images), -1, -1).contiguous()
