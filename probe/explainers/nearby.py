"""Ask a network rows that differ from a few others within a small region: only what that region reaches is computed.

A window that is taken from an image changes few places of the first layers. The operations of the forward are followed
one by one. As long as they are local, such as convolutions, pooling and functions of single numbers, they are computed
for a patch of each row, and for the rows that it differs from as a whole. A convolution adds what the changes of its
inputs add, as they are fewer than the outputs that they reach. Before the first operation that is not local, or whose
patch is no smaller than half of its map, the patches are laid into the maps. Answers are those of whole rows, up to
rounding.
"""

from collections.abc import Callable
from dataclasses import replace
from math import inf, nan, prod
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from probe.explainers.followed import in_place, plain_name, tensors_in
from probe.explainers.patches import Axis, Patched, sum_of
from probe.internals import sealed_as
from probe.model import Model
from probe.shapes import Inputs, Labels, PerExample
from probe.tensors import unequal

Maps = Float[Tensor, "_ _ _ _"]
Places = Int[Tensor, " rows"]

_TELLS = frozenset({"shape", "size", "dim", "ndim", "ndimension", "numel", "nelement", "len", "device", "dtype",
    "is_cuda", "is_floating_point", "is_complex", "requires_grad"})  # fmt: skip
_SINGLE = frozenset({"relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish",
    "hardsigmoid", "tanh", "sigmoid", "hardtanh", "softplus", "softsign", "logsigmoid", "clamp", "clamp_min",
    "clamp_max", "abs", "exp", "sqrt", "neg", "square", "pow", "add", "sub", "mul", "div", "truediv", "radd", "rsub",
    "rmul", "prelu", "batch_norm", "dropout", "dropout2d", "alpha_dropout", "feature_alpha_dropout", "to", "float",
    "double", "clone"})  # fmt: skip
_BY_CHANNEL = frozenset({"batch_norm", "prelu"})  # other arguments are one number for each channel
_TAKES = {
    "conv2d": ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    "max_pool2d": ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "avg_pool2d": ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
}
_SHARE = 0.5  # of a map; a larger patch costs more to cut out than it saves
_ROWS = 8  # rows for each that they differ from, at least


class Nearby:
    """A model that is asked rows which each differ from one of the `inputs`; `follow` where they differ in a region."""

    def __init__(self, model: Model, inputs: Inputs, *, follow: bool) -> None:
        self.inputs = inputs
        self.forward = _followed(model, inputs) if follow else None
        self.model = model if self.forward is None else replace(model, forward=self.forward)

    def target_outputs(self, shown: Inputs, row: Places, targets: Labels, output: str) -> PerExample:
        """The output for the target of each of the rows that are shown; it differs from the input at `row`."""
        if self.forward is None:
            return self.model.target_outputs(shown, targets, output)
        which, row = torch.unique(row, return_inverse=True)
        if len(which) * _ROWS <= len(row):
            self.forward.near = self.inputs[which], row
        try:
            return self.model.target_outputs(shown, targets, output)
        finally:
            self.forward.near = None


class _Forward(nn.Module):
    """A user's forward; it is asked by itself wherever its rows cannot be followed."""

    near: tuple[Maps, Places] | None = None

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.training = False

    def forward(self, inputs: Tensor) -> Any:
        """What the user's forward gives."""
        patched = _cut_out(inputs, *self.near) if self.near and len(self.near[1]) == len(inputs) else None
        if patched is None:
            return self.inner(inputs)
        mode = _Local()
        mode.hold(inputs, patched)
        with mode:
            found = mode.whole(self.inner(inputs))
        # What the mode was not told of has read the places of a map that is not there.
        seen = any(bool(each.isnan().any()) for each in tensors_in(found) if each.is_floating_point())
        return self.inner(inputs) if seen else found


