"""The user's table as the model needs it: its precision, and whether cells may be missing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from probe.audit.sources import DataSource
from probe.csvfile import Reading, read_csv
from probe.dataset import Dataset
from probe.errors import DataError, PlanError, ProbeError
from probe.model import Model
from probe.names import PANDAS_MISSING, nearest
from probe.tables import from_csv
from probe.task import Task

REFERENCES = 50  # reference rows, where the user gives none


def how(source: DataSource) -> Reading:
    """How a plan says that a table is written."""
    return Reading(separator=source.separator, decimal=source.decimal, encoding=source.encoding, missing=source.missing)


def read_table(source: DataSource, seed: int, *, exact: bool, task: Task | None = None) -> Dataset:
    """The table of a plan; `exact` keeps missing cells and double precision until the model's needs are known."""
    data = from_csv(
        source.csv,
        label=list(source.labels),
        task=task,
        groups=source.groups,
        features=source.features or None,
        classes=source.classes or None,
        categories=source.categories,
        missing=source.missing,
        separator=source.separator,
        decimal=source.decimal,
        encoding=source.encoding,
        allow_missing=exact,
        dtype=torch.float64 if exact else None,
    )
    reference = data.inputs[data.draw(REFERENCES, seed)]
    data = replace(data, space=replace(data.space, reference=reference))
    return replace(data, truth=_columns(data, source.truth)) if source.truth else data


def _columns(data: Dataset, names: tuple[str, ...]) -> Tensor:
    """The mask of the columns that decide, in each row.

    Raises:
        PlanError: if one is no feature.
    """
    there = list(map(str, data.space.names))
    for name in names:
        if name not in there:
            raise PlanError(f"data.truth names {name!r}, which is no feature{nearest(name, there)}")
    held = torch.tensor([name in names for name in there])
    return data.space.coordinate_mask(held[None], data.inputs[:1])[0]


def rows_of(source: DataSource, data: Dataset) -> Any:
    """The features of a table as an estimator reads them: a DataFrame with columns of their own types."""
    features = list(data.space.names)
    table, _ = read_csv(source.csv, [c for c in (*source.labels, *source.groups) if c not in features], how(source))
    return table.set_axis([str(column) for column in table.columns], axis=1)[features]


def read_otherwise(estimator: Any, rows: Any) -> list[str]:
    """A notice where cells such as None, here read as text, are missing values to pandas by default."""
    texts = [column for column in rows if not pd.api.types.is_numeric_dtype(rows[column])]
    gone = rows[texts].isin(PANDAS_MISSING)
    if not gone.any(axis=None):
        return []
    asked = getattr(estimator, "predict_proba", estimator.predict)
    try:
        one, other = (_flat(asked(given)) for given in (rows, rows.assign(**rows[texts].mask(gone))))
    except Exception:  # if the estimator fails on one of the two, it was fitted to the other
        return []
    apart = int((np.abs(one - other) > 1e-6 * np.abs(one).max(0)).any(1).sum())
    cells = ", ".join(f'"{cell}"' for cell in sorted(set(rows[texts].to_numpy()[gone.to_numpy()])))
    said = f"pandas reads {cells} as missing by default, and then the model gives different answers for {apart:,} rows"
    return [f"{said}; if it was fitted to such a table, list them: missing = [{cells}]"] if apart else []


def _flat(answer: Any) -> NDArray[Any]:
    """Probabilities or numbers, (rows, any), also where there is a table of them for each label."""
    told = np.stack(answer, 1) if isinstance(answer, list) else np.asarray(answer)
    return told.reshape(len(told), -1)


def suited(model: Model, data: Dataset) -> tuple[Model, Dataset]:
    """The model and the table, made to fit each other.

    Raises:
        DataError: if cells are missing and the model does not take them.
    """
    if any(data.space.missing):
        _refuse_missing(model, data)
    if not isinstance(model.forward, nn.Module):
        return model, data
    model = replace(model, notices=(*model.notices, "not compared: a module has no other answers to compare with"))
    if data.inputs.dtype == model.dtype:
        return model, data
    lost = [notice for notice in data.notices if "single precision" in notice]
    notices = [notice for notice in data.notices if notice not in lost]
    if torch.finfo(model.dtype).eps > torch.finfo(torch.float64).eps:
        # In training, too, the table was rounded to the precision of the weights.
        notices += [
            f"{notice}; the weights are {model.dtype}, so the model is given rounded ones: subtract a constant from "
            "the column, in training too, or make the module double()"
            for notice in lost
        ]
    narrow = replace(data.to(model.dtype), notices=tuple(notices))
    return replace(model, space=narrow.space), narrow


def _refuse_missing(model: Model, data: Dataset) -> None:
    """Raise DataError where the model does not take missing cells."""
    gone = data.inputs.isnan()
    owner = [] if data.space.features is None else data.space.features.tolist()
    for feature, may in enumerate(data.space.missing):
        if may and data.space.kinds[feature] == "category":
            last = len(owner) - 1 - owner[::-1].index(feature)
            gone[:, last] = data.inputs[:, last] == 1
    counts = data.space.by_feature(gone.double()).sum(0).long().tolist()
    name, count = next((name, count) for name, count in zip(data.space.names, counts, strict=True) if count)
    rows = data.inputs[gone.any(1)][:8]
    why = "a module of torch does not take missing values"
    if not isinstance(model.forward, nn.Module):
        try:
            with torch.no_grad():
                model(rows)
            return
        except ProbeError as error:
            why = f"the model does not take missing values ({error})"
    raise DataError(
        f"column {name!r} of {data.name} has {count} empty cells; drop those rows or fill them in, as {why}"
    )
