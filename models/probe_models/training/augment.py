"""Augmentations: changes of the inputs that preserve their class.

Each draws independently for every row, on the device of its generator.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from probe.errors import DataError, ShapeError
from probe.tensors import column
from probe_models.training.callables import check_callable
from probe_models.training.randomness import beside

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
FURTHEST = 2  # pixels


def unchanged(inputs: Tensor, random: torch.Generator) -> Tensor:
    """The inputs themselves."""
    return inputs


def flip_and_shift(images: Tensor, random: torch.Generator) -> Tensor:
    """Flip each image with probability 1/2, and shift it by up to two pixels, filling with black."""
    count, _, height, width = images.shape
    draws = torch.randint(2 * FURTHEST + 1, (2, count, 1), generator=random, device=random.device)
    mirrored = torch.randint(2, (count, 1), generator=random, device=random.device).bool()
    rows, columns = (torch.arange(side, device=random.device) for side in (height, width))
    rows, columns = rows + draws[0], columns + draws[1]
    columns = torch.where(mirrored, columns.flip(1), columns)
    where = (rows[:, :, None] * (width + 2 * FURTHEST) + columns[:, None, :]).flatten(1).to(images.device)
    ground = pad(images, [FURTHEST] * 4).flatten(1)
    return ground.gather(1, where).view_as(images)


def flip(chance: float) -> Augmentation:
    """Flip each image horizontally with that probability."""

    def apply(images: Tensor, random: torch.Generator) -> Tensor:
        _sides(images)
        mirrored = torch.rand(len(images), generator=random, device=random.device).to(images.device) < chance
        return torch.where(column(mirrored, images), images.flip(-1), images)

    return apply


def shift(furthest: float) -> Augmentation:
    """Shift each image by up to that many pixels vertically and horizontally, filling with black."""
    pixels = int(furthest)

    def apply(images: Tensor, random: torch.Generator) -> Tensor:
        # By its whole side an image may go, and be black; the ground for more would only take memory.
        height, width = _sides(images, beyond=pixels - 1)
        corners = torch.randint(2 * pixels + 1, (2, len(images)), generator=random, device=random.device)
        return _windows(pad(images, [pixels] * 4), corners, height, width)

    return apply


def crop(margin: float) -> Augmentation:
    """Crop a random window that is `margin` pixels smaller, and resize it to the original size."""
    pixels = int(margin)

    def apply(images: Tensor, random: torch.Generator) -> Tensor:
        height, width = _sides(images, beyond=pixels)
        corners = torch.randint(pixels + 1, (2, len(images)), generator=random, device=random.device)
        windows = _windows(images, corners, height - pixels, width - pixels)
        return interpolate(windows, (height, width), mode="bilinear", align_corners=False)

    return apply


def cutout(side: float) -> Augmentation:
    """Black out a square of that many pixels a side, anywhere within each image (after arXiv:1708.04552)."""
    pixels = int(side)

    def apply(images: Tensor, random: torch.Generator) -> Tensor:
        height, width = _sides(images, beyond=pixels)
        place = random.device
        down, across = (
            torch.arange(side, device=place)
            - torch.randint(side - pixels + 1, (len(images), 1), generator=random, device=place)
            for side in (height, width)
        )
        rows, columns = (down >= 0) & (down < pixels), (across >= 0) & (across < pixels)
        hole = (rows[:, None, :, None] & columns[:, None, None, :]).to(images.device)
        return images.masked_fill(hole, 0.0)

    return apply


def noise(deviation: float) -> Augmentation:
    """Add normal noise of that standard deviation, in the units of the inputs; the sum may leave their range."""

    def apply(inputs: Tensor, random: torch.Generator) -> Tensor:
        if not inputs.is_floating_point():
            raise ShapeError(f"inputs are {inputs.dtype}, and noise would turn token ids into other numbers; use omit")
        return inputs + deviation * torch.randn(inputs.shape, generator=random, device=random.device).to(inputs)

    return apply


def omit(chance: float) -> Augmentation:
    """Set each number to 0 with that probability; token id 0 is an absent word."""

    def apply(inputs: Tensor, random: torch.Generator) -> Tensor:
        drawn = torch.rand(inputs.shape, generator=random, device=random.device)
        return inputs * (drawn >= chance).to(inputs.device)

    return apply


MIXES: dict[str, Augmentation] = {"none": unchanged, "flip and shift": flip_and_shift}
AUGMENTATIONS: dict[str, Callable[[float], Augmentation]] = {
    "flip": flip,
    "shift": shift,
    "crop": crop,
    "cutout": cutout,
    "noise": noise,
    "omit": omit,
}


def followed(first: Augmentation, then: Augmentation) -> Augmentation:
    """An augmentation followed by a custom one, which draws on the CPU whatever the device."""

    def apply(inputs: Tensor, random: torch.Generator) -> Tensor:
        found: Any = then(first(inputs, random), beside(random))
        if not isinstance(found, Tensor) or found.ndim == 0 or len(found) != len(inputs):
            gave = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise DataError(
                f"augment= gave {gave} for {len(inputs)} rows, expected a tensor of as many; return the changed "
                "inputs, one row for each that it is given"
            )
        return found

    return apply


def check_augmentation(augment: Any) -> None:
    """Raise PlanError unless it can be called as a custom augmentation is."""
    check_callable(
        "augment",
        augment,
        2,
        "a function augment(inputs, generator) that returns the changed inputs",
        hint="; one of probe's own is named in Settings(augment=...)",
    )


def compose(augment: str | Mapping[str, float]) -> Augmentation:
    """The preset of that name, or the named augmentations with their strengths, in order."""
    if isinstance(augment, str):
        return MIXES[augment]
    steps = [AUGMENTATIONS[name](strength) for name, strength in augment.items()]

    def apply(inputs: Tensor, random: torch.Generator) -> Tensor:
        for step in steps:
            inputs = step(inputs, random)
        return inputs

    return apply


def _sides(images: Tensor, beyond: int = 0) -> tuple[int, int]:
    if images.ndim != 4 or min(images.shape[2:]) <= beyond:
        raise ShapeError(
            f"inputs are shaped {tuple(images.shape)}, expected images (rows, channels, height, width) with sides "
            f"above {beyond} pixels; change Settings.augment"
        )
    return images.shape[2], images.shape[3]


def _windows(images: Tensor, corners: Tensor, height: int, width: int) -> Tensor:
    """The window of each image whose upper left corner lies at its row and column of `corners` (2, images)."""
    down, across = (corners[:, :, None] + torch.arange(max(height, width), device=corners.device)).to(images.device)
    each = torch.arange(len(images), device=images.device)[:, None, None]
    # Indices that a slice parts go last: (images, height, width, channels).
    return images[each, :, down[:, :height, None], across[:, None, :width]].permute(0, 3, 1, 2).contiguous()