class _Local(TorchFunctionMode):
    """Computes patches as long as operations are local; what stands for their maps has a shape, but no numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[int, tuple[Tensor, Patched]] = {}  # by identity, and held, so that no other tensor gets it
        self._given: dict[int, Tensor] = {}  # whole maps that others have, and may change

    def hold(self, stands: Tensor, patched: Patched) -> Tensor:
        """Let a tensor stand for patched maps."""
        self._held[id(stands)] = stands, patched
        return stands

    def whole(self, value: Any) -> Any:
        """A value in which maps that are held are whole."""
        if isinstance(value, Tensor):
            if id(value) in self._held and id(value) not in self._given:
                self._given[id(value)] = self._held[id(value)][1].whole()
            return self._given.get(id(value), value)
        if isinstance(value, tuple | list):
            made = [self.whole(each) for each in value]
            return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
        if isinstance(value, dict):
            return {name: self.whole(each) for name, each in value.items()}
        return value

    # Without annotations, as torch's own.
    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        kwargs = kwargs or {}
        name = plain_name(func)
        held = [each for each in tensors_in((args, kwargs)) if id(each) in self._held]
        if not held or name in _TELLS:
            return func(*args, **kwargs)
        first = args[0] if args else None
        local = len(held) == 1 and held[0] is first and id(first) not in self._given and kwargs.get("out") is None
        found = self._near(name, func, args, kwargs) if local else None
        if found is not None:
            if isinstance(found, Tensor):
                return found
            if found.patch is self._held[id(first)][1].patch:  # such as a dtype that it has
                return first
            if in_place(func) or kwargs.get("inplace"):
                return self.hold(held[0], found)
            shape = (len(found.row), *found.base.shape[1:])
            return self.hold(torch.full((), nan, dtype=found.patch.dtype).expand(shape), found)
        return func(*self.whole(args), **self.whole(kwargs))

    def _near(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Patched | Maps | None:
        """The patches after an operation, or whole maps; None where it is not local, or they are too large."""
        patched = self._held[id(args[0])][1]
        if name in _SINGLE and _single(name, args, kwargs):
            return patched.to(lambda maps: func(maps, *args[1:], **kwargs))
        if name not in _TAKES:
            return None
        given = dict(zip(_TAKES[name], args, strict=False)) | kwargs
        axes = _axes(name, given, patched.base)
        if axes is None:
            return None
        other = {key: value for key, value in given.items() if key != "input"}
        if name == "conv2d" and all(axis.stride == 1 for axis in axes):
            return _convolved(patched, axes, func, other)
        size = [axis.reached(changed) for axis, changed in zip(axes, patched.size, strict=True)]
        if prod(size) > _SHARE * prod(axis.outputs for axis in axes):
            return None
        top, left = (axis.first(at, many) for axis, at, many in zip(axes, patched.places, patched.size, strict=True))
        (high, wide), (down, across) = (axis.padding for axis in axes), (axis.stride for axis in axes)
        edge = -inf if name == "max_pool2d" else 0.0
        padded = nn.functional.pad(patched.base, (wide, wide, high, high), value=edge)
        around = replace(patched, base=padded, top=patched.top + high, left=patched.left + wide)
        cut = around.cut(top * down, left * across, (axes[0].read(size[0]), axes[1].read(size[1])))
        return Patched(func(patched.base, **other), func(cut, **other | {"padding": 0}), patched.row, top, left)


def _convolved(
    patched: Patched, axes: tuple[Axis, Axis], func: Callable[..., Any], other: dict[str, Any]
) -> Patched | Maps | None:
    """After a convolution without strides, which is linear: maps of what rows differ from, and what changes add."""
    if prod(patched.size) > _SHARE * prod(axis.outputs for axis in axes):
        return None
    groups, dilation = other.get("groups", 1), other.get("dilation", 1)
    weight = other["weight"].unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1).flip(2, 3)
    added = nn.functional.conv_transpose2d(patched.change(), weight, groups=groups, dilation=dilation)
    size = [axis.reached(changed) for axis, changed in zip(axes, patched.size, strict=True)]
    whole = prod(size) > _SHARE * prod(axis.outputs for axis in axes)
    if whole:
        size = [axis.outputs for axis in axes]
        top = left = torch.zeros_like(patched.row)
    else:
        top, left = (axis.first(at, many) for axis, at, many in zip(axes, patched.places, patched.size, strict=True))
    reach = [at + axis.padding - axis.kernel + 1 for axis, at in zip(axes, patched.places, strict=True)]
    base = func(patched.base, **other)
    found = sum_of(base, added, patched.row, reach, (top, left), size)
    return found if whole else Patched(base, found, patched.row, top, left)


def _followed(model: Model, inputs: Inputs) -> _Forward | None:
    """The forward of a network for images on the CPU that has no edits, and whose layers nobody watches."""
    inner, images = model.forward, inputs.ndim == 4 and inputs.is_floating_point() and inputs.device.type == "cpu"
    if not images or model.edits or model.embed is not None or not isinstance(inner, nn.Module):
        return None
    watched = any(sealed_as(part) or part._forward_hooks or part._forward_pre_hooks for part in inner.modules())
    return None if watched else _Forward(inner)


def _cut_out(shown: Maps, near: Maps, row: Places) -> Patched | None:
    """What rows change of those that they are near; None where that is much."""
    changed = unequal(shown, near.index_select(0, row)).any(1)
    (top, height), (left, width) = _extent(changed.any(2)), _extent(changed.any(1))
    if height * width > _SHARE * prod(shown.shape[2:]):
        return None
    around = shown.unfold(2, height, 1).unfold(3, width, 1)
    return Patched(near, around[torch.arange(len(shown)), :, top, left], row, top, left)


def _extent(changed: Bool[Tensor, "rows length"]) -> tuple[Places, int]:
    """Where changes begin, and how far the longest of them goes; the others begin earlier where they have to."""
    length, some = changed.shape[1], changed.any(1)
    start = torch.where(some, changed.int().argmax(1), 0)
    stop = torch.where(some, length - changed.flip(1).int().argmax(1), 1)
    longest = int((stop - start).max())
    return start.clamp(max=length - longest), longest


def _single(name: str, args: tuple[Any, ...], kwargs: Any) -> bool:
    """Whether an operation changes each number by itself, and alike at each place of a map."""
    if kwargs.get("training") or ("dropout" in name and any(each is True for each in args[1:])):
        return False
    if name in _BY_CHANNEL:
        return name != "batch_norm" or not any(each is True for each in args[5:6])
    others = list(tensors_in((args[1:], kwargs)))
    return all(each.ndim <= 4 and all(n == 1 for n in (*each.shape[-2:], *each.shape[:-3])) for each in others)


def _axes(name: str, given: dict[str, Any], maps: Maps) -> tuple[Axis, Axis] | None:
    """How convolution or pooling slides along both axes; None where its edges are special."""
    convolution = name == "conv2d"
    kernel = given["weight"].shape[2:] if convolution else _two(given["kernel_size"])
    stride = _two(given.get("stride") or (1 if convolution else kernel))
    dilation = _two(given.get("dilation", 1))
    reach = [(k - 1) * gap + 1 for k, gap in zip(kernel, dilation, strict=True)]
    padding = given.get("padding", 0)
    if padding == "same":
        if any(r % 2 == 0 for r in reach):
            return None
        padding = [r // 2 for r in reach]
    padding = _two(0 if padding == "valid" else padding)
    if given.get("ceil_mode") or (any(padding) and given.get("count_include_pad") is False):
        return None
    return tuple(map(Axis, maps.shape[2:], reach, stride, padding))  # type: ignore[return-value]  # two axes


def _two(value: Any) -> tuple[int, int]:
    both = tuple(value) if isinstance(value, tuple | list | torch.Size) else (value,)
    return (int(both[0]), int(both[-1]))
