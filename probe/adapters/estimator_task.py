"""The task of a fitted estimator: classification, several labels, or regression."""

from typing import Any

import numpy as np

from probe.errors import DataError, Unsupported
from probe.task import Classification, MultiLabel, Regression, Task


def last_step(estimator: Any) -> Any:
    """The final estimator of pipelines and searches."""
    while hasattr(estimator, "steps") or hasattr(estimator, "best_estimator_"):
        estimator = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator.best_estimator_
    return estimator


def labels_of(estimator: Any) -> list[list[Any]]:
    """The false and true value of each label of a multi-label estimator; empty for any other.

    Raises:
        Unsupported: if a label does not have two values.
    """
    found, last = getattr(estimator, "classes_", None), last_step(estimator)
    if found is None:
        return []
    if any(np.ndim(value) for value in found):  # a list of the classes of each label
        for at, own in enumerate(found):
            if len(own) != 2:
                raise Unsupported(
                    f"label {at} of {type(estimator).__name__} has {len(own)} classes, expected false and true; fit "
                    "one for each"
                )
        return [[plain(value) for value in own] for own in found]
    coded = getattr(getattr(last, "_label_binarizer", None), "y_type_", "")
    several = getattr(last, "multilabel_", False) is True or str(coded).startswith("multilabel")
    return [[0, 1] for _ in found] if several else []


def task_of(estimator: Any) -> Task | None:
    """The task of an estimator, without names of outputs; None if it cannot be determined.

    >>> from sklearn.linear_model import LinearRegression
    >>> from probe.adapters import task_of
    >>> task_of(LinearRegression())
    Regression(outputs=('output',), tolerance=None)
    """
    if callable(getattr(estimator, "predict_proba", None)):
        if labels_of(estimator):
            return MultiLabel(outputs="probabilities")
        return Classification() if hasattr(estimator, "classes_") else None
    predicts = callable(getattr(estimator, "predict", None)) and not isinstance(estimator, type)
    return Regression() if predicts and _tagged(estimator) == "regressor" else None


def refuse_others(estimator: Any) -> None:
    """Raise Unsupported, with a fitting remedy, for an object that returns neither probabilities nor numbers."""
    kind = type(estimator).__name__
    if kind == "Booster":
        raise Unsupported(
            "a Booster does not say what it predicts; load it into XGBClassifier, XGBRegressor, LGBMClassifier or "
            "LGBMRegressor, or wrap a function of an array that returns the probabilities of all classes by "
            "from_predict_proba"
        )
    if isinstance(estimator, type):
        raise Unsupported(
            f"{estimator.__name__} is a class, not a fitted estimator; write {estimator.__name__}().fit(...)"
        )
    if callable(getattr(estimator, "predict_proba", None)) or task_of(estimator) is not None:
        return
    found = _tagged(estimator)
    if hasattr(estimator, "transform") and not hasattr(estimator, "predict"):
        found = "transformer"
    does = {
        "outlier_detector": "detects outliers without probabilities; wrap a function that returns the probabilities of "
        "usual and unusual by from_predict_proba",
        "clusterer": "finds clusters and predicts no label; fit a classifier",
        "transformer": "transforms rows and predicts nothing; give the pipeline that ends in a classifier",
    }.get(found)
    raise Unsupported(
        f"{kind} {does}"
        if does
        else f"{kind} has no predict_proba; {_with_probabilities(estimator)}; where it predicts numbers, say so: "
        'task=Regression(), in a plan [model] task = "regression"'
    )


def _with_probabilities(estimator: Any) -> str:
    """How a classifier of this kind comes to return probabilities."""
    if getattr(last_step(estimator), "voting", None) == "hard":
        return 'fit it with voting="soft"'
    if hasattr(estimator, "decision_function"):
        return "fit it with probability estimates, or wrap it in sklearn.calibration.CalibratedClassifierCV"
    return (
        "give it its decisions as probabilities: estimator.predict_proba = lambda rows: "
        "(estimator.predict(rows)[:, None] == estimator.classes_) * 1.0"
    )


def check_fitted(estimator: Any, task: Task) -> None:
    """Raise DataError if an estimator was not fitted, or with rows of only one class."""
    kind = type(estimator).__name__
    if isinstance(task, Regression):
        return  # regressors have no common attribute that shows that they are fitted
    found = getattr(estimator, "classes_", None)
    if found is None:
        raise DataError(f"{kind} has no classes_; fit it first")
    if len(found) < 2 and not isinstance(task, MultiLabel):
        raise DataError(f"{kind} was fitted to rows of one class alone, {found[0]}, so it cannot distinguish classes")


def plain(value: Any) -> Any:
    """A label as a plain Python value."""
    return value.item() if isinstance(value, np.generic) else value


def _tagged(estimator: Any) -> str:
    """The estimator type in scikit-learn's tags."""
    tags = getattr(estimator, "__sklearn_tags__", None)
    try:
        return str(tags().estimator_type) if callable(tags) else str(getattr(estimator, "_estimator_type", ""))
    except Exception:  # a user's class may raise anything
        return ""
