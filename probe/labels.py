"""Labels as a task has them, and targets of explanations: taken, or refused with a remedy."""

import torch
from torch import Tensor

from probe.arrays import Given, label_remedy
from probe.errors import DataError, ShapeError
from probe.task import Classification, MultiLabel, Places, Regression, Task


def check_targets(targets: Given, rows: int, count: int) -> Tensor:
    """The targets, (rows,), after checking that each is the number of an output.

    Raises:
        ShapeError: if there is not one for each row.
        DataError: if they are no numbers of outputs.
    """
    if not isinstance(targets, Tensor) or targets.shape != (rows,):
        raise ShapeError(
            f"labels are {_found(targets)}, expected one class index for each of {rows} inputs"
            f"{label_remedy(targets, rows)}"
        )
    return _whole(targets, count)


def check_labels(labels: Given, task: Task, shape: tuple[int, ...]) -> Tensor:
    """The labels, after checking that they are what the task decides between; numbers for a regression.

    Args:
        labels: (rows,), or (rows, labels), (rows, places) and (rows, outputs) where each row has several.
        task: of the model.
        shape: of the model's logits for these rows.

    Raises:
        ShapeError: if there is not one for each decision.
        DataError: if they are none of the decisions.
    """
    rows, several = shape[0], isinstance(task, MultiLabel | Places)
    if isinstance(task, Regression):
        return _numbers(labels, task, rows)
    if not several:
        return check_targets(labels, rows, shape[1])
    expected, what = (shape[:2], "label") if isinstance(task, MultiLabel) else (shape[:-1], "place")
    if not isinstance(labels, Tensor) or labels.shape != expected:
        raise ShapeError(
            f"labels are {_found(labels)}, expected {tuple(expected)}: one for each {what} of each of {rows} inputs"
            + "; write torch.as_tensor(labels)" * (not isinstance(labels, Tensor))
        )
    return _whole(labels.long() if labels.dtype == torch.bool else labels, shape[-1] if what == "place" else 2)


def check_stored(task: Task, logits: Tensor, labels: Tensor) -> None:
    """Raise DataError, or ShapeError, where stored logits and labels are not of a task."""
    shape = tuple(logits.shape)
    if len(shape) != 2 + isinstance(task, Places) or shape[-1] < 1 + isinstance(task, Classification):
        raise DataError(f"logits have shape {shape}, expected (examples, {task.units[1]})")
    if task.names and len(task.names) != shape[-1]:
        raise DataError(f"{shape[-1]} logits for {len(task.names)} {task.units[1]}")
    if len(logits):
        check_labels(labels, task, shape)


def _numbers(labels: Given, task: Regression, rows: int) -> Tensor:
    count = len(task.outputs)
    fitting = ((rows,), (rows, 1)) if count == 1 else ((rows, count),)
    if not isinstance(labels, Tensor) or labels.shape not in fitting:
        raise ShapeError(
            f"labels are {_found(labels)}, expected {fitting[0]}: the right {', '.join(task.outputs)} of each of "
            f"{rows} inputs" + "; write torch.as_tensor(labels)" * (not isinstance(labels, Tensor))
        )
    if labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"labels are {labels.dtype}, expected decimal numbers; write labels.float()")
    labels = labels.detach()
    labels = labels if labels.is_floating_point() else labels.to(torch.get_default_dtype())
    if not bool(labels.isfinite().all()):
        raise DataError(f"labels hold NaN or infinity in {int((~labels.isfinite()).sum())} places; drop those rows")
    return labels.reshape(fitting[0])


def _whole(labels: Tensor, count: int) -> Tensor:
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"labels are {labels.dtype}, expected class indices (integers); write labels.long()")
    labels = labels.detach().long()
    if not bool(((labels >= 0) & (labels < count)).all()):
        raise DataError(
            f"labels span {int(labels.min())} to {int(labels.max())}, expected 0 to {count - 1} for {count} classes"
        )
    return labels


def _found(labels: Given) -> str:
    return str(tuple(labels.shape)) if isinstance(labels, Tensor) else type(labels).__name__
