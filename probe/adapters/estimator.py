"""Estimators of scikit-learn, XGBoost and LightGBM as black boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.adapters.black_box import from_predict_proba, label_probabilities, of_numpy
from probe.adapters.comparison import Asked, compare
from probe.adapters.estimator_task import check_fitted, labels_of, last_step, plain, refuse_others, task_of
from probe.errors import DataError, ProbeError, ShapeError
from probe.model import Model
from probe.names import in_order, number
from probe.restored import decode, restore
from probe.space import Space
from probe.task import Classification, MultiLabel, Regression, Task

THRESHOLDS = ("FixedThresholdClassifier", "TunedThresholdClassifierCV")


def from_estimator(  # noqa: PLR0913  how it was fitted, and how it is compared
    estimator: Any,
    space: Space,
    classes: tuple[str, ...] = (),
    name: str = "",
    *,
    rows: Any = None,
    threshold: float | tuple[float, ...] | None = None,
    task: Task | None = None,
) -> Model:
    """A black box from a fitted estimator or pipeline, as of scikit-learn, XGBoost and LightGBM.

    It is a classifier with `predict_proba`, for one class or several labels, or a regressor with one or several
    outputs.

    An estimator that was fitted with a data frame gets one: its columns are the features of the space, with the
    original dtypes. Any other gets the coordinates, (rows, coordinates).

    Args:
        estimator: a fitted estimator; it is never changed.
        space: the space of the inputs; its names must be the estimator's, in its order.
        classes: the order of the logits; by default the estimator's. Classes are matched by name; only if no name
            matches, they are names for classes 0, 1, ... in order. For several labels or numbers, their names in the
            estimator's order.
        name: of the model; by default the estimator's type.
        rows: a DataFrame or an array, as the estimator takes it. Its outputs for these rows are compared once with the
            model's; without rows nothing is compared, and a notice says so.
        threshold: with two classes, the probability of the second at which it is predicted; by default that of a
            FixedThresholdClassifier or TunedThresholdClassifierCV. With several labels, one for all or one each.
        task: what it predicts, if it does not say so itself: `Regression()` for one without scikit-learn tags.

    Raises:
        Unsupported: if it returns neither probabilities nor numbers.
        DataError: if its classes or features differ, or its outputs for the rows differ from the model's.

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
    found = task_of(estimator)
    if task is None or found is not None:
        refuse_others(estimator)
    found, name = found or task or Classification(), name or type(estimator).__name__
    if task is not None and task.kind != found.kind:
        raise DataError(f"{name} answers with {found.units[1]}, and the task is {type(task).__name__}; leave it out")
    check_fitted(estimator, found)
    if isinstance(found, Regression):
        if threshold is not None:
            raise DataError(f"{name} predicts numbers, to which no threshold applies; leave the threshold out")
        kept = task if isinstance(task, Regression) else found
        model, asked, said = _numbered(estimator, space, tuple(map(str, classes)), name, kept)
    elif isinstance(found, MultiLabel):
        model, asked, said = _labelled(estimator, space, tuple(map(str, classes)), name, labels_of(estimator))
        model = model if threshold is None else replace(model, task=model.task.short(threshold=threshold))
    else:
        model, asked, said = _classified(estimator, space, classes, name, threshold)
    compared = compare(model, asked, rows, decides=threshold is None)
    return replace(model, notices=(*said, *compared))


_Made = tuple[Model, Asked, tuple[str, ...]]  # a model, the wrapped estimator, and notices of assumptions


def _classified(
    estimator: Any, space: Space, classes: tuple[str, ...], name: str, threshold: float | tuple[float, ...] | None
) -> _Made:
    """A model from a classifier."""
    if isinstance(threshold, tuple):
        raise DataError(f"threshold lists {len(threshold)} numbers, one for each label, and {name} chooses one class")
    own = [plain(value) for value in estimator.classes_]
    order, said = _order(own, classes)
    named = tuple(map(str, classes)) or tuple(str(c) for c in own)
    asked = _Classes(estimator, space, _columns(estimator, space), own, order)
    cut, explained = _threshold(estimator, own, order, threshold)
    model = from_predict_proba(asked.probabilities, space, named, name, threshold=cut)
    return model, asked, (*said, *explained)


def _labelled(estimator: Any, space: Space, labels: tuple[str, ...], name: str, own: list[list[Any]]) -> _Made:
    """A model from a multi-label classifier; the second of a label's two values means true."""
    kind = type(estimator).__name__
    if labels and len(labels) != len(own):
        raise DataError(f"{kind} has {len(own)} labels, and {len(labels)} are named: {', '.join(labels)}")
    asked = _Labels(estimator, space, _columns(estimator, space), [], own)
    task = MultiLabel(labels or tuple(f"label {at}" for at in range(len(own))), outputs="probabilities")
    model = from_predict_proba(asked.tables, space, (), name, task=task)
    true = ", ".join(f"{label} is {values[1]}" for label, values in zip(task.labels, own, strict=True))
    return model, asked, (f"the labels are in the estimator's order, and true where {true}",)


def _numbered(estimator: Any, space: Space, outputs: tuple[str, ...], name: str, task: Regression) -> _Made:
    """A model from a regressor with one or several outputs."""
    asked = _Numbers(estimator, space, _columns(estimator, space), [])
    forward = of_numpy(asked.numbers)
    count = len(outputs)
    if not count and space.reference is not None:
        try:
            count = forward(space.reference[:1]).shape[1]
        except ProbeError:
            raise
        except Exception as error:  # a user's code may raise anything, for example if it was never fitted
            raise DataError(f"{name} failed on a row of the reference: {type(error).__name__}: {error}") from error
    outputs = outputs or tuple(f"output {at}" for at in range(count if count > 1 else 0))
    return Model(forward=forward, space=space, task=task.called(outputs), name=name), asked, ()


