"""Functions that give probabilities and no gradients, such as those of scikit-learn."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.errors import DataError, ProbeError, ShapeError, Unsupported
from probe.model import Model
from probe.space import Space

SMALLEST = 1e-12  # a probability of 0 has no logarithm


def from_predict_proba(
    predict_proba: Callable[[Any], Any],
    space: Space,
    classes: tuple[str, ...],
    name: str = "model",
    threshold: float | None = None,
) -> Model:
    """A black box from a function of a numpy array that gives class probabilities, (rows, classes).

    Its logits are log-probabilities, so softmax gives the probabilities back. It has no gradients. With a `threshold`,
    the second of two classes is decided for where its probability is at least that.
    """

    def forward(inputs: Tensor) -> Tensor:
        answer = predict_proba(inputs.detach().cpu().numpy())
        return log_probabilities(answer, len(inputs), "predict_proba").to(inputs.dtype)

    return Model(forward=forward, space=space, classes=classes, name=name, threshold=threshold)


def from_estimator(
    estimator: Any, space: Space, classes: tuple[str, ...] = (), name: str = "", *, threshold: float | None = None
) -> Model:
    """A black box from a fitted scikit-learn estimator or pipeline with `predict_proba`.

    An estimator that was fitted to a data frame is given one: its columns are the features of the space, categories by
    their level. Any other is given the coordinates, (rows, coordinates).

    Args:
        estimator: fitted; it is asked and never changed.
        space: what the inputs mean; its names must be the estimator's own, in its order.
        classes: the order of the logits; the estimator's own unless given. Names for classes 0, 1, ... are taken as
            they come.
        name: of the model; the estimator's type unless given.
        threshold: the probability from which the second class is decided for; unless given, the likelier one is.

    Raises:
        Unsupported: if it gives no probabilities.
        DataError: if its classes or features are others.
    """
    if not callable(getattr(estimator, "predict_proba", None)):
        raise Unsupported(
            f"{type(estimator).__name__} has no predict_proba; fit it with probability estimates, "
            "or wrap it in sklearn.calibration.CalibratedClassifierCV"
        )
    own = getattr(estimator, "classes_", None)
    if own is None:
        raise DataError(f"{type(estimator).__name__} has no classes_; fit it first")
    order = _order([str(c) for c in own], classes)
    columns = list(map(str, getattr(estimator, "feature_names_in_", ())))
    if columns and columns != list(space.names):
        raise DataError(
            f"the estimator was fitted to the columns {_listed(columns)}, the space names {_listed(space.names)}; "
            "give Space(names=...) in the estimator's order"
        )

    def predict_proba(inputs: NDArray[Any]) -> NDArray[Any]:
        rows = _frame(inputs, space) if columns else inputs.reshape(len(inputs), -1)
        expected = getattr(estimator, "n_features_in_", rows.shape[1])
        if rows.shape[1] != expected:
            raise ShapeError(f"each row has {rows.shape[1]} numbers, the estimator was fitted to {expected}")
        return np.asarray(estimator.predict_proba(rows))[:, order]

    named = classes or tuple(str(c) for c in own)
    return from_predict_proba(predict_proba, space, named, name or type(estimator).__name__, threshold)


def log_probabilities(answer: Any, rows: int, asked: str) -> Tensor:
    """Logarithms of probabilities (rows, classes), after checking that they are some."""
    found = np.asarray(answer, dtype=np.float64)
    if found.ndim != 2 or len(found) != rows:
        raise ShapeError(f"{asked} returned {found.shape}, expected ({rows}, classes)")
    if not are_probabilities(found):
        raise ProbeError(f"{asked} must return probabilities: rows that are not negative and sum to 1")
    return torch.from_numpy(np.log(found.clip(min=SMALLEST)))


def are_probabilities(answer: NDArray[Any]) -> bool:
    """Whether every row is positive and sums to 1, as rounded in half precision at worst."""
    return bool(np.all(answer >= 0) and np.allclose(answer.sum(1), 1, atol=2e-3))


def _order(own: list[str], classes: tuple[str, ...]) -> list[int]:
    """Where the estimator has each class."""
    if not classes or (own == [str(i) for i in range(len(own))] and len(classes) == len(own)):
        return list(range(len(own)))
    if sorted(own) != sorted(classes):
        raise DataError(f"the estimator tells apart {', '.join(own)}, not {', '.join(classes)}; name its own classes")
    return [own.index(c) for c in classes]


def _frame(inputs: NDArray[Any], space: Space) -> pd.DataFrame:
    """The rows as the table that they were made of: numbers as they are, categories by their level."""
    rows = torch.from_numpy(inputs)
    owner = (torch.arange(rows[0].numel()) if space.features is None else space.features.flatten()).numpy()
    flat, columns = rows.flatten(1).numpy(), {}
    for feature, name in enumerate(space.names):
        (places,) = np.nonzero(owner == feature)
        if space.kinds and space.kinds[feature] == "category" and space.levels:
            columns[name] = np.array([space.levels[p] for p in places])[flat[:, places].argmax(1)]
        else:
            columns[name] = flat[:, places[0]]
    return pd.DataFrame(columns)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + ", ..." * (len(names) > 10) if names else "none"
