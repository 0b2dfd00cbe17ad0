"""A forward whose operations are followed one by one, so that a rule stands for each on the way back.

Torch tells a function mode of each operation that Python asks for, by a module, a function or a method of a tensor, in
place or not, and each time that a module is called. So activations that are functions, or are used again, have their
rule too, nothing is placed in the user's module, and an operation without a rule is named with its line.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from os import sep
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from probe.errors import Unsupported
from probe.internals import sealed_as
from probe.model import Model

# What moves numbers, or is linear in them with no constant part.
MOVES = frozenset({
    "view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose",
    "swapaxes", "swapdims", "movedim", "T", "mT", "t", "contiguous", "clone", "to", "float", "double", "type_as",
    "expand", "expand_as", "broadcast_to", "repeat", "repeat_interleave", "tile", "roll", "flip", "pad", "getitem",
    "setitem", "copy", "select", "narrow", "index_select", "chunk", "split", "tensor_split", "unbind", "iter", "cat",
    "concat", "stack", "hstack", "vstack", "sum", "mean", "cumsum", "neg", "positive", "avg_pool1d", "avg_pool2d",
    "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "dropout", "dropout1d",
    "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "triu", "tril", "diagonal", "unfold",
    "pixel_shuffle", "requires_grad", "where",
})  # fmt: skip
SUMS = frozenset({"add", "sub", "rsub", "radd"})
WEIGHTED = frozenset({"linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"})
SCALES = frozenset({"mul", "rmul", "multiply"})
PRODUCTS = frozenset({"matmul", "rmatmul", "mm", "bmm"}) | SCALES
QUOTIENTS = frozenset({"div", "truediv", "true_divide", "divide"})
# Functions of single numbers that lead from 0 to 0.
THROUGH_0 = frozenset({
    "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish", "tanh", "hardtanh",
    "softsign", "tanhshrink",
})  # fmt: skip

_CONSTANT = frozenset({
    "detach", "data", "new_zeros", "new_ones", "new_full", "new_empty", "new_tensor", "zeros_like", "ones_like",
    "full_like", "empty_like",
})  # fmt: skip
_TORCH = str(Path(torch.__file__).parent)
_OURS = f"{Path(__file__).parent.parent}{sep}"


class Attended(NamedTuple):
    """The arguments of torch's scaled_dot_product_attention."""

    query: Tensor
    key: Tensor
    value: Tensor
    attn_mask: Tensor | None = None
    dropout_p: float = 0.0
    is_causal: bool = False
    scale: float | None = None
    enable_gqa: bool = False

    @property
    def factor(self) -> float:
        """By what products of queries and keys are multiplied."""
        return float(self.query.shape[-1]) ** -0.5 if self.scale is None else self.scale


class Rules(TorchFunctionMode, ABC):
    """What becomes of each operation on numbers that depend on the inputs."""

    def __init__(self, method: str, model: str) -> None:
        super().__init__()
        self.method, self.model = method, model
        self._seen: dict[int, Tensor] = {}  # by identity, and held, so that no other tensor gets it

    def begin(self, inputs: Tensor) -> None:
        """Follow what these numbers become."""
        self._seen[id(inputs)] = inputs

    def end(self, outputs: Any) -> None:
        """Take what the forward gave; by default nothing is left to do."""

    def follows(self, value: Any) -> bool:
        """Whether a value depends on the inputs."""
        return isinstance(value, Tensor) and id(value) in self._seen

    @abstractmethod
    def apply(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of an operation, whose gradient is that of its rule."""

    # Without annotations, as torch's own.
    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        kwargs = kwargs or {}
        name = plain_name(func)
        # What is detached is a constant. That it is not is seen where values do not add up.
        if name in _CONSTANT or not any(self.follows(each) for each in tensors_in((args, kwargs))):
            return func(*args, **kwargs)
        found = self.apply(name, func, args, kwargs)
        changed = args[0] if name == "setitem" else found
        for each in tensors_in(changed):
            if each.is_floating_point():
                self._seen[id(each)] = each
        return found

    def unruled(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of an operation that only tells of its inputs, such as their shape; any other is refused."""
        found = func(*args, **kwargs)
        if any(each.is_floating_point() for each in tensors_in(found)):
            raise self.refused(name)
        return found

    def refused(self, name: str) -> Unsupported:
        """The error for an operation that has no rule."""
        return Unsupported(
            f"{self.method} has no rule for {name}, which {self.model} uses in {_line()}; "
            "use IntegratedGradients or KernelShap, which need none"
        )

    def written(self, found: Tensor, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """The result of a rule, also where the operation worked in place."""
        if not (kwargs.get("inplace") or in_place(func)):
            return found
        target: Tensor = args[0]
        return target.copy_(found)


class Followed(nn.Module):
    """A forward under rules. The user's module is called as it is."""

    def __init__(self, model: Model, rules: Rules) -> None:
        super().__init__()
        self.inner, self.rules = model.forward, rules
        self.training = False
        modules = self.inner.modules() if isinstance(self.inner, nn.Module) else ()
        if closed := next((found for found in map(sealed_as, modules) if found), ""):
            raise Unsupported(
                f"{rules.method} follows single operations, and a part of {model.name} is {closed}; "
                "give Model the module as it was before"
            )

    def forward(self, inputs: Tensor) -> Any:
        """What the forward gives."""
        with self.rules:
            self.rules.begin(inputs)
            outputs = self.inner(inputs)
            self.rules.end(outputs)
        return outputs


def plain_name(func: Any) -> str:
    """The name of an operation, the same for a function and a method, in place or not: "add" of `x += y`."""
    name = str(getattr(func, "__name__", func))
    if name == "__get__":
        return str(getattr(func.__self__, "__name__", name))
    name = name.strip("_")
    return name[1:] if in_place(func) and name in ("iadd", "isub", "imul", "itruediv") else name


def in_place(func: Any) -> bool:
    """Whether an operation changes its first argument."""
    name = str(getattr(func, "__name__", ""))
    return name.startswith("__i") if name.startswith("__") else name.endswith("_")


def function(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Callable[[Tensor], Tensor]:
    """An operation on single numbers as a function of its first argument, which it leaves as it is."""

    def of(numbers: Tensor) -> Tensor:
        found: Tensor = func(numbers.clone(), *args[1:], **kwargs)
        return found

    return of


def floored_at_0(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether an operation is a ReLU that is written as `clamp`."""
    if name not in ("clamp", "clamp_min"):
        return False
    given = dict(zip(("min", "max"), args[1:], strict=False)) | dict(kwargs)
    low, high = given.get("min"), given.get("max")
    return not isinstance(low, Tensor) and low == 0 and high is None


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors of an operation's arguments or results."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from tensors_in(each)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


def _line() -> str:
    """Where a user's code asked for the present operation: a line, or the layer of torch."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not Rules.__torch_function__.__code__:
        frame = frame.f_back
    layer = ""
    while frame is not None:
        file = frame.f_code.co_filename
        asks = frame.f_locals.get("self")
        if file.startswith(_TORCH):
            if not layer and isinstance(asks, nn.Module):
                layer = type(asks).__name__
        elif not file.startswith(_OURS):
            break
        elif isinstance(asks, Followed):
            frame = None
            break
        frame = frame.f_back
    inside = f"its layer {layer}" if layer else "its forward"
    return inside if frame is None else f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
