"""Normalisations of numbers by a mean and a spread of their own: what rules ask of a call."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
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
    def of(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> "Normalised | None":
        """What a call asks for; None if it is none of these, or divides by what it was given before."""
        asked = _NORMALISATIONS.get(func)
        return asked(*args, **kwargs) if asked else None

    def scaled(self, found: Tensor, shape: torch.Size, one: Tensor | float = 1.0) -> Tensor:
        """Normalised numbers in their shape, times the weight, plus the bias times `one`."""
        found = found.reshape(shape)
        found = found if self.weight is None else found * self.weight
        return found if self.bias is None else found + one * self.bias


# Arguments have torch's names. Its function and that of its module for layers have the same order but of instance_norm.


def _by_layer(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,  # noqa: FBT001, FBT002
) -> Normalised:
    return Normalised(input, tuple(range(-len(normalized_shape), 0)), eps, weight, bias)


def _by_root(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Normalised:
    eps = torch.finfo(input.dtype).eps if eps is None else eps
    return Normalised(input, tuple(range(-len(normalized_shape), 0)), eps, weight, None, centred=False)


def _by_group(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,  # noqa: FBT001, FBT002
) -> Normalised:
    weight, bias = (None if one is None else one.view(-1, *[1] * (input.ndim - 2)) for one in (weight, bias))
    return Normalised(input.reshape(len(input), num_groups, -1), (-1,), eps, weight, bias)


def _by_instance(  # noqa: PLR0913
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,  # noqa: FBT001, FBT002
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Normalised | None:
    return _by_group(input, input.shape[1], weight, bias, eps) if use_input_stats else None


def _by_instance_of_torch(  # noqa: PLR0913
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,  # noqa: FBT001
    momentum: float,
    eps: float,
    cudnn_enabled: bool,  # noqa: FBT001
) -> Normalised | None:
    return _by_instance(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


_NORMALISATIONS: Mapping[Callable[..., Any], Callable[..., Normalised | None]] = {
    F.layer_norm: _by_layer, torch.layer_norm: _by_layer, F.rms_norm: _by_root, torch.rms_norm: _by_root,
    F.group_norm: _by_group, torch.group_norm: _by_group,
    F.instance_norm: _by_instance, torch.instance_norm: _by_instance_of_torch,
}  # fmt: skip
