"""Changes of series without edges."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from probe.attacks.mapped import Mapped, MappedAttack
from probe.errors import Unsupported
from probe.method import param
from probe.model import Model
from probe.shapes import Inputs, PerExample
from probe.space import Space


@dataclass(frozen=True, kw_only=True)
class SmoothPerturbation(MappedAttack):
    """Smooth changes of series or images within a radius (Smooth Adversarial Perturbation, Han et al. 2020).

    PGD's changes of a series are square waves that no sensor measures. Here a series of numbers within the radius is
    blurred by a Gaussian of standard deviation `width` along each channel, after arXiv:1905.05163, which takes the mean
    of five such blurs; images are blurred down and across. A mean of numbers within the radius is within it too. Steps
    go up the loss by the sign of its slope and shrink; the first is `step` radii. The best point of each example is
    kept: on a linear model, away from the bounds of the space, it is the worst of all such changes. Neighbours differ
    by at most 0.8 / `width` radii more in their change, but where bounds or fixed coordinates cut it off; `roughness`
    measures by how much. What PGD breaks and this attack does not, takes edges.

    Raises:
        Unsupported: if inputs are neither series nor images, whose coordinates have neighbours.

    >>> import torch
    >>> from probe import Model, Space
    >>> from probe.attacks import PGD, SmoothPerturbation
    >>> from probe.attacks.smooth import roughness
    >>> weight = torch.tensor([1.0, 1, -1, 1, -1, -1, -1, 1, -1, -1])
    >>> forward = lambda x: torch.stack([x[:, 0] @ weight, 0 * x[:, 0, 0] - 9], 1)
    >>> model = Model(forward=forward, space=Space(form="series", bounds=(-1.0, 1.0)))
    >>> found = [kind(eps=0.5)(model, torch.zeros(1, 1, 10), torch.tensor([0])) for kind in (PGD, SmoothPerturbation)]
    >>> [round(float(roughness(each.perturbed - each.inputs)), 2) for each in found]
    [0.56, 0.09]
    """

    width: float = param(2.0, "standard deviation of the blur, in measurements or pixels", above=0.0)

    def check_threat(self, model: Model, inputs: Inputs) -> None:
        super().check_threat(model, inputs)
        if not model.space.form_of(inputs).near:
            raise Unsupported(
                f"{self.name()} makes smooth changes of series and images, and these inputs are "
                f"{model.space.form_of(inputs).read_as} without neighbours; choose an attack such as pgd, or say what "
                'they are, such as Space(form="series")'
            )

    def begun(self, space: Space, origin: Inputs) -> tuple[Callable[..., Mapped], Tensor]:
        axes = origin.shape[-space.form_of(origin).near :]
        return partial(_Blurred.at, blurs=tuple(blur(length, self.width).to(origin) for length in axes)), origin


@dataclass(kw_only=True)
class _Blurred(Mapped):
    blurs: tuple[Tensor, ...]  # of the last axes

    def spread(self, numbers: Tensor) -> Tensor:
        return _along(numbers, [each.mT for each in self.blurs])

    def gathered(self, gradient: Tensor) -> Tensor:
        return _along(gradient, self.blurs)


def _along(values: Tensor, matrices: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    for axis, matrix in enumerate(matrices, start=-len(matrices)):
        values = (values.movedim(axis, -1) @ matrix).movedim(-1, axis)
    return values


def blur(length: int, width: float) -> Tensor:
    """The Gaussian means of a series, (length, length): each row has weights that sum to 1."""
    at = torch.arange(length, dtype=torch.float64)
    weights = torch.exp(-((at[:, None] - at) / width).square() / 2)
    return weights / weights.sum(1, keepdim=True)


def roughness(change: Inputs) -> PerExample:
    """The mean absolute difference between neighbours along the last axis: that of a constant change is 0."""
    return change.diff(dim=-1).abs().flatten(1).mean(1)