@dataclass(frozen=True)
class _Given(Asked):
    """An estimator and the conversion of its inputs."""

    estimator: Any
    space: Space
    columns: list[str]  # of the data frame that it was fitted with; empty for an array
    own: list[Any]  # its classes; empty if rows have no single class

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


@dataclass(frozen=True)
class _Classes(_Given):
    """A wrapped classifier."""

    order: list[int]  # its index of each class of the model

    def first(self, right: NDArray[Any]) -> NDArray[np.int64]:
        place = np.argsort(self.order)
        return place[right[:, place].argmax(1)]

    def probabilities(self, inputs: NDArray[Any]) -> NDArray[Any]:
        return self.ask(self.given(inputs))

    def ask(self, rows: Any) -> NDArray[Any]:
        found = np.asarray(self.estimator.predict_proba(rows), dtype=np.float64)
        if found.shape != (len(rows), len(self.own)):
            raise ShapeError(
                f"predict_proba returned {found.shape}, expected {(len(rows), len(self.own))}: a probability for "
                f"each of its classes {', '.join(map(str, self.own[:8]))}; return those of all of them, as in "
                "numpy.stack([1 - p, p], 1) for the probability p of the second of two"
            )
        return found[:, self.order]

    def decide(self, rows: Any) -> NDArray[np.int64]:
        place = {self.own[there]: here for here, there in enumerate(self.order)}
        return np.array([place.get(plain(label), -1) for label in np.asarray(self.estimator.predict(rows)).ravel()])


@dataclass(frozen=True)
class _Labels(_Given):
    """A wrapped multi-label classifier."""

    values: list[list[Any]]  # the two values of each label, false and true

    def tables(self, inputs: NDArray[Any]) -> Any:
        return self.estimator.predict_proba(self.given(inputs))

    def ask(self, rows: Any) -> NDArray[Any]:
        return label_probabilities(self.estimator.predict_proba(rows), len(rows), "predict_proba").numpy()

    def decide(self, rows: Any) -> NDArray[np.int64]:
        answer = self.estimator.predict(rows)
        told = np.asarray(answer.todense() if hasattr(answer, "todense") else answer).reshape(len(rows), -1)
        columns = [[values.index(plain(v)) for v in told[:, at]] for at, values in enumerate(self.values)]
        return np.array(columns, dtype=np.int64).T


@dataclass(frozen=True)
class _Numbers(_Given):
    """A wrapped regressor."""

    def numbers(self, inputs: NDArray[Any]) -> NDArray[Any]:
        return self.ask(self.given(inputs))

    def ask(self, rows: Any) -> NDArray[Any]:
        answer = np.asarray(self.estimator.predict(rows))
        if answer.dtype.kind not in "biuf" or len(answer) != len(rows):
            raise ShapeError(
                f"predict returned {answer.dtype} {answer.shape}, expected numbers for each of {len(rows)} rows"
            )
        return answer.reshape(len(rows), -1).astype(np.float64)

    def decide(self, rows: Any) -> NDArray[Any]:
        return self.ask(rows)


def _order(own: list[Any], classes: Sequence[str]) -> tuple[list[int], list[str]]:
    """The estimator's index of each class, and notices of assumptions."""
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
    # The classes 1, 2 may be its 0, 1, as XGBoost counts from 0; any other partial match contradicts the order.
    if numbered and (not {*names} & {*wanted} or (wanted == in_order(wanted) and None not in map(number, wanted))):
        pairs = ", ".join(f"{number} is {c}" for number, c in zip(names, wanted, strict=True))
        return list(range(len(own))), [f"the classes are assumed to be in the estimator's order: {pairs}"]
    raise DataError(f"the estimator tells apart {', '.join(names)}, not {', '.join(wanted)}; name its own classes")


def _value(label: Any) -> Any:
    """The number or boolean that a label is or spells; None for any other."""
    if isinstance(label, bool):
        return label
    text = str(label)
    return {"true": True, "false": False}.get(text.strip().lower(), number(text))


def _columns(estimator: Any, space: Space) -> list[str]:
    """The columns of the data frame that it was fitted with, or none."""
    columns = list(map(str, getattr(estimator, "feature_names_in_", ())))
    # LightGBM names the columns of an array by number, and replaces blanks in names.
    if columns == [f"Column_{i}" for i in range(len(columns))]:
        return []
    if columns and columns != list(space.names) and columns != [name.replace(" ", "_") for name in space.names]:
        raise DataError(
            f"the estimator was fitted to the columns {_listed(columns)}, the space names {_listed(space.names)}; "
            "name them in the estimator's order: features=[...] where the table is read, or Space(names=...)"
        )
    return columns and list(space.names)


def _threshold(estimator: Any, own: list[Any], order: list[int], named: float | None) -> tuple[float | None, list[str]]:
    """The decision threshold for the second class in the model's order, and a notice of its origin."""
    last = last_step(estimator)
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
    second = own[1] if positive is None else plain(positive)
    cut = cut if own[order[1]] == second else 1 - cut
    return cut, [f"it decides by the threshold {cut:g} of its {kind}"]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + ", ..." * (len(names) > 10) if names else "none"
