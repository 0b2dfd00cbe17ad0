"""Attributions as explanations of the package shap, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.errors import DataError, ShapeError
from probe.extras import imported
from probe.names import a_kind
from probe.shapes import Inputs, Labels
from probe.space import Space
from probe.tensors import to_numpy


def to_shap(values: Tensor, base: Tensor | None, inputs: Inputs, space: Space, names: Sequence[str]) -> Any:
    """The values of features, (rows, features), with a base value for each row; see `Attribution.to_shap`."""
    package = imported("shap", "peers")
    given = to_numpy(values).astype(np.float64)
    told = np.array(space.describe(inputs), dtype=object)
    return package.Explanation(
        given,
        base_values=np.zeros(len(given)) if base is None else to_numpy(base).astype(np.float64),
        data=_numbers(space, inputs),
        display_data=told if told.shape == given.shape else None,
        feature_names=list(names),
    )


def of_shap(explanation: Any, space: Space, inputs: Inputs, targets: Labels) -> Tensor:
    """The values of an explanation, shaped as the inputs."""
    if not hasattr(explanation, "values") or not hasattr(explanation, "base_values"):
        raise DataError(
            f"the explanation is {a_kind(explanation)}, expected one of shap; write shap.KernelExplainer(...)(rows)"
        )
    given = np.asarray(explanation.values, dtype=np.float64)
    if given.ndim == 3 and len(given) == len(targets) and int(targets.max()) < given.shape[2]:
        given = given[np.arange(len(given)), :, to_numpy(targets)]
    rows, features, coordinates = len(inputs), space.feature_count(inputs), inputs[0].numel()
    dtype = inputs.dtype if inputs.is_floating_point() else torch.get_default_dtype()
    values = torch.from_numpy(given).to(dtype).to(inputs.device)
    if given.shape == (rows, features):
        return space.by_coordinate(values, inputs)
    if given.shape in ((rows, coordinates), tuple(inputs.shape)):
        return values.view(inputs.shape)
    raise ShapeError(
        f"the values of the explanation have the shape {np.shape(explanation.values)}, expected ({rows}, {features}): "
        "a row for each input and a column for each feature; explain the rows that are given, or Space(features=...)"
    )


def _numbers(space: Space, inputs: Inputs) -> NDArray[np.float64]:
    """What a plot colours a feature by: its number, the number of its level, or the mean of its coordinates."""
    rows = inputs.double()
    sizes = space.by_feature(torch.ones_like(rows)).clamp(min=1)
    means = space.by_feature(rows) / sizes
    kinds = space.kinds
    if kinds:
        place = torch.zeros_like(rows)
        for at, kind in enumerate(kinds):
            if kind == "category":
                own = torch.zeros(len(rows), len(kinds), dtype=torch.bool, device=rows.device)
                own[:, at] = True
                columns = space.coordinate_mask(own, inputs)[0].nonzero()[:, 0]
                place[:, columns] = rows[:, columns] * torch.arange(len(columns)).to(rows)
        levels = space.by_feature(place)
        category = torch.tensor([kind == "category" for kind in kinds], device=rows.device)
        means = torch.where(category, levels, means)
    return to_numpy(means)
