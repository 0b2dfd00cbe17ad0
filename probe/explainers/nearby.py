"""Ask a network rows that differ from a few others within a small region: only what that region reaches is computed.

A window that is taken from an image changes few places of the first layers. The operations of the forward are followed
one by one. As long as they are local, such as convolutions, pooling and functions of single numbers, they are computed
for a patch of each row, and for the rows that it differs from as a whole. Before the first operation that is not, or
whose patch is no smaller than half of its map, the patches are laid into the maps. Answers are those of whole rows, up
to rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, nan, prod
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from probe.explainers.followed import in_place, plain_name, tensors_in
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
    "rmul", "prelu", "batch_norm", "dropout", "dropout2d", "alpha_dropout", "feature_alpha_dropout"})  # fmt: skip
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


@dataclass(frozen=True, eq=False)
class _Patched:
    """Maps that equal one of `base` but for a patch: the map of each, and the first place of its patch."""

    base: Maps
    patch: Maps
    row: Places
    top: Places
    left: Places

    def to(self, change: Callable[[Tensor], Tensor]) -> "_Patched":
        """The same places after a function of single numbers."""
        return replace(self, base=change(self.base), patch=change(self.patch))

    def whole(self) -> Maps:
        """The maps, with the patches in their places."""
        start = torch.zeros_like(self.row)
        return self.cut(start, start, (self.base.shape[2], self.base.shape[3])).contiguous()

    def cut(self, top: Places, left: Places, size: tuple[int, int]) -> Maps:
        """Other patches of the maps."""
        (down, inside_down), (across, inside_across) = (
            _within(at, old, many, length)
            for at, old, many, length in zip(
                (top, left), (self.top, self.left), size, self.patch.shape[2:], strict=True
            )
        )
        # Channels last, as all numbers of a place are then copied together.
        table = torch.cat([maps.permute(0, 2, 3, 1).flatten(0, 2) for maps in (self.base, self.patch)])
        (high, wide), (tall, broad) = self.base.shape[2:], self.patch.shape[2:]
        line = self.row[:, None] * high + top[:, None] + torch.arange(size[0])
        around = line[:, :, None] * wide + (left[:, None] + torch.arange(size[1]))[:, None]
        line = torch.arange(len(self.row))[:, None] * tall + down
        own = len(self.base) * high * wide + line[:, :, None] * broad + across[:, None]
        places = torch.where(inside_down[:, :, None] & inside_across[:, None], own, around)
        return table.index_select(0, places.flatten()).view(*places.shape, -1).permute(0, 3, 1, 2)


class _Axis(NamedTuple):
    """How an operation slides along an axis."""

    length: int
    kernel: int  # how far it reaches, with its gaps
    stride: int
    padding: int

    @property
    def outputs(self) -> int:
        return (self.length + 2 * self.padding - self.kernel) // self.stride + 1

    def reached(self, changed: int) -> int:
        """The most outputs that so many neighbouring changes reach."""
        return min(self.outputs, (changed + self.kernel - 2) // self.stride + 1)

    def first(self, at: Places, changed: int) -> Places:
        """From which output on they are reached, moved back so that as many follow for each row."""
        first = -((self.kernel - 1 - self.padding - at) // self.stride)
        return first.clamp(0, self.outputs - self.reached(changed))

    def read(self, outputs: int) -> int:
        """How many neighbouring inputs so many outputs read."""
        return (outputs - 1) * self.stride + self.kernel


class _Local(TorchFunctionMode):
    """Computes patches as long as operations are local; what stands for their maps has a shape, but no numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[int, tuple[Tensor, _Patched]] = {}  # by identity, and held, so that no other tensor gets it
        self._given: dict[int, Tensor] = {}  # whole maps that others have, and may change

    def hold(self, stands: Tensor, patched: _Patched) -> Tensor:
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
            if in_place(func) or kwargs.get("inplace"):
                return self.hold(held[0], found)
            shape = (len(found.row), *found.base.shape[1:])
            return self.hold(torch.full((), nan, dtype=found.patch.dtype).expand(shape), found)
        return func(*self.whole(args), **self.whole(kwargs))

    def _near(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> _Patched | None:
        """The patches after an operation; None where it is not local, or they are too large."""
        patched = self._held[id(args[0])][1]
        if name in _SINGLE and _single(name, args, kwargs):
            return patched.to(lambda maps: func(maps, *args[1:], **kwargs))
        if name not in _TAKES:
            return None
        given = dict(zip(_TAKES[name], args, strict=False)) | kwargs
        axes = _axes(name, given, patched.base)
        if axes is None:
            return None
        reached = [axis.reached(changed) for axis, changed in zip(axes, patched.patch.shape[2:], strict=True)]
        if prod(reached) > _SHARE * prod(axis.outputs for axis in axes):
            return None
        top, left = (
            axis.first(at, changed)
            for axis, at, changed in zip(axes, (patched.top, patched.left), patched.patch.shape[2:], strict=True)
        )
        (high, wide), (down, across) = (axis.padding for axis in axes), (axis.stride for axis in axes)
        edge = -inf if name == "max_pool2d" else 0.0
        padded = nn.functional.pad(patched.base, (wide, wide, high, high), value=edge)
        around = replace(patched, base=padded, top=patched.top + high, left=patched.left + wide)
        size = axes[0].read(reached[0]), axes[1].read(reached[1])
        cut = around.cut(top * down, left * across, size)
        other = {key: value for key, value in given.items() if key != "input"}
        return _Patched(func(patched.base, **other), func(cut, **other | {"padding": 0}), patched.row, top, left)


def _followed(model: Model, inputs: Inputs) -> _Forward | None:
    """The forward of a network for images on the CPU that has no edits, and whose layers nobody watches."""
    inner, images = model.forward, inputs.ndim == 4 and inputs.is_floating_point() and inputs.device.type == "cpu"
    if not images or model.edits or model.embed is not None or not isinstance(inner, nn.Module):
        return None
    watched = any(sealed_as(part) or part._forward_hooks or part._forward_pre_hooks for part in inner.modules())
    return None if watched else _Forward(inner)


def _cut_out(shown: Maps, near: Maps, row: Places) -> _Patched | None:
    """What rows change of those that they are near; None where that is much."""
    changed = unequal(shown, near.index_select(0, row)).any(1)
    (top, height), (left, width) = _extent(changed.any(2)), _extent(changed.any(1))
    if height * width > _SHARE * prod(shown.shape[2:]):
        return None
    around = shown.unfold(2, height, 1).unfold(3, width, 1)
    return _Patched(near, around[torch.arange(len(shown)), :, top, left], row, top, left)


def _extent(changed: Bool[Tensor, "rows length"]) -> tuple[Places, int]:
    """Where changes begin, and how far the longest of them goes; the others begin earlier where they have to."""
    length, some = changed.shape[1], changed.any(1)
    start = torch.where(some, changed.int().argmax(1), 0)
    stop = torch.where(some, length - changed.flip(1).int().argmax(1), 1)
    longest = int((stop - start).max())
    return start.clamp(max=length - longest), longest


def _within(at: Places, old: Places, many: int, length: int) -> tuple[Int[Tensor, "r m"], Bool[Tensor, "r m"]]:
    """The places of an old patch that a new one shows, and where it does."""
    place = (at - old)[:, None] + torch.arange(many)
    return place.clamp(0, length - 1), (place >= 0) & (place < length)


def _single(name: str, args: tuple[Any, ...], kwargs: Any) -> bool:
    """Whether an operation changes each number by itself, and alike at each place of a map."""
    if kwargs.get("training") or ("dropout" in name and any(each is True for each in args[1:])):
        return False
    if name in _BY_CHANNEL:
        return name != "batch_norm" or not any(each is True for each in args[5:6])
    others = list(tensors_in((args[1:], kwargs)))
    return all(each.ndim <= 4 and all(n == 1 for n in (*each.shape[-2:], *each.shape[:-3])) for each in others)


def _axes(name: str, given: dict[str, Any], maps: Maps) -> tuple[_Axis, _Axis] | None:
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
    return tuple(map(_Axis, maps.shape[2:], reach, stride, padding))  # type: ignore[return-value]  # two axes


def _two(value: Any) -> tuple[int, int]:
    both = tuple(value) if isinstance(value, tuple | list | torch.Size) else (value,)
    return (int(both[0]), int(both[-1]))
