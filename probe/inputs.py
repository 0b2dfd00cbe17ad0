"""What people pass to a model, as its forward takes it: inputs of its space, on its device, and embeddings of ids."""

from collections.abc import Callable

import torch
from torch import Tensor

from probe.arrays import Given, by_names, check_kind, from_numbers, remedy
from probe.errors import ShapeError
from probe.forward import Forward, ask, check_eval_mode, device_of, dtype_of
from probe.names import a_kind
from probe.shapes import Inputs
from probe.space import Space


def checked_inputs(inputs: Given, space: Space, forward: Forward, default: torch.dtype, ids_of: str) -> Inputs:
    """The inputs on the device of the forward, after checking that they lie in the space.

    Arrays and data frames of numbers become tensors; columns with the names of the space are taken in its order.

    They are given the type of the weights where that loses nothing, as from float32 to float64. `default` is the type
    that a sentence names for what is no tensor; `ids_of` is the model's name where inputs are token ids, else empty.

    Raises:
        ShapeError: for what is no tensor, or of another shape or type than the model takes.
        RangeError: for numbers outside the bounds, NaN or infinity.
    """
    if not isinstance(inputs, Tensor):
        inputs = from_numbers(in_order_of(space, inputs), None if ids_of else default)
    if not isinstance(inputs, Tensor):
        found, wanted = type(inputs).__name__, torch.int64 if ids_of else default
        raise ShapeError(f"inputs are a {found}, expected a torch.Tensor; {remedy(inputs, 'inputs', str(wanted))}")
    check_kind(inputs, ids_of)
    check_eval_mode(forward)
    inputs = inputs.detach()
    if ids_of:
        inputs = inputs.long()
    space.check(inputs)
    weights = dtype_of(forward)
    if not ids_of and weights is not None and inputs.dtype != weights:
        if torch.promote_types(inputs.dtype, weights) != weights:
            raise ShapeError(f"inputs are {inputs.dtype}, the model's weights {weights}; write inputs.to({weights})")
        inputs = inputs.to(weights)
    return space.clip(inputs.to(device_of(forward)))


def in_order_of(space: Space, given: Given) -> Given:
    """The columns of a data frame in the order of the space's names, where each feature is one coordinate."""
    apart = space.features is None or len(torch.unique(space.features)) == space.features.numel()
    return by_names(given, (space.names or ()) if apart else ())


def embedded(embed: Callable[[Tensor], Tensor], ids: Tensor, forward: Forward, name: str) -> Tensor:
    """The embeddings of token ids.

    Raises:
        ForwardError: for whatever is raised inside.
        ShapeError: for what is no tensor.
    """
    points = ask(embed, ids, name, module=forward)
    if not isinstance(points, Tensor):
        raise ShapeError(f"embed returned {a_kind(points)}, expected a tensor of embeddings")
    return points


def check_points(points: Tensor, ids: Tensor) -> None:
    """Raise ShapeError unless these are decimal numbers with a vector for each id."""
    if not points.is_floating_point() or points.shape[:-1] != ids.shape:
        raise ShapeError(
            f"embed returned {points.dtype} {tuple(points.shape)} for ids {tuple(ids.shape)}, expected decimal "
            f"numbers ({', '.join(map(str, ids.shape))}, width)"
        )
