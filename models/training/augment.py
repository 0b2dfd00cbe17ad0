"""Changes of the inputs that leave their class as it is."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

FURTHEST = 2  # pixels


def unchanged(inputs: Tensor, random: torch.Generator) -> Tensor:
    """The inputs themselves."""
    return inputs


def flip_and_shift(images: Tensor, random: torch.Generator) -> Tensor:
    """Mirror every other image by chance, and move each by up to two pixels over a black ground."""
    count, _, height, width = images.shape
    draws = torch.randint(2 * FURTHEST + 1, (2, count, 1), generator=random)
    mirrored = torch.randint(2, (count, 1), generator=random).bool()
    rows, columns = torch.arange(height) + draws[0], torch.arange(width) + draws[1]
    columns = torch.where(mirrored, columns.flip(1), columns)
    where = (rows[:, :, None] * (width + 2 * FURTHEST) + columns[:, None, :]).flatten(1).to(images.device)
    ground = pad(images, [FURTHEST] * 4).flatten(1)
    return ground.gather(1, where).view_as(images)


AUGMENTATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "none": unchanged,
    "flip and shift": flip_and_shift,
}
