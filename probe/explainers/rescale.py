"""The rules of DeepLIFT: a multiplier is the change of a result over the change of its argument (arXiv:1704.02685).

The rows that are explained and their baselines go through the network together, the first half of each batch and the
second. A function of single numbers has the rescale rule, a product of two numbers that both change has the mean of
both orders in which they can, the largest of several has what the larger of both rows chose. Softmax, layer
normalisation and attention are made of these. All rules are exact, so that the values of any such network add up.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from probe.explainers.followed import (
    MOVES,
    PRODUCTS,
    QUOTIENTS,
    SUMS,
    THROUGH_0,
    WEIGHTED,
    Attended,
    Rules,
    function,
)
from probe.explainers.normalised import Normalised

# Functions of single numbers: the rule asks nothing of them.
_SINGLE = THROUGH_0 | {
    "sigmoid", "softplus", "logsigmoid", "hardsigmoid", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "square",
    "pow", "abs", "absolute", "sin", "cos", "reciprocal", "clamp", "clip", "clamp_min", "clamp_max", "threshold", "erf",
    "rpow", "logit",
}  # fmt: skip
_POOLS = {"max_pool1d": 1, "max_pool2d": 2, "max_pool3d": 3}
_NEAR = 1e-6  # changes of an argument below that, in parts of its size, have the derivative for a multiplier


class Rescale(Rules):
    """The rule of each operation, over rows and their baselines."""

    def apply(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        several = [at for at, each in enumerate(args) if self.follows(each)]
        if several == [0] and (asked := Normalised.of(func, args, kwargs)):
            return _normalised(asked, args[0].shape)
        if name in MOVES | SUMS | {"batch_norm", "instance_norm"}:
            return func(*args, **kwargs)
        if name in PRODUCTS and len(several) == 2:
            return self.written(_product(func, args, kwargs), func, args, kwargs)
        if (name in PRODUCTS | WEIGHTED or (name in QUOTIENTS and several == [0])) and len(several) == 1:
            return func(*args, **kwargs)
        if name in QUOTIENTS:
            return self.written(_quotient(*args[:2], both=len(several) == 2), func, args, kwargs)
        if name == "einsum" and len(args) == 3 and isinstance(args[0], str):
            return self._summed(func, args, kwargs)
        if name in _SINGLE and several == [0]:
            return self.written(_single(function(func, args, kwargs), args[0]), func, args, kwargs)
        if name in _POOLS and several == [0]:
            return _pooled(_POOLS[name], args, kwargs)
        if name in ("amax", "max") and several == [0]:
            return self._largest(name, args, kwargs)
        if name == "softmax" and several == [0]:
            return _shares(args[0], kwargs["dim"] if "dim" in kwargs else args[1])
        if name == "scaled_dot_product_attention":
            return self._attended(Attended(*args, **kwargs))
        return self.unruled(name, func, args, kwargs)

    def _summed(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """A product of two arguments whose sum is written as indices."""
        if not all(self.follows(each) for each in args[1:]):
            found: Tensor = func(*args, **kwargs)
            return found
        return _product(lambda *both, **more: func(args[0], *both, **more), args[1:], kwargs)

    def _largest(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = dict(zip(("dim", "keepdim"), args[1:], strict=False)) | kwargs
        if not isinstance(given.get("dim"), int):
            raise self.refused(f"{name} over several dimensions")
        numbers, dim = args[0], given["dim"]
        place = numbers.detach().max(dim, keepdim=True).indices
        found = _chosen(numbers, place, dim)
        if not given.get("keepdim", False):
            found, place = found.squeeze(dim), place.squeeze(dim)
        return found if name == "amax" else torch.return_types.max((found, place))

    def _attended(self, given: Attended) -> Tensor:
        if given.attn_mask is not None or given.is_causal or given.dropout_p or given.enable_gqa:
            raise self.refused("attention with a mask")
        scores = _product(torch.matmul, (given.query * given.factor, given.key.mT), {})
        return _product(torch.matmul, (_shares(scores, -1), given.value), {})


def _single(function: Callable[[Tensor], Tensor], numbers: Tensor) -> Tensor:
    """A function of single numbers, whose slope is that between the row and its baseline."""
    here = numbers.detach()
    found = function(here)
    (row, behind), (new, old) = here.chunk(2), found.chunk(2)
    gap = row - behind
    near = gap.abs() <= _NEAR * (1 + row.abs())
    slope = (new - old) / torch.where(near, 1, gap)
    if bool(near.any()):
        with torch.enable_grad():
            at = row.clone().requires_grad_()
            (derivative,) = torch.autograd.grad(function(at).sum(), at)
        slope = torch.where(near, derivative.to(slope), slope)
    return _with_slope(found, numbers * torch.cat([slope, slope]))


def _product(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """A product of two arguments that both change: each has the mean of the other for its factor."""
    one, two = (_mean(each.detach()) for each in args[:2])
    return _with_slope(func(*(each.detach() for each in args[:2]), **kwargs), func(args[0], two) + func(one, args[1]))


def _mean(numbers: Tensor) -> Tensor:
    row, behind = numbers.chunk(2)
    half = (row + behind) / 2
    return torch.cat([half, half])


def _quotient(over: Any, under: Tensor, *, both: bool) -> Tensor:
    """A quotient whose divisor changes, and maybe what is divided."""
    inverse = _single(torch.reciprocal, under)
    return _product(torch.mul, (over, inverse), {}) if both else over * inverse


def _pooled(dims: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    numbers, pool = args[0], getattr(F, f"max_pool{dims}d_with_indices")
    told = {key: value for key, value in kwargs.items() if key != "return_indices"}
    found, place = pool(numbers.detach(), *args[1:6], **told)
    chosen = _chosen(numbers.flatten(-dims), place.flatten(-dims), -1)
    return chosen.view(found.shape)


def _chosen(numbers: Tensor, place: Tensor, dim: int) -> Tensor:
    """The largest numbers, which are at a place each: their change belongs to the place of the larger of both rows."""
    found = numbers.detach().gather(dim, place)
    (new, old), (row, behind) = found.chunk(2), place.chunk(2)
    at = torch.where(new >= old, row, behind)
    there = numbers.gather(dim, torch.cat([at, at]))
    changed, was = there.detach().chunk(2)
    near = (changed - was).abs() <= _NEAR * (1 + changed.abs())
    part = torch.where(near, 1, (new - old) / torch.where(near, 1, changed - was))
    return _with_slope(found, there * torch.cat([part, part]))


def _shares(scores: Tensor, dim: int) -> Tensor:
    """Exponentials over their sum."""
    row, behind = scores.detach().amax(dim, keepdim=True).chunk(2)
    largest = row.maximum(behind)
    each = _single(torch.exp, scores - torch.cat([largest, largest]))
    return _product(torch.mul, (each, _single(torch.reciprocal, each.sum(dim, keepdim=True))), {})


def _normalised(asked: Normalised, shape: torch.Size) -> Tensor:
    """Numbers, less their mean where it is subtracted, over the root of their mean square."""
    off = asked.numbers - asked.numbers.mean(asked.axes, keepdim=True) if asked.centred else asked.numbers
    spread = _product(torch.mul, (off, off), {}).mean(asked.axes, keepdim=True)
    return asked.scaled(_product(torch.mul, (off, _single(torch.rsqrt, spread + asked.eps)), {}), shape)


def _with_slope(value: Tensor, sloped: Tensor) -> Tensor:
    """A value with the gradient of another."""
    return sloped + (value - sloped).detach()
