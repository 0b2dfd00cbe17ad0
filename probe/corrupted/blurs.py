"""Blurs: of a lens, of glass, of a camera that moves or zooms."""

from math import ceil, pi

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from probe.corrupted.numbers import Numbers, at, places, unit, zoomed

GAUSSIAN = (0.4, 0.6, 0.7, 0.8, 1.0)  # standard deviations in pixels of 32
DEFOCUS = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))  # radius, and blur of its edge
GLASS = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))  # blur, distance of swaps, rounds
MOTION = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))  # radius, standard deviation
FINE = 8  # parts of a side of a pixel
ZOOM = (1.06, 1.11, 1.16, 1.21, 1.26)  # up to below these, in steps of .01


def gaussian(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """A soft blur."""
    return smoothed(images, GAUSSIAN[severity] * unit(images))


def defocus(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """A lens out of focus: a disc instead of a point."""
    radius, edge = (length * unit(images) for length in DEFOCUS[severity])
    reach = max(1, ceil(radius)) + 1
    # The share of each pixel that the disc covers, so that small ones differ too.
    away = (torch.arange(FINE * (2 * reach + 1)) + 0.5) / FINE - reach - 0.5
    disc = avg_pool2d((away[:, None] ** 2 + away**2 <= radius**2).float()[None, None], FINE)
    disc[..., reach, reach] += disc.sum() == 0  # smaller than a part of a pixel
    kernel = smoothed(disc, edge, reach=1)[0, 0]
    return _spread(images, kernel / kernel.sum())


def glass(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Frosted glass: neighbouring pixels change places, one after another."""
    blur, distance, rounds = GLASS[severity]
    most = max(1, round(distance * unit(images)))
    found, (height, width) = smoothed(images, blur * unit(images)).clone(), images.shape[2:]
    rows = torch.arange(len(images))
    for _ in range(rounds):
        moves = (numbers.uniform(2, height, width) * 2 * most).long() - most
        for row in range(height - 1, most - 1, -1):
            for column in range(width - 1, most - 1, -1):
                y = (row + moves[:, 0, row, column]).clamp(max=height - 1)
                x = (column + moves[:, 1, row, column]).clamp(max=width - 1)
                other = found[rows, :, y, x].clone()
                found[rows, :, y, x] = found[:, :, row, column]
                found[:, :, row, column] = other
    return smoothed(found, blur * unit(images))


def motion(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """A camera that moves in a direction within 45 degrees of level."""
    radius, deviation = MOTION[severity]
    angle = (numbers.uniform(1)[:, 0] - 0.5) * pi / 2
    return dragged(images, angle, radius * unit(images), deviation * unit(images))


def zoom(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """A camera that comes closer."""
    factors = [1 + step / 100 for step in range(round((ZOOM[severity] - 1) * 100))]
    return (images + torch.stack([zoomed(images, factor) for factor in factors]).sum(0)) / (len(factors) + 1)


def smoothed(images: Tensor, deviation: float, reach: int | None = None) -> Tensor:
    """Images convolved with a normal density; the edge goes on beyond it."""
    if deviation <= 0:
        return images
    reach = max(1, ceil(4 * deviation)) if reach is None else reach
    away = torch.arange(-reach, reach + 1.0)
    weights = (-(away**2) / (2 * deviation**2)).exp()
    weights = weights / weights.sum()
    return _spread(_spread(images, weights[:, None]), weights[None])


def dragged(images: Tensor, angle: Tensor, radius: float, deviation: float) -> Tensor:
    """Images smeared to one side, each along its own angle."""
    rows, columns = places(images)
    steps = torch.arange(float(max(2, round(2 * radius + 1))))
    weights = (-(steps**2) / (2 * deviation**2)).exp()
    down, across = angle.sin()[:, None, None], angle.cos()[:, None, None]
    found = torch.zeros_like(images)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        found += weight * at(images, rows + step * down, columns + step * across)
    return found


def _spread(images: Tensor, kernel: Tensor) -> Tensor:
    channels, (down, across) = images.shape[1], kernel.shape
    wide = pad(images, (across // 2, across // 2, down // 2, down // 2), mode="replicate")
    return conv2d(wide, kernel.expand(channels, 1, down, across), groups=channels)
