"""Noise of sensors."""

import torch
from torch import Tensor

from probe import special
from probe.corrupted.numbers import Numbers
from probe.tensors import to_numpy

GAUSSIAN = (0.04, 0.06, 0.08, 0.09, 0.10)  # standard deviations
SHOT = (500, 250, 100, 75, 50)  # photons of a white pixel
IMPULSE = (0.01, 0.02, 0.03, 0.05, 0.07)  # shares of black and white
SPECKLE = (0.06, 0.10, 0.12, 0.16, 0.20)  # standard deviations of a white pixel


def gaussian(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Thermal noise: the same everywhere."""
    return images + GAUSSIAN[severity] * numbers.normal(*images.shape[1:])


def shot(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Counted photons: a Poisson number of them in each pixel."""
    expected = images.double() * SHOT[severity]
    count = special.pdtrik(to_numpy(numbers.uniform(*images.shape[1:]).double()), to_numpy(expected.clamp(min=1e-9)))
    photons = torch.from_numpy(count).nan_to_num(nan=0.0).clamp(min=0).ceil()
    return (photons / SHOT[severity]).float()


def impulse(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Broken pixels: half of them black, half white."""
    drawn, half = numbers.uniform(*images.shape[1:]), IMPULSE[severity] / 2
    return images.masked_fill(drawn < half, 0.0).masked_fill(drawn > 1 - half, 1.0)


def speckle(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Noise in proportion to the light."""
    return images + images * SPECKLE[severity] * numbers.normal(*images.shape[1:])
