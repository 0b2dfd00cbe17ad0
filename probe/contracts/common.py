"""What the contracts share: passes that fit in memory, and checks of what goes in and comes out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from probe.errors import ContractError, ShapeError, Unsupported
from probe.internals import attention
from probe.method import Method
from probe.model import Model
from probe.shapes import Inputs
from probe.tensors import spans

# What of a model a method can ask for. "training data" are rows that it learned from, as in Model(training=...).
Need = Literal["gradients", "layers", "reference", "attention", "training data"]


def refuse_unmet(method: Method | type[Method], needs: frozenset[str], model: Model) -> None:
    """Raise Unsupported where a model lacks what a method needs. Gradients show when they are first asked for."""
    name = method.name()
    if unknown := needs - set(get_args(Need)):
        raise ContractError(f"{name} needs {sorted(unknown)[0]!r}, which is none of {', '.join(get_args(Need))}")
    if needs & {"layers", "attention"}:
        try:
            inside = model.layers()
        except Unsupported as error:
            raise Unsupported(f"{name} looks into a network's layers, and {error}") from None
        if "attention" in needs and not attention(inside):
            raise Unsupported(f"{name} reads attention, and {model.name} has no layer of it; choose another method")
    if "reference" in needs and model.space.reference is None:
        raise Unsupported(
            f"{name} shows the model what an absent feature looks like, and {model.name} has no reference; "
            "set Space(reference=rows), such as a black image or a sample of the training rows"
        )
    if "training data" in needs and model.training is None:
        raise Unsupported(
            f"{name} reads rows that the model was trained on, and {model.name} comes without; "
            "write replace(model, training=(inputs, labels))"
        )


def refuse_missing(method: Method, inputs: Inputs) -> None:
    """Raise Unsupported where a method would follow or move numbers that are missing."""
    if inputs.is_floating_point() and bool(inputs.isnan().any()):
        raise Unsupported(
            f"{method.name()} follows the numbers of an input, and {int(inputs.isnan().any(0).sum())} features are "
            "missing in some rows; use a method that needs only answers, such as KernelShap or Lime, or rows that have "
            "all of them"
        )


def placed(model: Model) -> Model:
    """The model with its space on its own device, so that a method can reckon with bounds and reference."""
    space = model.space.on(model.device)
    return model if space is model.space else replace(model, space=space)


def passes(model: Model, inputs: Tensor) -> list[slice]:
    """The rows that go through the model together."""
    return list(spans(len(inputs), model.rows_per_pass(inputs)))


def passes_alike(model: Model, inputs: Tensor) -> Iterator[tuple[slice | Tensor, Model]]:
    """The examples that go through the model together, all with the same features.

    Where each example has features of its own, a method is given the model with those of the examples at hand, so that
    it need not know, and an example is answered as it is alone.

    Raises:
        ShapeError: if the model's space has the features of other examples.
    """
    if not model.space.differs(inputs):
        yield from ((rows, model) for rows in passes(model, inputs))
        return
    for rows, space in model.space.alike(inputs):
        each = replace(model, space=space)
        yield from ((rows[part], each) for part in spans(len(rows), model.rows_per_pass(inputs)))


def in_order(found: Sequence[Tensor], rows: Sequence[slice | Tensor]) -> Tensor:
    """What was found of some examples at a time, in the order of the examples."""
    numbers = [each for each in rows if isinstance(each, Tensor)]
    together = torch.cat(list(found))
    return together[torch.cat(numbers).argsort().to(together.device)] if numbers else together


def check_alike(method: Method, produced: Any, inputs: Inputs) -> None:
    """Raise where what a method returned in place of inputs is no tensor of their shape and type."""
    if not isinstance(produced, Tensor) or produced.shape != inputs.shape:
        found = tuple(produced.shape) if isinstance(produced, Tensor) else f"a {type(produced).__name__}"
        raise ShapeError(f"{method} returned {found} for inputs {tuple(inputs.shape)}")
    if produced.dtype != inputs.dtype:
        raise ContractError(f"{method} returned {produced.dtype} for inputs in {inputs.dtype}; write .to(inputs)")


def check_output(method: Method, produced: Tensor, inputs: Tensor) -> None:
    """Raise where a method returned another shape than its inputs have, or numbers that are none."""
    if produced.shape != inputs.shape:
        raise ShapeError(f"{method} returned {tuple(produced.shape)} for inputs {tuple(inputs.shape)}")
    if not bool(produced.isfinite().all()):
        raise ContractError(f"{method} returned NaN or infinity")
