"""Run many methods over many examples, and read results again."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from probe.adapters import check_model
from probe.dataset import Dataset
from probe.errors import DataError, ForwardError, ShapeError
from probe.method import Method
from probe.model import Model, Usage
from probe.registry import build, methods
from probe.results import Attribution, Perturbation, Prediction, files
from probe.space import Space

M = TypeVar("M", bound=Method)


def sweep(method: M, **choices: Sequence[object]) -> list[M]:
    """Every combination of the given settings, as in `sweep(PGD(), eps=[0, 0.1], steps=[1, 40])`."""
    return [replace(method, **dict(zip(choices, values, strict=True))) for values in product(*choices.values())]


def predict(model: Model, data: Dataset) -> Prediction:
    """The model's answers to a dataset."""
    inputs = model.check(data.inputs)
    return Prediction(model.logits(inputs), model.check_labels(data.labels, inputs), model.threshold)


def check_fit(model: Model, data: Dataset) -> None:
    """Raise unless the model answers the first rows as `adapters.check_model` asks.

    Where it cannot answer a row at all, the ShapeError names the features as they were encoded.
    """
    row = data.inputs[:1]
    try:
        model.predict(row)
    except ForwardError as error:
        names = ", ".join(data.space.names)
        features = f", made of the features {names}" if names else ""
        raise ShapeError(f"{error}; rows have shape {tuple(row.shape[1:])}{features}") from error
    check_model(model, data.inputs)


def load(stem: str | Path) -> Attribution | Perturbation:
    """Read what `save(STEM)` of an Attribution or a Perturbation wrote. Nothing in the files is executed."""
    arrays_file, record_file = files(stem)
    try:
        record = json.loads(record_file.read_text())
        with np.load(arrays_file, allow_pickle=False) as arrays:
            tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    except (OSError, ValueError) as error:
        raise DataError(f"{stem} is not a saved result: {error}") from None
    method: Any = build(methods(), record["method"])
    space = Space(
        bounds=(tensors["low"], tensors["high"]),
        features=tensors.get("features"),
        names=tuple(record["names"]),
        kinds=tuple(record["kinds"]),
        scale=tensors["scale"],
        form=record["form"],
        words=tuple(record["words"]),
        special=tuple(record["special"]),
    )
    cost = Usage(**record["cost"])
    if record["kind"] == "Attribution":
        return Attribution(tensors["values"], tensors["inputs"], tensors["targets"], method, space, cost)
    clean, attacked = (
        Prediction(tensors[when], tensors["labels"], record.get("threshold")) for when in ("clean", "attacked")
    )
    return Perturbation(tensors["inputs"], tensors["perturbed"], clean, attacked, method, space, cost)
