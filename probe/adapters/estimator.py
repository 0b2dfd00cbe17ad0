"""Estimators of scikit-learn, XGBoost and LightGBM as black boxes: given what they were fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.adapters.black_box import from_predict_proba
from probe.adapters.comparison import Asked, compare
from probe.errors import DataError, ShapeError, Unsupported
from probe.model import Model
from probe.names import in_order, number
from probe.restored import decode, restore
from probe.space import Space
from probe.task import MultiLabel

THRESHOLDS = ("FixedThresholdClassifier", "TunedThresholdClassifierCV")


def from_estimator(
    estimator: Any,
    space: Space,
    classes: tuple[str, ...] = (),
    name: str = "",
    *,
    rows: Any = None,
    threshold: float | None = None,
) -> Model:
    """A black box from a fitted estimator or pipeline with `predict_proba`, as of scikit-learn, XGBoost and LightGBM.

    An estimator that was fitted to a data frame is given one: its columns are the features of the space, each value
    in its column's own type. Any other is given the coordinates, (rows, coordinates).

    Args:
        estimator: fitted; it is asked and never changed.
        space: what the inputs mean; its names must be the estimator's own, in its order.
        classes: the order of the logits; the estimator's own unless given. Classes are matched by their names; only
            where no name matches are names for classes 0, 1, ... taken as they come.
        name: of the model; the estimator's type unless given.
        rows: a DataFrame or an array, as the estimator itself would be given it. Its probabilities and decisions on
            these rows are compared once with the model's; without rows nothing is compared, and the notices say so.
        threshold: of two classes, the probability from which the second is decided for; that of a
            FixedThresholdClassifier or TunedThresholdClassifierCV is taken over unless given.

    Raises:
        Unsupported: if it gives no probabilities.
        DataError: if its classes or features are others, or it answers the rows otherwise than the model does.

    >>> import numpy as np
    >>> import torch
    >>> from sklearn.linear_model import LogisticRegression
    >>> from probe import Space, from_estimator
    >>> rows = np.linspace(0, 1, 20)[:, None]
    >>> fitted = LogisticRegression(C=100.0).fit(rows, rows[:, 0] > 0.5)
    >>> model = from_estimator(fitted, Space(names=("share",)))
    >>> model.classes, model.predict(torch.tensor([[0.1], [0.9]], dtype=torch.float64))
    (('False', 'True'), tensor([0, 1]))
    """
    _refuse_others(estimator)
    found = getattr(estimator, "classes_", None)
    if found is None:
        raise DataError(f"{type(estimator).__name__} has no classes_; fit it first")
    if any(np.ndim(value) for value in found):
        return _labelled(estimator, space, classes, name, found)
    own = [_plain(value) for value in found]
    if len(own) < 2:
        raise DataError(
            f"{type(estimator).__name__} was fitted to rows of one class alone, {own[0]}, so it tells nothing apart"
        )
    order, said = _order(own, classes)
    named = tuple(map(str, classes)) or tuple(str(c) for c in own)
    asked = _Estimator(estimator, space, _columns(estimator, space), own, order)
    cut, explained = _threshold(estimator, own, order, threshold)
    model = from_predict_proba(asked.probabilities, space, named, name or type(estimator).__name__, threshold=cut)
    compared = compare(model, asked, rows, decides=threshold is None)
    return replace(model, notices=(*said, *explained, *compared))


def _labelled(estimator: Any, space: Space, labels: tuple[str, ...], name: str, found: Any) -> Model:
    """An estimator with several labels at once, of each of which the second of its two classes is that it is true."""
    kind = type(estimator).__name__
    if (odd := next((at for at, own in enumerate(found) if len(own) != 2), None)) is not None:
        raise Unsupported(
            f"label {odd} of {kind} has {len(found[odd])} classes, expected false and true; fit one for each"
        )
    if labels and len(labels) != len(found):
        raise DataError(f"{kind} has {len(found)} labels, and {len(labels)} are named: {', '.join(labels)}")
    asked = _Estimator(estimator, space, _columns(estimator, space), [], [])
    task = MultiLabel(labels or tuple(f"label {at}" for at in range(len(found))), outputs="probabilities")
    model = from_predict_proba(
        lambda inputs: estimator.predict_proba(asked.given(inputs)), space, (), name or kind, task=task
    )
    true = ", ".join(f"{label} is {own[1]}" for label, own in zip(task.labels, found, strict=True))
    return replace(
        model,
        notices=(
            f"the labels are in the estimator's order, and true where {true}",
            f"not compared: {kind} has several labels",
        ),
    )


@dataclass(frozen=True)
class _Estimator(Asked):
    """An estimator, and how it is asked."""

    estimator: Any
    space: Space
    columns: list[str]  # of the data frame that it was fitted to; none if it was fitted to an array
    own: list[Any]  # its classes
    order: list[int]  # where it has each class of the model

    def given(self, inputs: NDArray[Any]) -> Any:
        if self.columns:
            return decode(inputs, self.space).set_axis(self.columns, axis=1)
        rows = restore(inputs, self.space)
        expected = getattr(self.estimator, "n_features_in_", rows.shape[1])
        if rows.shape[1] != expected == len(self.space.names):
            return decode(inputs, self.space).to_numpy()
        if rows.shape[1] != expected:
            raise ShapeError(f"each row has {rows.shape[1]} numbers, the estimator was fitted to {expected}")
        return rows

    def probabilities(self, inputs: NDArray[Any]) -> NDArray[Any]:
        return self.ask(self.given(inputs))

    def ask(self, rows: Any) -> NDArray[Any]:
        return np.asarray(self.estimator.predict_proba(rows))[:, self.order]

    def decide(self, rows: Any) -> NDArray[np.int64]:
        place = {self.own[there]: here for here, there in enumerate(self.order)}
        return np.array([place.get(_plain(label), -1) for label in np.asarray(self.estimator.predict(rows)).ravel()])


def _refuse_others(estimator: Any) -> None:
    """Raise Unsupported for what gives no probabilities of classes, in words that fit."""
    kind = type(estimator).__name__
    if kind == "Booster":
        raise Unsupported(
            "a Booster knows no classes; load it into XGBClassifier or LGBMClassifier, or wrap a function of an array "
            "that returns the probabilities of all classes by from_predict_proba"
        )
    if isinstance(estimator, type):
        raise Unsupported(
            f"{estimator.__name__} is a class, not a fitted estimator; write {estimator.__name__}().fit(...)"
        )
    if callable(getattr(estimator, "predict_proba", None)):
        return
    tags = getattr(estimator, "__sklearn_tags__", None)
    try:
        found = str(tags().estimator_type) if callable(tags) else str(getattr(estimator, "_estimator_type", ""))
    except Exception:  # whatever a class of somebody's own raises
        found = ""
    if hasattr(estimator, "transform") and not hasattr(estimator, "predict"):
        found = "transformer"
    does = {
        "regressor": "predicts a number and no class; what is studied here are classifiers: cut the number into "
        "classes, and fit a classifier to them",
        "outlier_detector": "tells outliers without probabilities; wrap a function that returns the probabilities of "
        "usual and unusual by from_predict_proba",
        "clusterer": "finds clusters and predicts no label; fit a classifier",
        "transformer": "changes rows and predicts nothing; give the pipeline that ends in a classifier",
    }.get(found)
    raise Unsupported(
        f"{kind} {does}"
        if does
        else f"{kind} has no predict_proba; fit it with probability estimates, "
        "or wrap it in sklearn.calibration.CalibratedClassifierCV"
    )


def _plain(value: Any) -> Any:
    """A label as a value of Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def _order(own: list[Any], classes: Sequence[str]) -> tuple[list[int], list[str]]:
    """Where the estimator has each class, and what is assumed about it."""
    names, wanted = [str(c) for c in own], [str(c) for c in classes]
    if not wanted or names == wanted:
        return list(range(len(own))), []
    if len(set(wanted)) == len(wanted):
        if sorted(names) == sorted(wanted):
            return [names.index(c) for c in wanted], []
        values, sought = [_value(c) for c in own], [_value(c) for c in wanted]
        if None not in sought and len({*values}) == len(values) and {*values} == {*sought}:
            return [values.index(c) for c in sought], []
    numbered = names == [str(i) for i in range(len(own))] and len(wanted) == len(own)
    # The classes 1, 2 may well be its 0, 1, as XGBoost counts from 0; any other likeness contradicts the places.
    if numbered and (not {*names} & {*wanted} or (wanted == in_order(wanted) and None not in map(number, wanted))):
        pairs = ", ".join(f"{number} is {c}" for number, c in zip(names, wanted, strict=True))
        return list(range(len(own))), [f"the classes are assumed to be in the estimator's order: {pairs}"]
    raise DataError(f"the estimator tells apart {', '.join(names)}, not {', '.join(wanted)}; name its own classes")


