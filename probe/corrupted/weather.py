"""Weather: snow, frost, fog and spatters on the lens."""

from math import ceil, log2, pi

import torch
from torch import Tensor

from probe.corrupted.blurs import dragged, smoothed
from probe.corrupted.numbers import Numbers, unit, zoomed

SNOW = (
    (0.1, 0.2, 1.0, 0.6, 8, 3, 0.95),
    (0.1, 0.2, 1.0, 0.5, 10, 4, 0.9),
    (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
    (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
    (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
)  # mean and deviation of flakes, their size, the threshold, how far and how evenly they fall, light that is left
FROST = ((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))  # light that is left, and that of the crystals
FOG = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))  # thickness, and smoothness
SPATTER = (
    (0.62, 0.1, 0.7, 0.7, 0.5, False),
    (0.65, 0.1, 0.8, 0.7, 0.5, False),
    (0.65, 0.3, 1.0, 0.69, 0.5, False),
    (0.65, 0.1, 0.7, 0.69, 0.6, True),
    (0.65, 0.1, 0.5, 0.68, 0.6, True),
)  # mean, deviation and size of the drops, the threshold, the blur of their edge, and whether they are of mud
WATER, MUD = (0.686, 0.933, 0.933), (0.247, 0.165, 0.078)
GREY = (0.299, 0.587, 0.114)  # what each colour counts for the eye


def snow(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Flakes that fall, over a paler picture."""
    mean, deviation, size, threshold, fall, even, light = SNOW[severity]
    flakes = zoomed(mean + deviation * numbers.normal(1, *images.shape[2:]), size)
    flakes = flakes.masked_fill(flakes < threshold, 0.0).clamp(0, 1)
    angle = (numbers.uniform(1)[:, 0] / 2 + 0.25) * -pi
    flakes = dragged(flakes, angle, fall * unit(images), even * unit(images))
    pale = light * images + (1 - light) * torch.maximum(images, 1.5 * brightness_of(images) + 0.5)
    return pale + flakes + flakes.flip(2, 3)


def frost(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Crystals of ice: the ridges of a rough landscape. The published ones are photos."""
    left, crystals = FROST[severity]
    ridges = 1 - (2 * landscape(images, 1.6, numbers) - 1).abs()
    return left * images + crystals * ridges


def fog(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Clouds before the picture, which loses contrast."""
    thickness, smoothness = FOG[severity]
    most = images.flatten(1).amax(1)[:, None, None, None]
    clouds = thickness * landscape(images, smoothness, numbers)
    return (images + clouds) * most / (most + thickness)


def spatter(images: Tensor, severity: int, numbers: Numbers) -> Tensor:
    """Drops of water or mud on the lens."""
    mean, deviation, size, threshold, edge, mud = SPATTER[severity]
    drops = smoothed(mean + deviation * numbers.normal(1, *images.shape[2:]), size * unit(images))
    covered = smoothed((drops > threshold).float(), edge * unit(images))
    colour = torch.tensor(MUD if mud else WATER)
    colour = colour if images.shape[1] == 3 else (colour * torch.tensor(GREY)).sum().expand(images.shape[1])
    return images * (1 - covered) + colour[:, None, None] * covered


def brightness_of(images: Tensor) -> Tensor:
    """The light of each pixel, (batch, 1, height, width)."""
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    return (images * torch.tensor(GREY)[:, None, None]).sum(1, keepdim=True)


def landscape(images: Tensor, decay: float, numbers: Numbers) -> Tensor:
    """Heights of a random land in [0, 1] by midpoint displacement (Fournier et al. 1982); less decay is rougher."""
    size, rough = 2 ** ceil(log2(max(2, *images.shape[2:]))), 1.0
    land, step = torch.zeros(len(images), size, size), size
    while step >= 2:
        half = step // 2

        def level(total: Tensor, rough: float = rough) -> Tensor:
            return total / 4 + rough * (2 * numbers.uniform(*total.shape[1:]) - 1)

        corners = land[:, ::step, ::step]
        across = corners + corners.roll(-1, 1)
        land[:, half::step, half::step] = level(across + across.roll(-1, 2))
        middle = land[:, half::step, half::step]
        sides = middle + middle.roll(1, 1) + corners + corners.roll(-1, 2)
        land[:, ::step, half::step] = level(sides)
        sides = middle + middle.roll(1, 2) + corners + corners.roll(-1, 1)
        land[:, half::step, ::step] = level(sides)
        step, rough = half, rough / decay
    low, high = land.flatten(1).amin(1), land.flatten(1).amax(1)
    land = (land - low[:, None, None]) / (high - low)[:, None, None].clamp(min=1e-9)
    return land[:, None, : images.shape[2], : images.shape[3]]
