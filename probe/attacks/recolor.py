"""Changes of the colours of images: pixels of one colour stay pixels of one colour."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from probe.attacks.mapped import Mapped, MappedAttack
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs
from probe.space import Space
from probe.tensors import wide


@dataclass(frozen=True, kw_only=True)
class Recolor(MappedAttack):
    """One change of colours for all pixels of an image (ReColorAdv, Laidlaw and Feizi 2019, arXiv:1906.00001).

    A grid of `colours` by `colours` by `colours` colours spans those of the image, each knot moves by at most the
    radius in each channel, and a colour between knots moves by the mean of its eight, linearly. So pixels of one colour
    stay pixels of one colour, and similar ones similar: a model that withstands this attack and not PGD sees patterns
    that no light makes. The grid is of the values that the model gets, and so is the radius. The paper also has a grid
    of CIELUV, in which equal distances look alike, whose radii are of other units, and a penalty for differences
    between knots, instead of which a coarse grid keeps the change smooth here. Steps go up the loss by the sign of its
    slope and shrink; the first is `step` radii. The best point of each example is kept: on a linear model, away from
    the bounds of the space, it is the worst of all such changes.

    Raises:
        Unsupported: if inputs are not images of three channels.

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import PGD, Recolor
    >>> def forward(x):  # by how much the left half is redder than the right one
    ...     return torch.stack([x[:, 0, :, :1].mean((1, 2)) - x[:, 0, :, 1:].mean((1, 2)) + 0.1, 0 * x[:, 0, 0, 0]], 1)
    >>> model, grey = Model(forward=forward), torch.full((1, 3, 2, 2), 0.5)
    >>> [kind(eps=0.2)(model, grey, torch.tensor([0])).success.tolist() for kind in (PGD, Recolor)]
    [[True], [False]]
    """

    colours: int = param(6, "knots of the grid along each channel", low=1, high=64)

    def check_threat(self, model: Model, inputs: Inputs) -> None:
        super().check_threat(model, inputs)
        if inputs.ndim != 4 or inputs.shape[1] != 3:
            raise Unsupported(
                f"{self.name()} changes the colours of images (3, height, width), and each example has shape "
                f"{tuple(inputs.shape[1:])}; choose an attack such as pgd or square"
            )

    def begun(self, space: Space, origin: Inputs) -> tuple[Callable[..., Mapped], Tensor]:
        weights = knots(origin, self.colours)
        return partial(_Coloured.at, weights=weights), origin.new_empty(len(origin), 3 * self.colours**3)


@dataclass(kw_only=True)
class _Coloured(Mapped):
    weights: Tensor  # of the knots along each channel, for each pixel: (batch, 3, pixels, knots)

    def spread(self, numbers: Tensor) -> Tensor:
        across, down, deep = self.weights.unbind(1)
        count = self.weights.shape[-1]
        grid = numbers.view(len(numbers), count * count, count * 3)
        pairs = (across[..., :, None] * down[..., None, :]).flatten(2)
        moved = (pairs @ grid).view(*deep.shape, 3) * deep[..., None]
        return moved.sum(2).mT.reshape(self.x.shape)

    def gathered(self, gradient: Tensor) -> Tensor:
        across, down, deep = self.weights.unbind(1)
        pairs = (across[..., :, None] * down[..., None, :]).flatten(2)
        slopes = (deep[..., None] * gradient.flatten(2).mT[:, :, None]).flatten(2)
        return (pairs.mT @ slopes).flatten(1)


def knots(images: Inputs, count: int) -> Tensor:
    """How much of each pixel's colour each knot has, along each channel: hats over the colours of the image."""
    values = wide(images).flatten(2)
    low, high = values.amin(2, keepdim=True), values.amax(2, keepdim=True)
    span = torch.where(high > low, high - low, 1.0)
    places = (values - low) / span * (count - 1)
    at = torch.arange(count, device=places.device, dtype=places.dtype)
    return (1 - (places[..., None] - at).abs()).clamp(min=0)
