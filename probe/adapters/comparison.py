"""Compare a model with the estimator that it was made from, once, on original rows."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from probe.columns import inputs_of
from probe.errors import DataError, ProbeError
from probe.frames import called
from probe.model import Model
from probe.task import MultiLabel, Regression

# A logarithm in float32 changes the probability recovered from it by at most 2e-6.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-7}
RARE = 0.02  # the largest share of rows whose ties its own predict may break by what its probabilities do not show


class Asked(ABC):
    """An estimator with its own probabilities and predictions."""

    columns: list[str]
    own: list[Any]

    def first(self, right: NDArray[Any]) -> NDArray[np.int64]:
        """The class that is likeliest by its probabilities, of several the one that it names first itself."""
        return right.argmax(1)

    @abstractmethod
    def given(self, inputs: NDArray[Any]) -> Any:
        """The estimator's input for the model's inputs (rows, *shape)."""

    @abstractmethod
    def ask(self, rows: Any) -> NDArray[Any]:
        """Its outputs for its own rows: probabilities in the model's order of classes or labels, or numbers."""

    @abstractmethod
    def decide(self, rows: Any) -> NDArray[Any]:
        """Its predictions as class indices of the model, -1 for any other label; per label if there are several."""


def compare(model: Model, asked: Asked, rows: Any, *, decides: bool) -> tuple[str, ...]:
    """Compare the model's outputs for rows with the estimator's own. Returns notices.

    Args:
        model: made from the estimator. Several labels are compared one by one.
        asked: the estimator.
        rows: a DataFrame or an array, as the estimator takes it; None compares nothing.
        decides: whether its predictions must agree too, which they need not with a given threshold.

    Raises:
        DataError: for the first row that differs.
    """
    if rows is None:
        return (
            f"not compared: {model.name} was not run on rows in their original form, so whether it gets the same "
            "values here is not verified; from_estimator(..., rows=frame) compares",
        )
    both = _answers(model, asked, rows)
    task = model.task
    if isinstance(task, Regression):
        return (_numbers(model, asked, both),)
    if not isinstance(task, MultiLabel):
        return (_classes(model, asked, both, decides=decides),)
    said = []
    for at, name in enumerate(task.several(both.logits)):
        right, own = np.stack([1 - both.right[:, at], both.right[:, at]], 1), both.own[:, at]
        alone = replace(both, right=right, own=own, logits=task.alone(both.logits, at))
        said.append(f"label {name}: {_classes(model.only(name), asked, alone, decides=decides)}")
    return tuple(said)


@dataclass(frozen=True)
class _Both:
    """The outputs of an estimator and of its model for the same rows."""

    theirs: Any  # rows as the estimator takes them
    inputs: torch.Tensor
    right: NDArray[Any]  # its probabilities, or numbers
    own: NDArray[Any]  # its predictions
    logits: torch.Tensor  # the model's

    def reason(self, asked: Asked, row: int, ours: NDArray[Any]) -> str:
        rows = slice(row, row + 1)
        return _reason(asked, self.inputs.numpy()[rows], self.theirs[rows], ours[row], self.right[row])


def _answers(model: Model, asked: Asked, rows: Any) -> _Both:
    theirs, inputs = _both(model, asked, rows)
    model.space.check(inputs)
    try:
        right, own = asked.ask(theirs.copy()), asked.decide(theirs.copy())  # it may write into what it gets
        with torch.no_grad():
            logits = model.task.logits(model.forward(inputs))
    except ProbeError:
        raise
    except Exception as error:  # user code may raise anything
        missing = bool(pd.DataFrame(theirs).isna().any(axis=None))
        remedy = "; it does not take missing cells: drop those rows or fill them in" * missing
        raise DataError(f"{model.name} failed on the rows: {type(error).__name__}: {error}{remedy}") from error
    return _Both(theirs, inputs, right, own, logits)


