"""Conversion of arrays, data frames and lists to tensors, or refusal with a remedy."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from probe.errors import DataError, ProbeError, ShapeError
from probe.names import a_kind

if TYPE_CHECKING:
    Given = Tensor
    Wanted = Tensor | str | Sequence[str]
else:
    Given = Wanted = Any  # at run time anything that is passed; what is no tensor is refused with a message

LARGEST = 2**63 - 1  # whole numbers up to here stay whole
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def tensor(value: Any, field: str) -> Tensor:
    """A tensor from an array, a data frame or a list; arrays are copied, tensors are not.

    Raises:
        DataError: if it holds anything but numbers.
    """
    if isinstance(value, Tensor):
        return _real(value, field)
    if isinstance(value, list | tuple) and value and all(isinstance(part, Tensor) for part in value):
        if len({part.shape for part in value}) > 1:
            raise ShapeError(f"{field} is {a_kind(value)} of tensors of different shapes, expected one tensor")
        return torch.stack([_real(part, field) for part in value])
    try:
        array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
        if array.dtype == object and array.ndim and not any(isinstance(part, str | bytes) for part in array.flat):
            array = array.astype(np.float64)
        return _real(torch.tensor(array), field)
    except ProbeError:
        raise
    except OverflowError:
        raise DataError(f"{field} holds a number that no float can hold; give numbers below 1e308") from None
    except (TypeError, ValueError, RuntimeError):
        raise DataError(
            f"{field} is {a_kind(value)}{' that does not hold numbers alone' * (value is not None)}; "
            "give a tensor, an array or a data frame of numbers"
        ) from None


def _real(value: Tensor, field: str) -> Tensor:
    """The tensor, after checking that it holds real numbers."""
    name = field.rpartition(".")[2]
    if value.layout != torch.strided or value.is_nested:
        raise ShapeError(f"{field} is a tensor without strides ({value.layout}); write {name}.to_dense()")
    if value.is_quantized:
        raise ShapeError(f"{field} is a quantized tensor; write {name}.dequantize()")
    if value.is_complex():
        raise DataError(f"{field} is {value.dtype}, expected real numbers; write {name}.real")
    if value.is_meta:
        raise DataError(f"{field} is on the meta device, and holds no numbers; make it with device='cpu'")
    return value


def from_numbers(value: Any, dtype: torch.dtype | None = None) -> Any:
    """A tensor of an array, a series or a data frame of numbers, which is copied; anything else as it is.

    Args:
        value: what was passed.
        dtype: of the tensor; by default whole numbers stay so, and decimal ones have torch's default type.
    """
    kinds = _kinds(value)
    if not kinds or kinds - set("biuf"):
        return value
    array = np.asarray(value.to_numpy(np.float64) if len(kinds) > 1 else value)
    if array.dtype.kind in "iu":
        found = torch.from_numpy(array.astype(np.int64))
    else:
        found = torch.from_numpy(array.astype(bool if array.dtype.kind == "b" else np.float64))
    if dtype is None and found.is_floating_point():
        dtype = torch.get_default_dtype()
    return found if dtype is None else found.to(dtype)


def by_names(value: Any, names: tuple[str, ...]) -> Any:
    """The columns of a data frame in the order of these names, if it has them; anything else as it is.

    Raises:
        ShapeError: for a data frame that has only some of them.
    """
    columns = list(getattr(value, "columns", ()))
    if not names or not set(names) & set(columns) or columns == list(names):
        return value
    if missing := [name for name in names if name not in columns]:
        raise ShapeError(f"inputs are a data frame without the column {missing[0]!r}; expected {', '.join(names)}")
    return value[list(names)]


def _kinds(value: Any) -> set[str]:
    """The kinds of numbers that an array, a series or a data frame of pandas holds; none for anything else."""
    if isinstance(value, np.ndarray):
        return {value.dtype.kind}
    if not hasattr(value, "to_numpy") or not hasattr(value, "dtypes"):
        return set()
    each = list(value.dtypes) if hasattr(value, "columns") else [value.dtype]
    # A column that may hold NA is an extension of pandas, and no array of numbers.
    return {str(kind.kind) if isinstance(kind, np.dtype) else "O" for kind in each}


def number_or_tensor(value: Any, field: str) -> float | Tensor:
    """A number as it is; anything else as a tensor."""
    if not isinstance(value, Real | Decimal):
        return tensor(value, field)
    try:
        return value if isinstance(value, int) and abs(value) <= LARGEST else float(value)
    except OverflowError:
        raise DataError(f"{field} holds a number that no float can hold; give numbers below 1e308") from None


def brief(value: Any) -> str:
    """A short text: a tensor by its shape and range, a tuple by its first entries."""
    if isinstance(value, Tensor):
        low, high = (f"{float(end):.6g}" for end in (value.min(), value.max()))
        ends = f"all {low}" if low == high else f"from {low} to {high}"
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')} {ends}"
    if isinstance(value, tuple) and any(isinstance(part, Tensor) for part in value):
        return f"({', '.join(map(brief, value))})"
    if isinstance(value, tuple) and len(value) > 5:
        return f"({', '.join(map(repr, value[:5]))}, ... {len(value)} in all)"
    return repr(value)


def remedy(value: Any, name: str, dtype: str) -> str:
    """How to convert what was passed to a tensor called `name` with this `dtype`."""
    if isinstance(value, str) or (isinstance(value, list | tuple) and any(isinstance(part, str) for part in value)):
        return "encode texts first, as probe.token_ids and probe.from_csv do"
    if hasattr(value, "to_numpy"):
        kinds = value.dtypes.items() if hasattr(value.dtypes, "items") else [(value.name or "values", value.dtype)]
        if text := [str(column) for column, kind in kinds if kind.kind not in "biuf"]:
            return f"{', '.join(text[:5])} in it holds no numbers; encode that, as probe.from_csv does"
        return f"write torch.tensor({name}.to_numpy({dtype.removeprefix('torch.')!r}))"
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            return f"it holds {value.dtype}, which are not numbers; encode them first"
        return f"write torch.as_tensor({name}, dtype={dtype})"
    if isinstance(value, Mapping):
        return f"take out the one that the model reads, such as {name}[{next(iter(value), 'inputs')!r}]"
    if isinstance(value, list | tuple):
        return _of_several(value, name, dtype)
    return "of numbers, one example per row"


def refuse_packed(given: Tensor, what: str, name: str) -> None:
    """Raise ShapeError for a sparse, nested or quantized tensor; `what` it is, and the `name` of the argument."""
    if given.layout != torch.strided or given.is_nested:
        raise ShapeError(f"{what} are a tensor without strides ({given.layout}); write {name}.to_dense()")
    if given.is_quantized:
        raise ShapeError(f"{what} are a quantized tensor; write {name}.dequantize()")


def check_kind(inputs: Tensor, reader: str) -> None:
    """Raise ShapeError for tensors that no model reads; `reader` is the name of a model of token ids, or empty."""
    refuse_packed(inputs, "inputs", "inputs")
    if inputs.is_complex() or inputs.is_meta:
        what = "on the meta device, and hold no numbers" if inputs.is_meta else f"{inputs.dtype}"
        raise ShapeError(f"inputs are {what}, expected real numbers")
    if not reader and inputs.dtype not in FLOATS:
        raise ShapeError(f"inputs are {inputs.dtype}, expected a floating type; write inputs.float()")
    if reader and (inputs.is_floating_point() or inputs.dtype == torch.bool):
        raise ShapeError(f"inputs are {inputs.dtype}, and {reader} reads token ids; write inputs.long()")


def label_remedy(labels: Any, rows: int) -> str:
    """How to convert what was passed to class indices, one per row; empty if there is no way."""
    if isinstance(labels, int):
        return f"; write torch.full(({rows},), {labels})"
    if not isinstance(labels, Tensor):
        return f"; {remedy(labels, 'labels', 'torch.int64')}"
    if labels.ndim == 0:
        return f"; write labels.expand({rows})"
    if labels.ndim == 2 and len(labels) == rows:
        return f"; write {'labels[:, 0]' if labels.shape[1] == 1 else from_one_hot(labels)}"
    return ""


def from_one_hot(labels: Tensor) -> str:
    """What makes class indices of one-hot labels, whether they were passed as a tensor, an array or a data frame."""
    how = "np.asarray(labels).argmax(1)" if labels.device.type == "cpu" else "labels.int().argmax(1)"
    return f"{how} where they are one-hot"


def _of_several(value: list[Any] | tuple[Any, ...], name: str, dtype: str) -> str:
    if not any(isinstance(part, Tensor) for part in value):
        return f"write torch.tensor({name}, dtype={dtype})"
    if all(isinstance(part, Tensor) for part in value) and len({part.shape for part in value}) == 1:
        return f"write torch.stack({name}) where each is an example"
    return (
        "a model is called with one tensor; if it takes several, join them, such as by "
        f"torch.cat([part.flatten(1) for part in {name}], 1), and let forward split them"
    )
