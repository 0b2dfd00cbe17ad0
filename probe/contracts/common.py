"""What the contracts share: passes that fit in memory, and checks of what goes in and comes out."""

from torch import Tensor

from probe.errors import ContractError, ShapeError, Unsupported
from probe.method import Method
from probe.model import Model
from probe.shapes import Inputs
from probe.tensors import spans


def refuse_missing(method: Method, inputs: Inputs) -> None:
    """Raise Unsupported where a method would follow or move numbers that are missing."""
    if inputs.is_floating_point() and bool(inputs.isnan().any()):
        raise Unsupported(
            f"{method.name()} follows the numbers of an input, and {int(inputs.isnan().any(0).sum())} features are "
            "missing in some rows; use a method that needs only answers, such as KernelShap or Lime, or rows that have "
            "all of them"
        )


def passes(model: Model, inputs: Tensor) -> list[slice]:
    """The rows that go through the model together."""
    return list(spans(len(inputs), model.rows_per_pass(inputs)))


def check_output(method: Method, produced: Tensor, inputs: Tensor) -> None:
    """Raise where a method returned another shape than its inputs have, or numbers that are none."""
    if produced.shape != inputs.shape:
        raise ShapeError(f"{method} returned {tuple(produced.shape)} for inputs {tuple(inputs.shape)}")
    if not bool(produced.isfinite().all()):
        raise ContractError(f"{method} returned NaN or infinity")
