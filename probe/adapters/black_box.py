"""Black boxes: functions that return probabilities without gradients."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.errors import ProbeError, ShapeError
from probe.model import Model
from probe.space import Space
from probe.task import MultiLabel

SMALLEST = 1e-12  # a probability of 0 has no logarithm


def from_predict_proba(
    predict_proba: Callable[[Any], Any],
    space: Space,
    classes: tuple[str, ...],
    name: str = "model",
    threshold: float | None = None,
    *,
    task: MultiLabel | None = None,
) -> Model:
    """A black box from a function of a numpy array that returns class probabilities, (rows, classes).

    With `task=MultiLabel(outputs="probabilities")` it gives the probability of each label, (rows, labels), or as
    scikit-learn does a list of tables (rows, 2), one for each label, whose second column says that it is true.

    Its logits are log-probabilities, so softmax gives the probabilities back. It has no gradients. With a `threshold`,
    the second of two classes is decided for where its probability is at least that.

    >>> import numpy as np
    >>> import torch
    >>> from probe import Space, from_predict_proba
    >>> model = from_predict_proba(lambda rows: np.hstack([rows, 1 - rows]), Space(), classes=("high", "low"))
    >>> model.predict(torch.tensor([[0.9], [0.2]]))
    tensor([0, 1])
    """

    @wraps(predict_proba, assigned=(), updated=())
    def forward(inputs: Tensor) -> Tensor:
        read = log_probabilities if task is None else label_probabilities
        answer = read(predict_proba(inputs.detach().cpu().numpy()), len(inputs), "predict_proba")
        return answer.to(inputs.dtype)

    if task is not None:
        task = replace(task, labels=task.labels or classes)
        return Model(forward=forward, space=space, task=task, name=name)
    return Model(forward=forward, space=space, classes=classes, name=name, threshold=threshold)


def of_numpy(predict: Callable[[Any], NDArray[Any]]) -> Callable[[Tensor], Tensor]:
    """Wrap a function of numpy arrays, with results (rows, outputs), as a function of tensors."""

    @wraps(predict, assigned=(), updated=())
    def forward(inputs: Tensor) -> Tensor:
        return torch.from_numpy(predict(inputs.detach().cpu().numpy())).to(inputs.dtype)

    return forward


def log_probabilities(answer: Any, rows: int, asked: str) -> Tensor:
    """Logarithms of probabilities (rows, classes), after validation."""
    found = np.asarray(answer, dtype=np.float64)
    if found.ndim != 2 or len(found) != rows:
        raise ShapeError(f"{asked} returned {found.shape}, expected ({rows}, classes)")
    if not are_probabilities(found):
        raise ProbeError(
            f"{asked} must return probabilities: rows that are not negative and sum to 1; for those of several labels, "
            "say what they are: task=MultiLabel(outputs='probabilities'), in a plan task = \"multilabel\""
        )
    return torch.from_numpy(np.log(found.clip(min=SMALLEST)))


def label_probabilities(answer: Any, rows: int, asked: str) -> Tensor:
    """Label probabilities (rows, labels), from such an array or from one table (rows, 2) per label."""
    if isinstance(answer, list | tuple):
        tables = [np.asarray(each, dtype=np.float64) for each in answer]
        if odd := [table.shape for table in tables if table.shape != (rows, 2)]:
            raise ShapeError(f"{asked} returned a table {odd[0]} for a label, expected ({rows}, 2): false and true")
        answer = np.stack([table[:, 1] for table in tables], axis=1)
    found = np.asarray(answer, dtype=np.float64)
    if found.ndim != 2 or len(found) != rows:
        raise ShapeError(f"{asked} returned {found.shape}, expected ({rows}, labels)")
    return torch.from_numpy(found)


def are_probabilities(answer: NDArray[Any]) -> bool:
    """Whether every row is positive and sums to 1, up to rounding in half precision."""
    return (
        answer.ndim == 2
        and answer.shape[1] > 1
        and bool(np.all(answer >= 0) and np.allclose(answer.sum(1), 1, atol=2e-3))
    )