def _value(label: Any) -> Any:
    """The number or truth value that a label is, or is written as; None for any other."""
    if isinstance(label, bool):
        return label
    text = str(label)
    return {"true": True, "false": False}.get(text.strip().lower(), number(text))


def _columns(estimator: Any, space: Space) -> list[str]:
    """The columns of the data frame that it was fitted to, or none."""
    columns = list(map(str, getattr(estimator, "feature_names_in_", ())))
    # LightGBM numbers the columns of an array, and has no blanks in names.
    if columns == [f"Column_{i}" for i in range(len(columns))]:
        return []
    if columns and columns != list(space.names) and columns != [name.replace(" ", "_") for name in space.names]:
        raise DataError(
            f"the estimator was fitted to the columns {_listed(columns)}, the space names {_listed(space.names)}; "
            "name them in the estimator's order: features=[...] where the table is read, or Space(names=...)"
        )
    return columns and list(space.names)


def _threshold(estimator: Any, own: list[Any], order: list[int], named: float | None) -> tuple[float | None, list[str]]:
    """The threshold that is decided by, for the second class in the model's order, and where it comes from."""
    last = estimator
    while hasattr(last, "steps") or hasattr(last, "best_estimator_"):
        last = last.steps[-1][1] if hasattr(last, "steps") else last.best_estimator_
    if named is not None or type(last).__name__ not in THRESHOLDS:
        return named, [] if named is None else [f"it decides by the threshold {named:g} that was named"]
    kind = type(last).__name__
    method = getattr(last, "response_method", "auto")
    found = getattr(last, "best_threshold_", getattr(last, "threshold", "auto"))
    if method == "decision_function" or len(own) != 2:
        raise DataError(f"{kind} decides by its decision_function; name a probability instead: threshold=0.3, say")
    cut = 0.5 if found == "auto" else float(found)
    scorer = getattr(last, "_curve_scorer", None)
    positive = scorer._get_pos_label() if scorer is not None else getattr(last, "pos_label", None)
    second = own[1] if positive is None else _plain(positive)
    cut = cut if own[order[1]] == second else 1 - cut
    return cut, [f"it decides by the threshold {cut:g} of its {kind}"]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + ", ..." * (len(names) > 10) if names else "none"