def _numbers(model: Model, asked: Asked, both: _Both) -> str:
    """The notice for a regression."""
    ours = both.logits.double().numpy()
    slack = TOLERANCE.get(both.inputs.dtype, 1e-5) * np.abs(both.right).max(0)  # in any unit
    apart = np.abs(ours - both.right) > slack
    if apart.any():
        row, output = (int(at) for at in np.unravel_index(apart.argmax(), apart.shape))
        raise DataError(
            f"{model.name} answers row {row} differently from the original row: "
            f"{model.task.name(output)} = {ours[row, output]:.6g}, and of the row itself "
            f"{both.right[row, output]:.6g}; {both.reason(asked, row, ours)}"
        )
    return f"compared: {len(ours):,} rows as they are in the table get the same numbers as by its own predict"


def _classes(model: Model, asked: Asked, both: _Both, *, decides: bool) -> str:
    """The notice for class probabilities and predictions."""
    right, own, logits = both.right, both.own, both.logits
    ours = model.task.probabilities(logits).double().numpy()
    # Rounded probabilities do not sum to exactly 1, but a softmax does.
    slack = TOLERANCE.get(both.inputs.dtype, 1e-5) + np.abs(right.sum(1) - 1)
    apart = np.abs(ours - right).max(1) > slack
    if apart.any():
        row = int(apart.argmax())
        raise DataError(
            f"{model.name} answers row {row} differently from the original row: "
            f"P({_class(model, ours, row)}) = {ours[row].max():.4g}, "
            f"and of the row itself {right[row, ours[row].argmax()]:.4g}; {both.reason(asked, row, ours)}"
        )
    decided = model.decide(logits).numpy()
    cut = 0.5 if model.threshold is None else model.threshold
    two = right.shape[1] == 2
    near = np.abs(right[:, 1] - cut) if two else right.max(1) - np.take_along_axis(right, own.clip(0)[:, None], 1)[:, 0]
    differs = (decided != own) & (near > slack)
    hidden = (decided != own) & (asked.first(right) != own)  # no order of the classes explains them
    if decides and hidden.mean() > RARE:
        differs |= hidden
    said = f"compared: {len(right):,} rows as they are in the table get the same probabilities"
    if not differs.any():
        tied = int((decided != own).sum())
        return f"{said} and decisions{_tied(tied, asked) if tied and decides else ''}"
    if not decides:
        return f"{said}; its own predict decides otherwise in {int(differs.sum()):,} rows, without that threshold"
    row = int(differs.argmax())
    raise DataError(
        f"{model.name} predicts for row {row} {model.classes[own[row]] if own[row] >= 0 else 'another label'}, "
        f"and its probabilities ({', '.join(f'{p:.4g}' for p in right[row])}) favour {model.classes[decided[row]]}, "
        f"as in {int(differs.sum()):,} of {len(right):,} rows: {_cut(right, own)}"
    )


def _both(model: Model, asked: Asked, rows: Any) -> tuple[Any, torch.Tensor]:
    """Rows as the estimator takes them, and as inputs of the model."""
    space = model.space
    low = space.bounds[0]
    dtype = low.dtype if isinstance(low, torch.Tensor) and low.is_floating_point() else torch.get_default_dtype()
    if isinstance(rows, pd.DataFrame):
        names = [called(column) for column in rows.columns]
        if lacking := [name for name in space.names if name not in names]:
            raise DataError(f"rows have no column {lacking[0]!r}; they have {', '.join(names[:20])}")
        frame = rows.set_axis(pd.Index(names, dtype=object), axis=1)[list(space.names)] if space.names else rows
        # scikit-learn warns about names it was not fitted with.
        theirs = frame if asked.columns else rows.to_numpy()
        return theirs, inputs_of(frame, space, "the rows").to(dtype) if space.names else _array(rows.to_numpy(), dtype)
    array = np.asarray(rows)
    if array.ndim < 2 or not len(array):
        raise DataError(f"rows have shape {array.shape}, expected a DataFrame or an array (rows, columns)")
    width = len(space.names)
    if array.ndim == 2 and array.shape[1] == width and (array.dtype == object or "category" in space.kinds):
        return array, inputs_of(pd.DataFrame(array, columns=list(space.names)), space, "the rows").to(dtype)
    return array.reshape(len(array), -1), _array(array, dtype)


