"""An explanation by one method."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from probe.contracts import Explainer
from probe.declared import param, required
from probe.lab.opened import Asked
from probe.lab.requests.request import Explaining, Reply, Request
from probe.lab.rows import Chosen, Row
from probe.lab.telling import Told, cost, plain, shown
from probe.metrics import Completeness
from probe.model import Model
from probe.numbers import as_written
from probe.results import Attribution
from probe.tensors import to_numpy, wide


@dataclass(frozen=True, kw_only=True)
class Explain(Request):
    """Attribute a prediction to coordinates and features."""

    row: Row = required("the input")
    method: Explaining = required("the explainer")
    target: str = param("", "the class, label or output that is explained, as on the command line; else the answer")

    def answer(self, asked: Asked) -> Reply:
        chosen = self.row.chosen(asked)
        attribution = explained(chosen, self.method, self.target)
        record, arrays = told(chosen.model, self.method, attribution)
        input_, more = shown(chosen)
        return Reply({"input": input_, "explanation": record}, {**arrays, **more})


def explained(chosen: Chosen, method: Explainer, target: str) -> Attribution:
    """The attribution of the chosen input."""
    return method(chosen.model, chosen.inputs, targets_of(chosen.model, target))


def targets_of(model: Model, target: str) -> Tensor | None:
    """The target output, from the name that a user gave."""
    return torch.full((1,), model.task.index(target)) if target else None


def told(model: Model, method: Explainer, attribution: Attribution, prefix: str = "") -> Told:
    """An explanation as plain data, with the sum of its values and the guaranteed sum."""
    values = to_numpy(attribution.values)[0]
    by_feature = to_numpy(attribution.by_feature())[0]
    target = int(attribution.targets[0])
    record: dict[str, Any] = {
        "method": as_written(method.config()),
        "target": target,
        "target_name": model.task.name(target),
        "output": method.output,
        "caption": method.captioned(model.task.spoken(method.output)),
        "cost": cost(attribution.cost),
        **sums(model, method, attribution),
    }
    arrays = {f"{prefix}values": values, f"{prefix}by_feature": by_feature}
    errors = attribution.errors_by_feature()
    return record, arrays if errors is None else arrays | {f"{prefix}errors": to_numpy(errors)[0]}


def sums(model: Model, method: Explainer, attribution: Attribution) -> dict[str, Any]:
    """The sum of the values and its residual; null if the method guarantees no sum."""
    record: dict[str, Any] = {"sum": plain(float(wide(attribution.values).double().sum()))}
    if method.completeness is None:
        return record | {"promised": None, "residual": None, "imposed": False}
    residual, promised = Completeness()(model, attribution).evidence[0].tolist()
    return record | {
        "promised": plain(promised),
        "residual": plain(residual),
        "imposed": method.sums_by_construction,
    }
