"""Validation of spaces and inputs, with the messages in which a Space refuses them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from probe.errors import DataError, RangeError, ShapeError
from probe.forms import Form
from probe.grouping import check_numbered

Number = float | Tensor  # of all coordinates, or one of each


def ends(bounds: Any) -> tuple[Any, Any]:
    """The low and the high bound."""
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise ShapeError(
            "Space.bounds must be a pair (lowest, highest), each a number or one number per coordinate, such "
            "as bounds=(0.0, 1.0)"
        )
    return bounds[0], bounds[1]


def check_numbers(bounds: tuple[Number, Number], scale: Number, form: Form) -> None:
    """Raise RangeError if bounds or scale are invalid."""
    low, high = (torch.as_tensor(b) for b in bounds)
    if bool(low.isnan().any()) or bool(high.isnan().any()):
        raise RangeError("Space.bounds hold NaN; write -math.inf or math.inf where there is no bound")
    if not bool((low <= high).all()):
        raise RangeError(f"Space.bounds: the low bound exceeds the high one: {bounds}")
    form.check(float(low.min()), float(high.max()))
    units = torch.as_tensor(scale)
    if not bool((units > 0).all()) or bool(units.isinf().any()):
        raise RangeError("Space.scale must be above 0 and finite everywhere: it is the unit of attack radii")


def truth_values(mutable: Tensor) -> Tensor:
    """The mask of mutable coordinates, as booleans."""
    if not bool(((mutable == 0) | (mutable == 1)).all()):
        raise DataError("Space.mutable holds numbers other than 0 and 1, expected True where a coordinate may change")
    return mutable.bool()


def numbers_of_features(features: Tensor, form: Form) -> Tensor:
    """The features as integers, after checking that the form has entries for them."""
    if features.is_floating_point():
        raise ShapeError(
            "Space.features holds decimal numbers, expected the number of a feature; write "
            "Space(features=torch.as_tensor(features).long())"
        )
    features = features.long()
    check_numbered(features, each=False)
    sizes = {"features": int(features.max()) + 1, "coordinates": features.numel()}
    for field, (entries, each) in form.entries().items():
        if each in sizes and entries != sizes[each]:
            raise ShapeError(
                f"Space.{field} has {entries} entries for {sizes[each]} {each}; give "
                f"one for each {each.removesuffix('s')}"
            )
    return features


def check_reference(reference: Tensor, strange: Callable[[Tensor], Tensor]) -> None:
    """Raise RangeError unless there are rows of finite numbers."""
    if reference.ndim == 0 or reference.numel() == 0 or bool(strange(reference).any()):
        raise RangeError("Space.reference needs at least one row, and only finite numbers")


def check_rows(inputs: Tensor, features: Tensor | None) -> None:
    """Raise ShapeError unless there are rows, with the shape of the features."""
    if inputs.ndim < 2:
        raise ShapeError(
            f"inputs have shape {tuple(inputs.shape)}, expected (rows, ...) with at least one row; "
            + ("write inputs[None] for a single example" if inputs.ndim else "write inputs.view(1, 1)")
        )
    if inputs.numel() == 0:
        none = "there are no rows" if len(inputs) == 0 else "each example is empty"
        raise ShapeError(f"inputs have shape {tuple(inputs.shape)}: {none}; expected at least one row of numbers")
    if features is not None and inputs.shape[1:] not in (features.shape, features.shape[1:]):
        raise ShapeError(
            f"each example has shape {tuple(inputs.shape[1:])}, but Space.features describes {tuple(features.shape)}; "
            "give the number of a feature for each coordinate of an example"
        )


def check_shapes(inputs: Tensor, form: Form, per_coordinate: Mapping[str, Any], features: int) -> None:
    """Raise ShapeError if settings per coordinate, feature or channel do not fit these inputs."""
    shape = inputs.shape[1:]
    form.check_shape(shape)
    for name, given in per_coordinate.items():
        for value in given if isinstance(given, tuple) else (given,):
            if isinstance(value, Tensor) and value.ndim and value.shape != shape:
                raise ShapeError(
                    f"each example has shape {tuple(shape)}, but Space.{name} has shape {tuple(value.shape)}; give "
                    "one number for all coordinates, or one for each"
                )
    sizes = {"features": features, "coordinates": inputs[0].numel(), "channels": len(inputs[0])}
    for name, (entries, each) in form.entries().items():
        if entries != sizes[each]:
            raise ShapeError(
                f"each example has {sizes[each]} {each}, but Space.{name} has {entries} entries; give "
                f"one for each {each.removesuffix('s')}"
            )


def check_own_features(features: Tensor, form: Form) -> None:
    """Raise ShapeError if each example has its own features, but a setting is given per shared feature."""
    check_numbered(features, each=True)
    if said := [name for name, (_, each) in form.entries().items() if each == "features"]:
        raise ShapeError(
            f"Space.{said[0]} has an entry for each feature, and each example has features of its own; "
            f"leave {said[0]} out, or give one grouping for all examples"
        )


def check_finite(inputs: Tensor, strange: Tensor) -> None:
    """Raise RangeError if a number is NaN or infinite where it may not be."""
    if bool(strange.any()):
        row = int(strange.flatten(1).any(1).nonzero()[0])
        raise RangeError(
            f"inputs hold NaN or infinity, first in row {row}; drop or fill in those {int(strange.sum())} values"
            + "; where the model takes missing values, Space(missing=...) says which features may be NaN"
            * bool(inputs.isnan().any())
        )


def check_within(inputs: Tensor, low: Tensor, high: Tensor, place: Callable[[tuple[int, ...]], str]) -> None:
    """Raise RangeError if a number is outside the bounds by more than rounding; `place` describes a coordinate."""
    tolerance = 1e-6 * (high - low).abs().nan_to_num(posinf=0.0)
    outside = (inputs < low - tolerance) | (inputs > high + tolerance)
    if bool(outside.any()):
        row, *at = (int(i) for i in outside.nonzero()[0])
        least, most = (float(bound.expand(inputs.shape[1:])[tuple(at)]) for bound in (low, high))
        raise RangeError(
            f"row {row} has {float(inputs[(row, *at)]):.6g} at {place(tuple(at))}, outside the bounds "
            f"[{least:.6g}, {most:.6g}]; rescale the inputs or set Space(bounds=...)"
        )
