"""Labels as losses take them, and the sentences for those that no loss of the task takes."""

from dataclasses import dataclass, replace
from typing import Any, overload

import torch
from torch import Tensor

from probe import Dataset
from probe.errors import DataError
from probe.task import Classification, MultiLabel, Places, Task
from probe.task.places import NO_LABEL
from probe_models.training.loaders import Loader, workers_of
from probe_models.training.losses import LOSSES
from probe_models.training.settings import Settings

ROUNDING = 1e-4  # of the sum of a distribution


def task_of(settings: Settings, objective: object) -> Task | None:
    """What `fit` learns labels as: the task given, or classes by a loss of classes; None where only a loss can say."""
    if isinstance(objective, Task):
        return objective
    return Classification() if objective is None and settings.loss in LOSSES else None


@overload
def answered(data: Dataset, task: Task | None) -> Dataset: ...


@overload
def answered(data: Dataset | Loader, task: Task | None) -> Dataset | Loader: ...


def answered(data: Dataset | Loader, task: Task | None) -> Dataset | Loader:
    """The rows, with labels as a loss of the task takes them.

    Classes are indices (rows,), or distributions (rows, classes); whole numbers in decimals are indices too.

    Raises:
        DataError: for labels that are neither.
    """
    if not isinstance(task, Classification):  # Places are one too
        return data
    if not isinstance(data, Dataset):
        return _Answered(data, task)
    return _answered(data, task)


def check_answers(data: Dataset, task: Task, answer: tuple[int, ...], kind: str) -> None:
    """Raise DataError unless a network with this shape of an answer to one row can learn the labels.

    Args:
        data: the rows.
        task: what they are learnt as; no regression, which has a sentence of its own.
        answer: shape of the task's logits of one row.
        kind: the network's name.
    """
    labels, count = data.labels, answer[-1]
    wanted = answer if isinstance(task, MultiLabel) else answer[:-1]
    if labels.is_floating_point() and isinstance(task, Classification):
        wanted = answer  # distributions
    if tuple(labels.shape[1:]) != wanted:
        raise DataError(
            f"{data.name} has {_many(tuple(labels.shape[1:]))} for each row, and {kind} answers a row by {answer}; "
            f"expected {_many(wanted)} for each row: change the labels, or the outputs of the network"
        )
    if labels.is_floating_point() or isinstance(task, MultiLabel):
        highest, values = 1, labels
    else:
        highest, values = count - 1, labels[labels != NO_LABEL] if isinstance(task, Places) else labels
    if not values.numel():
        return
    low, high = values.min().item(), values.max().item()
    if low < 0 or high > highest:
        remedy = "number the classes from 0, or give the network an output for each"
        if isinstance(task, MultiLabel):
            remedy = "give 1 for each label that is true, else 0"
        elif count == 1:
            remedy = 'give objective=Regression() for quantities, Classification(outputs="one logit") for two classes'
        raise DataError(
            f"the labels of {data.name} run from {low:g} to {high:g}, {kind} has {count} outputs, expected labels from "
            f"0 to {highest}; {remedy}"
        )


def decided(labels: Tensor) -> Tensor:
    """The class of each row (rows,): of a distribution the most likely one."""
    return labels.argmax(1) if labels.is_floating_point() else labels


@dataclass(frozen=True, eq=False)
class _Answered:
    """The rows of a loader with labels as a loss of the task takes them."""

    of: Loader
    task: Task

    @property
    def workers(self) -> int:
        """The number of worker processes."""
        return workers_of(self.of)

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, rows: Tensor) -> Dataset:
        found: Any = self.of[rows]
        given: Dataset = _answered(found, self.task) if isinstance(found, Dataset) else found
        return given


def _answered(data: Dataset, task: Task) -> Dataset:
    labels, where = data.labels, f"the labels of {data.name}"
    several = isinstance(task, Places)
    if labels.ndim == 2 and labels.shape[1] == 1 and not several:
        labels = labels[:, 0]
    if labels.ndim == 2 and not several:
        _check_distributions(labels, where)
    elif labels.is_floating_point():
        if bool((labels != labels.round()).any()):
            odd = labels[labels != labels.round()].flatten()[0].item()
            raise DataError(
                f"{where} hold {odd:.4g}, expected the numbers of classes, from 0; where labels are quantities, give "
                "objective=Regression(), with Regression from probe"
            )
        labels = labels.long()
    elif labels.dtype != torch.int64:
        labels = labels.long()
    return data if labels is data.labels else replace(data, labels=labels)


def _many(shape: tuple[int, ...]) -> str:
    return "one label" if not shape else f"{shape[0]} labels" if len(shape) == 1 else f"labels {shape}"


def _check_distributions(labels: Tensor, where: str) -> None:
    """Raise DataError unless each row has a distribution over the classes."""
    shape = tuple(labels.shape)
    truths = bool(((labels == 0) | (labels == 1)).all())
    if truths and not labels.is_floating_point() and bool((labels.sum(1) == 1).all()):
        raise DataError(f"{where} are one-hot, {shape}, expected the class of each row; write labels.argmax(1)")
    if truths and not bool((labels.sum(1) == 1).all()):
        raise DataError(
            f"{where} have several 1 in a row, or none, of {shape}, expected one class for each row; for several "
            "labels give objective=MultiLabel((NAME, ...)), with MultiLabel from probe"
        )
    if not labels.is_floating_point():
        raise DataError(
            f"{where} are {shape}, expected one class for each row; for a class at each of {shape[1]} places give "
            "objective=Places((NAME, ...)), with Places from probe"
        )
    sums = labels.sum(1)
    if bool((labels < 0).any()) or bool(((sums - 1).abs() > ROUNDING).any()):
        raise DataError(
            f"{where} have rows of {shape[1]} numbers that are no probabilities with the sum 1, expected one class for "
            f"each row, or a distribution over the classes; where labels are quantities, give objective=Regression("
            "(NAME, ...)), with Regression from probe"
        )
