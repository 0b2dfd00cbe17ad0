"""What a model's outputs mean: the prediction, its probability, and its loss.

The only place where outputs become probabilities and predictions. Functions take numpy arrays or torch tensors and give
the same results for both, so that a verifier without torch predicts as the run did. One module per kind of task.
"""

from collections.abc import Mapping
from typing import Any

from probe.errors import IntegrityError
from probe.task.base import Task
from probe.task.classification import Classification
from probe.task.multilabel import MultiLabel
from probe.task.places import Places
from probe.task.regression import Regression
from probe.task.single import Single

__all__ = ["Classification", "MultiLabel", "Places", "Regression", "Single", "Task", "from_json"]

KINDS: dict[str, type[Task]] = {task.kind: task for task in (Classification, MultiLabel, Places, Regression, Single)}


def from_json(held: Mapping[str, Any]) -> Task:
    """The task that `to_json` wrote.

    Raises:
        IntegrityError: if it is not a task.
    """
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in held.items() if key != "kind"}
    try:
        return KINDS[held["kind"]](**settings)
    except (LookupError, TypeError, ValueError) as error:
        raise IntegrityError(f"{str(dict(held))[:60]} is no task of a model: {str(error)[:200]}") from None
