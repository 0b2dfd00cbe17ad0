"""Validation of labels and of targets of explanations."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from probe.arrays import Given, Wanted, from_numbers, label_remedy
from probe.errors import DataError, ShapeError
from probe.task import Classification, MultiLabel, Places, Regression, Task
from probe.task.places import NO_LABEL


def check_targets(given: Wanted, rows: int, count: int, task: Task) -> Tensor:
    """The targets of an explanation, (rows,), after checking that each is an output, by its index or its name.

    Raises:
        ShapeError: if there is not one per row.
        DataError: if they are not indices of outputs.
        RangeError: if one is no name of an output.
    """
    targets = from_numbers(_by_name(given, (rows,), task.index))
    if not isinstance(task, Regression):
        return _indices(targets, rows, count, "targets")
    each = ", ".join(f"{at} ({name})" for at, name in enumerate(task.outputs))
    whole = isinstance(targets, Tensor) and not (targets.is_floating_point() or targets.is_complex())
    if not whole or targets.shape != (rows,) or not bool(((targets >= 0) & (targets < count)).all()):
        raise DataError(
            f"targets are {_found(targets, values=True)}, expected for each of {rows} inputs the number of the output "
            f"that is explained: {each}; they are no values of it: leave targets out to explain {task.outputs[0]}"
        )
    return _whole(targets, count, "targets")


def check_labels(given: Wanted, task: Task, shape: tuple[int, ...], what: str = "labels") -> Tensor:
    """The labels, after checking that they fit the task. Targets that are classes may be named.

    Args:
        given: (rows,), or (rows, labels), (rows, places) and (rows, outputs) for several per row.
        task: of the model.
        shape: of the model's logits for these rows.
        what: their name in messages: labels, or targets of an attack.

    Raises:
        ShapeError: if there is not one for each answer.
        DataError: if they are not valid classes or numbers.
        RangeError: if a target is no name of a class.
    """
    named = what == "targets" and isinstance(task, Classification)
    labels = from_numbers(_by_name(given, shape[:-1], task.class_index) if named else given)
    rows, several = shape[0], isinstance(task, MultiLabel | Places)
    if isinstance(task, Regression):
        return _numbers(labels, task, rows, what)
    if not several:
        return _indices(labels, rows, shape[1], what)
    expected, of = (shape[:2], "label") if isinstance(task, MultiLabel) else (shape[:-1], "place")
    if not isinstance(labels, Tensor) or labels.shape != expected:
        raise ShapeError(
            f"{what} are {_found(labels)}, expected {tuple(expected)}: one for each {of} of each of {rows} inputs"
            + f"; write torch.as_tensor({what})" * (not isinstance(labels, Tensor))
        )
    count, fits = shape[-1], f"for each of {shape[1]} places, which has {shape[-1]} classes"
    if of == "label":
        count, fits = 2, f"for each of {shape[1]} labels: 1 where it is true"
        return _whole(labels.long() if labels.dtype == torch.bool else labels, count, what, fits)
    return _at_places(labels, task, count, what, fits)


def _at_places(labels: Tensor, task: Task, count: int, what: str, fits: str) -> Tensor:
    """The labels of places, of which some may have none."""
    there = task.labelled(labels)
    _whole(labels[there], count, what, f"{fits}, or {NO_LABEL} where there is no label")
    if not bool(there.any(1).all()):
        row = int((~there.any(1)).nonzero()[0])
        raise DataError(f"{what} of row {row} are {NO_LABEL} at each place, expected one label at least; leave it out")
    return labels.detach().long()


def _by_name(targets: Wanted, shape: tuple[int, ...], index: Callable[[Any], int]) -> Any:
    """Targets that are named as indices: one name for all rows, or a list of one for each; any others as they are."""
    if isinstance(targets, str):
        return torch.full(shape, index(targets))
    listed: Any = targets.tolist() if hasattr(targets, "tolist") and not isinstance(targets, Tensor) else targets
    named = isinstance(listed, list | tuple) and any(isinstance(each, str) for each in listed)
    return torch.tensor([index(each) for each in listed]) if named else targets


def check_stored(task: Task, logits: Tensor, labels: Tensor) -> None:
    """Raise DataError or ShapeError if stored logits and labels do not fit a task."""
    shape = tuple(logits.shape)
    if len(shape) != 2 + isinstance(task, Places) or shape[-1] < 1 + isinstance(task, Classification):
        raise DataError(f"logits have shape {shape}, expected (examples, {task.units[1]})")
    if task.names and len(task.names) != shape[-1]:
        raise DataError(f"{shape[-1]} logits for {len(task.names)} {task.units[1]}")
    if len(logits):
        check_labels(labels, task, shape)


def _numbers(labels: Given, task: Regression, rows: int, what: str) -> Tensor:
    count = len(task.outputs)
    fitting = ((rows,), (rows, 1)) if count == 1 else ((rows, count),)
    if not isinstance(labels, Tensor) or labels.shape not in fitting:
        raise ShapeError(
            f"{what} are {_found(labels)}, expected {fitting[0]}: the right {', '.join(task.outputs)} of each of "
            f"{rows} inputs" + f"; write torch.as_tensor({what})" * (not isinstance(labels, Tensor))
        )
    if labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"{what} are {labels.dtype}, expected decimal numbers; write {what}.float()")
    labels = labels.detach()
    labels = labels if labels.is_floating_point() else labels.to(torch.get_default_dtype())
    if not bool(labels.isfinite().all()):
        raise DataError(f"{what} hold NaN or infinity in {int((~labels.isfinite()).sum())} places; drop those rows")
    return labels.reshape(fitting[0])


def _indices(labels: Given, rows: int, count: int, what: str) -> Tensor:
    if not isinstance(labels, Tensor) or labels.shape != (rows,):
        raise ShapeError(
            f"{what} are {_found(labels)}, expected one class index for each of {rows} inputs"
            f"{label_remedy(labels, rows).replace('labels', what)}"
        )
    return _whole(labels, count, what)


def _whole(labels: Tensor, count: int, what: str, fits: str = "") -> Tensor:
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"{what} are {labels.dtype}, expected class indices (integers); write {what}.long()")
    labels = labels.detach().long()
    if not bool(((labels >= 0) & (labels < count)).all()):
        raise DataError(
            f"{what} span {int(labels.min())} to {int(labels.max())}, expected 0 to {count - 1} "
            f"{fits or f'for {count} classes'}"
        )
    return labels


def _found(labels: Given, *, values: bool = False) -> str:
    if not isinstance(labels, Tensor):
        return type(labels).__name__
    if values and labels.ndim == 1 and labels.numel():
        return f"{labels.dtype} from {labels.min().item():.4g} to {labels.max().item():.4g}"
    return str(tuple(labels.shape))
