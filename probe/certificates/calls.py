"""Which step a call of torch is, if it is one that can be bounded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from probe.certificates.activations import curve_of
from probe.certificates.steps import SAME, Activation, Affine, Late, Part, Pool, Refused, Step, Window

Arguments = Sequence[Any]
BEYOND = 2**31  # torch writes the end of x[:] as a number that no row has


@dataclass(frozen=True, eq=False)
class Call:
    """One operation of torch: what it was given, its tensors that vary with the input, and what it gave."""

    func: Any
    args: Arguments
    kwargs: Mapping[str, Any]
    inputs: Sequence[Tensor]
    shapes: Sequence[tuple[int, ...]]  # of these tensors, before it ran
    made: Sequence[Tensor]
    where: str  # the layer

    @property
    def name(self) -> str:
        """Its name in aten, of one that works in place that of the other."""
        name: str = self.func._schema.name.partition("::")[2]
        return name if name.startswith("_") else name.rstrip("_")


def step_of(call: Call) -> Step:
    """The step that an operation is."""
    refused = Refused(f"{call.name.strip('_')}{call.where}")
    rows = call.shapes[0][0] if call.shapes[0] else 0
    if not call.made or not rows or not call.made[0].is_floating_point():
        return refused
    if any(not shape or shape[0] != rows for shape in (*call.shapes, tuple(call.made[0].shape))):
        return refused
    curve = curve_of(call.name, call.args, call.kwargs)
    if curve is not None and len(call.inputs) == 1 and call.args[0] is call.inputs[0]:
        return Activation(curve)
    if call.name == "max_pool2d_with_indices":
        return _pool(call.args) if call.made[0].ndim == 4 else refused
    make = MAKERS.get(call.name)
    return refused if make is None else make(call) or refused


def _pool(args: Arguments) -> Pool:
    size = _pair(args[1])
    stride = _pair(args[2]) if len(args) > 2 and args[2] else size
    padding, dilation = (_pair(args[at]) if len(args) > at else (1 if at == 4 else 0,) * 2 for at in (3, 4))
    return Pool(size, stride, padding, dilation, bool(args[5]) if len(args) > 5 else False)


def _pair(value: Any) -> tuple[int, int]:
    given = list(value) if isinstance(value, list | tuple) else [value]
    return (given[0], given[-1])


def _linear(call: Call) -> Step | None:
    """Times a matrix, and plus a constant."""
    bias, x, weight = call.args if len(call.args) == 3 else (None, *call.args)
    if x is not call.inputs[0] or len(call.inputs) > 1 or call.kwargs:
        return None
    add = 0 if bias is None else bias
    return Affine(
        lambda value: value @ weight + add,
        lambda width: width @ weight.abs(),
        lambda a, shapes: (a @ weight.T,),
    )


def _convolution(call: Call) -> Step | None:
    x, weight, bias, *rest = call.args
    if x is not call.inputs[0] or len(call.inputs) > 1:
        return None

    stride, padding, dilation, turned, _, groups = rest

    def pulled(a: Tensor, shapes: Sequence[tuple[int, ...]]) -> tuple[Tensor, ...]:
        if not turned:  # a transposed convolution, which is faster than torch's backward one
            beyond = [
                side - (count - 1) * stride[i] + 2 * padding[i] - dilation[i] * (weight.shape[2 + i] - 1) - 1
                for i, (side, count) in enumerate(zip(shapes[0][1:], a.shape[2:], strict=True))
            ]
            return (torch.ops.aten.convolution(a, weight, None, stride, padding, dilation, not turned, beyond, groups),)
        zero = a.new_zeros(1).expand(len(a), *shapes[0])
        back = torch.ops.aten.convolution_backward
        found: Tensor = back(a.contiguous(), zero, weight, None, *rest, [True, False, False])[0]
        return (found,)

    def local(a: Tensor, window: Window, shapes: Sequence[tuple[int, ...]]) -> tuple[Part, ...]:
        seen = torch.ops.aten.convolution(a, weight, None, stride, (0, 0), dilation, not turned, (0, 0), groups)
        first = [at * step - beyond for at, step, beyond in zip(window, stride, padding, strict=True)]
        top, left = (max(0, at) for at in first)  # of what lies beyond the edge nothing is read
        down, across = (side - at for side, at in zip(shapes[0][1:], first, strict=True))
        return ((seen[..., top - first[0] : down, left - first[1] : across], (top, left)),)

    return Affine(
        lambda value: torch.ops.aten.convolution(value, weight, bias, *rest),
        lambda width: torch.ops.aten.convolution(width, weight.abs(), None, *rest),
        pulled,
        local if weight.ndim == 4 and not turned else None,
    )


def _normalised(call: Call) -> Step | None:
    """Batch normalisation in eval mode: each channel times a number, plus another."""
    x, weight, bias, mean, variance = call.args[:5]
    trains = isinstance(call.args[5], bool) and call.args[5]
    if x is not call.inputs[0] or len(call.inputs) > 1 or trains or mean is None or variance is None:
        return None
    eps = call.args[-1] if isinstance(call.args[-1], float) else 1e-5
    factor = (variance + eps).rsqrt() * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - mean * factor
    broad = (-1, *[1] * (x.ndim - 2))
    return _times(factor.view(broad), shift.view(broad))


def _times(factor: Any, shift: Any, *, wider: bool = False) -> Affine:
    """Each number times a factor and plus a shift; `wider` where one of them has more columns than the numbers."""
    size = abs(factor)
    if wider:
        return Affine(lambda v: v * factor + shift, lambda v: v * size + 0 * shift)
    everywhere = not isinstance(factor, Tensor) or factor.shape[-2:] in ((), (1,), (1, 1))
    return Affine(
        lambda v: v * factor + shift,
        lambda v: v * size,
        lambda a, shapes: (a * factor,),
        (lambda a, window, shapes: ((a * factor, window),)) if everywhere else None,
        single=True,
    )


def _sum(call: Call) -> Step | None:
    """One tensor plus or minus another, each of which may be a constant."""
    one, other = call.args[:2]
    alpha = call.kwargs.get("alpha", call.args[2] if len(call.args) > 2 else 1)
    signs = {"add": (1, alpha), "sub": (1, -alpha), "rsub": (-alpha, 1)}[call.name]
    varies = [isinstance(each, Tensor) and any(each is x for x in call.inputs) for each in (one, other)]
    first, second = signs
    if all(varies):
        if one.ndim != other.ndim:
            return None
        sizes = abs(first), abs(second)
        alike = call.shapes[0] == call.shapes[-1]  # else one of them is added to several numbers
        return Affine(
            lambda a, b: first * a + second * b,
            lambda a, b: sizes[0] * a + sizes[1] * b,
            (lambda a, shapes: (first * a, second * a)) if alike else None,
            (lambda a, window, shapes: ((first * a, window), (second * a, window))) if alike else None,
        )
    value, constant = (one, other) if varies[0] else (other, one)
    factor, times = signs if varies[0] else signs[::-1]
    return _by_constant(call, value, constant, factor, times * constant)


def _product(call: Call) -> Step | None:
    """Times or divided by a constant."""
    one, other = call.args[:2]
    if len(call.inputs) > 1 or call.kwargs:
        return None
    if one is call.inputs[0]:
        factor = other if call.name == "mul" else 1 / other
        return _by_constant(call, one, other, factor, 0)
    return _by_constant(call, other, one, one, 0) if call.name == "mul" else None


def _by_constant(call: Call, value: Tensor, constant: Any, factor: Any, shift: Any) -> Step | None:
    """The step of a value and a constant; None unless the constant is the same for all rows."""
    if isinstance(constant, Tensor):
        rows = constant.ndim == value.ndim and constant.shape[0] > 1
        if rows or constant.ndim > value.ndim or call.made[0].ndim != value.ndim:
            return None
    return _times(factor, shift, wider=call.made[0].shape != value.shape)


def _moved(call: Call) -> Step | None:
    """Numbers elsewhere, or sums and means of them: what an operation with no constants does."""
    if not _keeps_rows(call):
        return None
    shape, listed = tuple(call.made[0].shape[1:]), isinstance(call.args[0], list | tuple)
    if call.name in ("clone", "detach", "alias"):  # not torch's own: gradients end at detach
        return SAME
    if call.name in ("view", "_unsafe_view", "reshape"):
        reshaped = partial(_reshaped, shape)
        return Affine(reshaped, reshaped, lambda a, shapes: (_reshaped(shapes[0], a),), single=True, moves=True)
    if call.name == "expand":
        return _plain(lambda value: value.expand(len(value), *shape))
    if listed:
        if len(call.inputs) != len(call.args[0]):
            return None
        return _plain(lambda *values: call.func(list(values), *call.args[1:], **call.kwargs))
    if len(call.inputs) > 1 or call.args[0] is not call.inputs[0]:
        return None
    return _plain(lambda value: call.func(value, *call.args[1:], **call.kwargs))


def _reshaped(shape: Sequence[int], value: Tensor) -> Tensor:
    return value.reshape(len(value), *shape)


def _plain(function: Callable[..., Tensor]) -> Affine:
    return Affine(function, function)


def _keeps_rows(call: Call) -> bool:
    """Whether an operation leaves the first dimension, that of the rows, as it is."""
    name, count, rest = call.name, call.inputs[0].ndim, list(call.args[1:])
    match name:
        case "permute":
            return rest[0][0] % count == 0
        case "slice" if not rest or rest[0] % count == 0:  # x[:, ...] takes all rows first
            start, end = (*rest[1:3], None, None)[:2]
            return start in (0, None) and (end is None or end > BEYOND) and rest[3:] in ([], [1])
        case "transpose" | "select" | "slice" | "unsqueeze" | "squeeze" | "cat" | "stack":
            at = rest[: 2 if name == "transpose" else 1] or [call.kwargs.get("dim", 0)]
            return all(isinstance(each, int) and each % (count + (name in ("unsqueeze", "stack"))) for each in at)
        case "mean" | "sum":
            over = rest[0] if rest else call.kwargs.get("dim")
            dims = [over] if isinstance(over, int) else list(over or ())
            return bool(dims) and all(each % count for each in dims)
        case "constant_pad_nd":
            return len(rest[0]) <= 2 * (count - 1) and not any(rest[1:])
    return True


def _converted(call: Call) -> Step | None:
    """Numbers of another type; of one with fewer digits than 32 bits have, what rounding does is not bounded."""
    before, after = call.inputs[0].dtype, call.made[0].dtype
    if before == after:
        return _moved(call)
    if not after.is_floating_point or torch.finfo(after).bits < min(32, torch.finfo(before).bits):
        return None

    def converted(value: Tensor) -> Tensor:
        return value.to(after)

    return Affine(converted, converted, lambda a, shapes: (a.to(before),), single=True, moves=True)


def _late(call: Call) -> Step | None:
    """To probabilities, of all numbers of a row, or back."""
    if len(call.inputs) > 1 or call.args[0] is not call.inputs[0]:
        return None
    shape = call.made[0].shape
    along = len(shape) - 1  # of the only dimension but the rows that has several numbers
    if call.name.endswith("softmax") and (call.args[1] % len(shape) != along or any(n > 1 for n in shape[1:-1])):
        return None
    return Late(
        call.name, f"{call.name.strip('_')}{call.where}", lambda value: call.func(value, *call.args[1:], **call.kwargs)
    )


def _negative(call: Call) -> Step | None:
    return _times(-1, 0)


MAKERS: Mapping[str, Callable[..., Step | None]] = {
    **dict.fromkeys(("addmm", "mm"), _linear),
    "convolution": _convolution,
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "_batch_norm_no_update"),
        _normalised,
    ),
    **dict.fromkeys(("add", "sub", "rsub"), _sum),
    **dict.fromkeys(("mul", "div"), _product),
    "neg": _negative,
    **dict.fromkeys(
        (
            "view", "_unsafe_view", "reshape", "expand", "clone", "detach", "alias", "permute", "transpose",
            "unsqueeze", "squeeze", "select", "slice", "cat", "stack", "mean", "sum", "constant_pad_nd", "avg_pool2d",
            "avg_pool1d", "_adaptive_avg_pool2d",
        ),
        _moved,
    ),
    "_to_copy": _converted,
    **dict.fromkeys(("logit", "log", "_softmax", "_log_softmax"), _late),
}  # fmt: skip
