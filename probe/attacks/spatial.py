"""Rotations and translations of images, by queries only."""

from dataclasses import dataclass
from math import pi
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from probe.contracts import Aim, Attack
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.norms import Radius
from probe.numbers import Number
from probe.shapes import Inputs, PerExample
from probe.space import Space
from probe.tensors import column, parted, wide
from probe.threats import Threat


@dataclass(frozen=True)
class Turned(Threat):
    """Rotations and translations of images; the budget is a share of the largest ones that the attack has."""

    unit = "share"
    axis = "share of the largest rotation and shift"

    def length(self, space: Space, moved: Inputs, origin: Inputs) -> PerExample:
        """NaN: an angle cannot be measured from its effect."""
        return torch.full((len(moved),), torch.nan, device=moved.device)

    def project(self, space: Space, moved: Inputs, origin: Inputs, amount: Radius) -> Inputs:
        return space.project(moved, origin)


@dataclass(frozen=True, kw_only=True)
class RotationTranslation(Attack):
    """The worst of a grid of rotations and translations (Engstrom et al. 2019, arXiv:1712.02779).

    An image is turned around its middle by up to `degrees` to each side and shifted by up to `pixels` down and across,
    with linear interpolation; what comes in from outside is the pixel at the edge. `eps` is a share of both: at 0.5
    they are half as large, with as many points on the grid. Small changes are tried first, and an image that has
    reached the goal is asked no further; of the others the one with the highest loss is kept. The first point of the
    grid is the image itself. It needs no gradients, and draws no random numbers: nothing on its grid does more, which
    says nothing of angles between. Angles are positive anticlockwise.

    Raises:
        Unsupported: if inputs are not images (channels, height, width).

    >>> import torch
    >>> from probe import Model
    >>> from probe.attacks import RotationTranslation
    >>> forward = lambda x: torch.stack([x[:, 0, 2, 2], 0.5 + 0 * x[:, 0, 2, 2]], 1)  # of the pixel in the middle
    >>> model = Model(forward=forward, classes=("bright", "dark"))
    >>> image = torch.zeros(1, 1, 5, 5)
    >>> image[0, 0, 2, 2] = 1
    >>> found = RotationTranslation(degrees=0, pixels=1, shifts=3)(model, image, torch.tensor([0]))
    >>> found.success, found.perturbed[0, 0].nonzero().tolist()
    (tensor([True]), [[2, 1]])
    """

    threat: ClassVar[Threat] = Turned()

    eps: Number = param(1.0, "share of the largest rotation and shift", low=0.0)
    degrees: float = param(30.0, "largest rotation to each side", low=0.0, high=180.0)
    pixels: float = param(3.0, "largest shift down and across, in pixels", low=0.0)
    angles: int = param(31, "angles of the grid, which are evenly spaced", low=1)
    shifts: int = param(5, "shifts of the grid down, and as many across", low=1)

    def check_threat(self, model: Model, inputs: Inputs) -> None:
        super().check_threat(model, inputs)
        if inputs.ndim != 4:
            raise Unsupported(
                f"{self.name()} turns images (channels, height, width), and each example has shape "
                f"{tuple(inputs.shape[1:])}; choose an attack such as pgd or square"
            )

    def could_move(self, space: Space, inputs: Inputs) -> Tensor:
        return super().could_move(space, inputs) & (self.degrees > 0 or self.pixels > 0)

    def perturb(self, model: Model, inputs: Inputs, aim: Aim) -> Inputs:
        best, highest = inputs.clone(), torch.full_like(aim.budget, -torch.inf)
        left = torch.arange(len(inputs), device=inputs.device)
        for turn, down, across in self._grid():
            if not len(left):
                break
            part, origin = aim[left], inputs[left]
            angle, rows, columns = (each * part.budget for each in (turn * self.degrees, down, across))
            moved = turned(origin, angle, rows, columns) if turn or down or across else origin
            point = model.space.project(torch.where(column(part.budget > 0, moved), moved, origin), origin)
            loss, reached = part.ask(point)
            better = reached | (loss > highest[left])
            best[left] = torch.where(column(better, point), point, best[left])
            highest[left] = torch.where(better, loss, highest[left])
            left = left[parted(reached)[0]]
        return best

    def _grid(self) -> list[tuple[float, float, float]]:
        """Shares of the largest angle, and shifts down and across, the smallest changes first."""
        shares, shifts = _even(self.angles, 1.0), _even(self.shifts, self.pixels)
        # Of as many pixels: a rotation by the largest angle counts as a shift by the largest number.
        most = max(self.pixels, 1e-9)
        every = [(share, down, across) for share in shares for down in shifts for across in shifts]
        return sorted(every, key=lambda each: each[0] ** 2 + (each[1] / most) ** 2 + (each[2] / most) ** 2)


def _even(count: int, most: float) -> list[float]:
    """Evenly spaced numbers around 0, each once; 0 is always one of them."""
    spaced = [most * (2 * at / (count - 1) - 1) for at in range(count)] if count > 1 else [0.0]
    return sorted({0.0, *spaced}, key=lambda each: (abs(each), each))


def turned(images: Inputs, degrees: PerExample, down: PerExample, across: PerExample) -> Inputs:
    """Each image turned around its middle by its angle, and then shifted by its pixels."""
    start = wide(images)
    height, width = images.shape[2:]
    fall, side = (each.to(start)[:, None, None] for each in (down, across))
    y = torch.arange(height, device=images.device, dtype=start.dtype)[:, None] - (height - 1) / 2 - fall
    x = torch.arange(width, device=images.device, dtype=start.dtype) - (width - 1) / 2 - side
    angle = (degrees * (pi / 180)).to(start)[:, None, None]
    cosine, sine = angle.cos(), angle.sin()
    # Where each pixel comes from. Rows grow downwards, so that anticlockwise is a turn from x to -y.
    from_x, from_y = cosine * x - sine * y, sine * x + cosine * y
    sizes = torch.tensor([max(width - 1, 1), max(height - 1, 1)]).to(start)
    grid = torch.stack([from_x, from_y], -1) * 2 / sizes
    return grid_sample(start, grid, padding_mode="border", align_corners=True).to(images.dtype)
