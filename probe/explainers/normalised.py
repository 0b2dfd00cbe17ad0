"""Normalisations of numbers by a mean and a spread of their own: what rules ask of a call."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Normalised(NamedTuple):
    """The arguments of a layer, group, instance or RMS normalisation, with numbers shaped as they are averaged."""

    numbers: Tensor  # of which those along the axes are divided by their root mean square
    axes: tuple[int, ...]
    eps: float
    weight: Tensor | None
    bias: Tensor | None
    centred: bool = True  # whether their mean is subtracted first

    @staticmethod
    def of(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> "Normalised | None":
        """What a call asks for; None if it is none of these, or divides by what it was given before."""
        asked = _NORMALISATIONS.get(name)
        return asked(*args, **kwargs) if asked else None

    def scaled(self, found: Tensor, shape: torch.Size, one: Tensor | float = 1.0) -> Tensor:
        """Normalised numbers in their shape, times the weight, plus the bias times `one`."""
        found = found.reshape(shape)
        found = found if self.weight is None else found * self.weight
        return found if self.bias is None else found + one * self.bias


def _by_layer(
    numbers: Tensor, shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Normalised:
    return Normalised(numbers, tuple(range(-len(shape), 0)), eps, weight, bias)


def _by_root(numbers: Tensor, shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Normalised:
    eps = torch.finfo(numbers.dtype).eps if eps is None else eps
    return Normalised(numbers, tuple(range(-len(shape), 0)), eps, weight, None, centred=False)


def _by_group(
    numbers: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Normalised:
    weight, bias = (None if one is None else one.view(-1, *[1] * (numbers.ndim - 2)) for one in (weight, bias))
    return Normalised(numbers.reshape(len(numbers), groups, -1), (-1,), eps, weight, bias)


def _by_instance(  # noqa: PLR0913  as torch's own
    numbers: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,  # noqa: FBT001, FBT002
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Normalised | None:
    return _by_group(numbers, numbers.shape[1], weight, bias, eps) if use_input_stats else None


_NORMALISATIONS: Mapping[str, Callable[..., Normalised | None]] = {
    "layer_norm": _by_layer, "rms_norm": _by_root, "group_norm": _by_group, "instance_norm": _by_instance
}  # fmt: skip
