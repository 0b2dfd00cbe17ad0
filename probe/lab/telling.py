"""Results of the library as plain data and arrays; nothing else is computed."""

from collections.abc import Sequence
from contextlib import suppress
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probe.errors import Unsupported
from probe.lab.rows import Chosen
from probe.metering import Usage
from probe.space import Space
from probe.task import Task
from probe.tensors import to_numpy, wide

Told = tuple[dict[str, Any], dict[str, Any]]  # plain data, and arrays


def answered(task: Task, logits: Tensor, labels: Tensor | None, prefix: str = "") -> Told:
    """The prediction for one input: in words, whether it is correct, and each output."""
    array = to_numpy(wide(logits))
    decided = task.predict(array)
    record: dict[str, Any] = {"decided": worded(task, decided)[0], "names": list(task.names)}
    several = task.several(array)
    if several:
        record["several"] = list(several)
    arrays = {f"{prefix}logits": to_numpy(logits), f"{prefix}decided": to_numpy(task.predict(logits))}
    with suppress(Unsupported):  # a regression has none
        arrays[f"{prefix}probabilities"] = to_numpy(task.probabilities(logits))
    try:
        target = int(task.target(logits)[0])
        record |= {"target": target, "target_name": task.name(target)}
    except Unsupported:  # with several positions there is no default target
        record |= {"target": None, "target_name": ""}
    if labels is not None:
        truths = to_numpy(labels)
        right = task.correct(array, truths)[0].tolist() if task.judges else None
        record |= {"label": worded(task, truths)[0], "right": right}
        record["details"] = {name: plain(values[0]) for name, values in task.details(array, truths).items()}
    return record, arrays


def shown(chosen: Chosen) -> Told:
    """An input: its numbers, and its words if its form has them."""
    space, inputs = chosen.model.space, chosen.inputs
    form = space.form_of(inputs)
    record: dict[str, Any] = {
        "form": form.name,
        "names": list(space.feature_names(inputs)),
        "words": space.describe(inputs)[0] if form.told else [],
        "said": list(chosen.said),
    }
    if chosen.data is not None:
        assert chosen.data.rows is not None
        groups = chosen.data.groups
        record["number"] = int(chosen.data.rows[0])
        record["groups"] = {} if groups is None else {str(c): plain(groups[c].iloc[0]) for c in groups.columns}
    arrays = {"inputs": to_numpy(inputs[0])}
    if space.features is not None:
        owner = torch.as_tensor(space.features)
        arrays["features"] = to_numpy(owner[0] if space.differs(inputs) else owner)
    return record, arrays


def worded(task: Task, decisions: Any) -> list[Any]:
    """Predictions as text, one per row."""
    return [plain(word) for word in task.words(decisions)]


def cost(usage: Usage) -> dict[str, int]:
    """The number of examples that went through the model."""
    return {"forward": int(usage.forward), "backward": int(usage.backward)}


def plain(value: Any) -> Any:
    """A value in JSON types; NaN and infinity become null."""
    if isinstance(value, np.generic | Tensor | np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(each) for each in value]
    return str(value).encode("utf-8", "replace").decode("utf-8")


def changes(space: Space, before: Tensor, after: Tensor) -> dict[str, Any]:
    """The change of an input: norms of its form, number of changed features, and words."""
    moved = space.scaled_change(wide(after), wide(before))
    form = space.form_of(before)
    touched = space.by_feature((moved != 0).to(torch.get_default_dtype()))
    lengths = {name: torch.linalg.vector_norm(moved.flatten(1), ord=p, dim=1)[0] for name, p in form.lengths.items()}
    return {
        "lengths": {name: plain(length) for name, length in lengths.items()},
        "changed": int((touched > 0).sum()),
        "words": space.describe(after)[0] if form.told else [],
    }


def differences(space: Space, before: Tensor, after: Tensor) -> list[dict[str, str]]:
    """The features that differ, as text before and after; empty if the form has no words."""
    if not space.form_of(before).told:
        return []
    was, is_ = space.describe(before)[0], space.describe(after)[0]
    names = space.feature_names(before)
    return [{"name": names[at], "before": was[at], "after": is_[at]} for at in range(len(names)) if was[at] != is_[at]]


def joined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Concatenate the arrays of several inputs (1, ...) by name."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