def _array(array: NDArray[Any], dtype: torch.dtype) -> torch.Tensor:
    try:
        return torch.from_numpy(array.astype(np.float64)).to(dtype)
    except (TypeError, ValueError):
        raise DataError("rows hold texts; give a DataFrame, and a space with the names of its columns") from None


def _class(model: Model, answers: NDArray[Any], row: int) -> str:
    place = int(model.task.likeliest(answers[row]))
    return model.classes[place] if model.classes else f"class {place}"


def _reason(asked: Asked, inputs: NDArray[Any], theirs: Any, ours: NDArray[Any], right: NDArray[Any]) -> str:
    """Why the outputs of a row differ, and what to do."""
    given = pd.DataFrame(asked.given(inputs)).reset_index(drop=True)
    rows = pd.DataFrame(theirs).reset_index(drop=True)
    for place, name in enumerate(given.columns[: rows.shape[1]]):
        here: Any = given.iloc[0, place]
        there: Any = rows.iloc[0, place]
        if pd.isna(here) and pd.isna(there):
            if here is not there and (here is None) != (there is None):
                return (
                    f"column {name!r} comes as {here!r}, and is {there!r} in the rows, which are two kinds of missing: "
                    "fit it, and give rows, with one of them: frame.fillna(numpy.nan)"
                )
            continue
        if isinstance(here, str) != isinstance(there, str):
            return (
                f"column {name!r} comes as {_plain(here)!r}, and is {_plain(there)!r} in the rows: "
                "read the table by from_csv or "
                "Dataset.from_frame, whose space keeps the types of columns"
            )
        if _are_others(here, there):
            return (
                f"column {name!r} comes as {_plain(here)!r}, and is {_plain(there)!r} in the rows: "
                "their columns are others, or in another order; give rows with the columns as it was fitted to them"
            )
        if pd.isna(here) != pd.isna(there) or here != there:
            return (
                f"column {name!r} comes as {_plain(here)!r}, and is {_plain(there)!r} in the rows: "
                "hold the table in double precision "
                "by from_csv(..., dtype=torch.float64) or Dataset.from_frame(..., dtype=torch.float64)"
            )
    if asked.own and np.allclose(np.sort(ours), np.sort(right), atol=1e-4):
        return "the classes are in another order; name them in the estimator's own: classes=estimator.classes_"
    return "it draws random numbers, or an answer depends on the other rows; call it twice on one row"


def _are_others(here: Any, there: Any) -> bool:
    """Whether two numbers differ by more than rounding to float32."""
    if not all(isinstance(value, int | float | np.number) for value in (here, there)):
        return False
    return bool(abs(float(here) - float(there)) > 1e-6 + 1e-3 * abs(float(there)))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _tied(count: int, asked: Asked) -> str:
    order = f"; with classes in its own order, {', '.join(map(str, asked.own[:8]))}, ties go as they do there"
    said = (
        f", but for {count:,} in which two classes are equally likely to rounding and its own predict takes the other"
    )
    return said + order * bool(asked.own)


def _cut(right: NDArray[Any], own: NDArray[np.int64]) -> str:
    """The threshold that explains predictions of two classes, or another remedy."""
    if right.shape[1] == 2 and {*own.tolist()} <= {0, 1}:
        below, above = right[own == 0, 1], right[own == 1, 1]
        low, high = (below.max() if len(below) else 0.0), (above.min() if len(above) else 1.0)
        if 0 <= low < high <= 1 and (len(above) or high - low > TOLERANCE[torch.float32]):
            middle = float(low + high) / 2
            rounded = (float(f"{middle:.{digits}g}") for digits in range(1, 17))
            between = next((cut for cut in rounded if low < cut <= high and cut < 1), middle)
            return f"it uses a threshold other than 0.5; pass it: threshold={between} gives the same decisions"
    return (
        "its predict is not the most likely class; wrap its decisions by from_predict_proba, or fit it so that they "
        "are (sklearn.calibration.CalibratedClassifierCV)"
    )
