"""Shared by the contracts: passes that fit in memory, and checks of inputs and outputs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from probe.errors import ContractError, ShapeError, Unsupported
from probe.internals import attention
from probe.method import Method
from probe.model import Model
from probe.names import Passed, a_kind
from probe.shapes import Inputs

# What a method can need of a model. "training data" are the rows of Model(training=...).
Need = Literal["gradients", "layers", "reference", "attention", "training data"]


def refuse_unmet(method: Method | type[Method], needs: frozenset[str], model: Passed[Model]) -> None:
    """Raise Unsupported if a model lacks what a method needs. Missing gradients are found at their first use."""
    Model.require(model)
    name = method.name()
    if unknown := needs - set(get_args(Need)):
        raise ContractError(f"{name} needs {sorted(unknown)[0]!r}, which is not one of {', '.join(get_args(Need))}")
    if needs & {"layers", "attention"}:
        try:
            inside = model.layers()
        except Unsupported as error:
            raise Unsupported(f"{name} reads a network's layers, and {error}") from None
        if "attention" in needs and not attention(inside):
            raise Unsupported(f"{name} reads attention, and {model.name} has no layer of it; choose another method")
    if "reference" in needs and model.space.reference is None:
        raise Unsupported(
            f"{name} replaces absent features by a reference, and {model.name} has none; "
            "set Space(reference=rows), such as a black image or a sample of the training rows"
        )
    if "training data" in needs and model.training is None:
        raise without_training(name, model)


def without_training(name: str, model: Model, does: str = "needs") -> Unsupported:
    """The refusal of a model without training rows."""
    return Unsupported(
        f"{name} {does} training rows, and {model.name} has none; write replace(model, training=(inputs, labels)), or "
        "name them in the plan: [data] train"
    )


def beyond(model: Model, rows: Tensor) -> Model:
    """The model for rows that need not lie within its bounds, such as those that it learned from, or outliers.

    Bounds say what an attacker may reach; those of a table are the range of the audited rows.
    """
    form = model.space.form_of(rows)
    if model.embed is not None or form.moves != "numbers":
        return model
    return replace(model, space=replace(model.space, bounds=(-torch.inf, torch.inf)))


def learned(model: Model) -> Inputs:
    """The training rows of a model that has them, checked but for its bounds."""
    assert model.training is not None, "refused before"
    return beyond(model, model.training[0]).check(model.training[0])


def refuse_missing(method: Method, inputs: Inputs) -> None:
    """Raise Unsupported if a method that uses gradients or changes inputs gets missing values."""
    if inputs.is_floating_point() and bool(inputs.isnan().any()):
        raise Unsupported(
            f"{method.name()} computes with the numbers of an input, and {int(inputs.isnan().any(0).sum())} features "
            "are missing in some rows; use a method that needs no gradients, such as KernelShap or Lime, or rows "
            "without missing values"
        )


def placed(model: Model) -> Model:
    """The model with its space on the model's device, so that methods can compute with bounds and reference."""
    space = model.space.on(model.device)
    return model if space is model.space else replace(model, space=space)


def passes(model: Model, inputs: Tensor) -> list[slice]:
    """Slices of rows that fit in memory together."""
    return model.passes(inputs)


def passes_alike(model: Model, inputs: Tensor) -> Iterator[tuple[slice | Tensor, Model]]:
    """Batches of examples that fit in memory together and have the same features.

    Where each example has its own features, each batch comes with the model whose space has the features of that batch.
    A method therefore needs no special case, and the result of an example does not depend on its batch.

    Raises:
        ShapeError: if the model's space has the features of other examples.
    """
    if not model.space.differs(inputs):
        yield from ((rows, model) for rows in passes(model, inputs))
        return
    for rows, space in model.space.alike(inputs):
        each = replace(model, space=space)
        yield from ((rows[part], each) for part in model.passes(inputs[rows]))


def in_order(found: Sequence[Tensor], rows: Sequence[slice | Tensor]) -> Tensor:
    """Results of batches, put into the order of the examples."""
    numbers = [each for each in rows if isinstance(each, Tensor)]
    together = torch.cat(list(found))
    return together[torch.cat(numbers).argsort().to(together.device)] if numbers else together


def check_alike(method: Method, produced: Any, inputs: Inputs) -> None:
    """Raise ContractError if the inputs that a method returned are not a tensor of the right shape and dtype."""
    if not isinstance(produced, Tensor) or produced.shape != inputs.shape:
        found = tuple(produced.shape) if isinstance(produced, Tensor) else f"{a_kind(produced)}"
        raise ShapeError(f"{method} returned {found} for inputs {tuple(inputs.shape)}")
    if produced.dtype != inputs.dtype:
        raise ContractError(f"{method} returned {produced.dtype} for inputs in {inputs.dtype}; write .to(inputs)")


def check_output(method: Method, produced: Tensor, inputs: Tensor) -> None:
    """Raise ContractError if a method returned another shape than that of its inputs, NaN or infinity."""
    if produced.shape != inputs.shape:
        raise ShapeError(f"{method} returned {tuple(produced.shape)} for inputs {tuple(inputs.shape)}")
    if not bool(produced.isfinite().all()):
        raise ContractError(f"{method} returned NaN or infinity")
