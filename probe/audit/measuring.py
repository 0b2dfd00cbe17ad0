"""Apply the metrics of a plan to a result: evidence, and for each metric a reading that a verifier can recompute."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.audit.asked import Asked
from probe.audit.bundle import Arrays
from probe.audit.readings import Reading, curves_of, evidence_of
from probe.contracts import Metric
from probe.contracts.blame import blamed
from probe.contracts.common import placed
from probe.contracts.metric import areas
from probe.errors import ProbeError, is_out_of_memory
from probe.metrics.masked import Memory, Remembering
from probe.model import Model
from probe.numbers import as_written
from probe.results import AnyResult, Prediction
from probe.space import Space
from probe.tensors import to_numpy


def measure(
    asked: Sequence[Asked], model: Model, result: AnyResult, readings: list[Reading], memory: Memory | None = None
) -> Arrays:
    """The evidence of each metric by the name of its array; appends a reading of each to `readings`."""
    found = measure_each(asked, model, [lambda: result], readings, memory)
    return {name: evidence[0] for name, evidence in found.items()}


def measure_answers(asked: Sequence[Asked], model: Model, result: Prediction, readings: list[Reading]) -> Arrays:
    """The same for the answers to all rows. With several answers per row, a metric is applied to each if possible."""
    names = result.task.several(result.logits)
    if not names:
        return measure(asked, model, result, readings)
    arrays: Arrays = {"items": np.array(names)}
    answers = replace(result, digest="", forward=None)  # set on the model, so that its weights are not hashed each time
    for each in asked:
        if not each[1].suits(answers.only(0)):
            arrays |= measure([each], model, result, readings)
            continue
        taken: list[Reading] = []
        found = [measure([each], model.only(at), answers.only(at), taken) for at in range(len(names))]
        # If the metric fails for one answer it is left out for all, as its evidence is one array.
        failed = [reading for reading in taken if reading.status != "done"]
        readings.append(replace((failed or taken)[0], apart=True, notes=dict(each[1].notes(model))))
        if not failed:
            arrays |= {name: np.stack([part[name] for part in found], 1) for name in found[0]}
    return arrays


def measure_each(
    asked: Sequence[Asked],
    model: Model,
    results: Sequence[Callable[[], AnyResult]],
    readings: list[Reading],
    memory: Memory | None = None,
) -> Arrays:
    """The same for several results of the same examples, such as an attack at each radius: one row of evidence each.

    A metric that raises an error does not end the step: the result itself is still evidence.
    """
    arrays: Arrays = {}
    for name, metric, threshold in asked:
        reading = Reading(
            metric=name,
            settings=as_written(metric.config()),
            reduction=metric.reduction,
            unit=metric.unit,
            direction=metric.direction,
            threshold=threshold,
            title=metric.title or name.replace("_", " "),
            notes=dict(metric.notes(model)),
            status="done" if metric.suits(results[0]()) else "not asked",
        )
        if reading.status == "done":
            try:
                with blamed(metric):
                    found = [_evidence(metric, model, result(), memory) for result in results]
                arrays[evidence_of(name)] = np.stack([evidence for evidence, _ in found])
                if metric.whole:
                    arrays[curves_of(name)] = np.stack([curves for _, curves in found])
            except ProbeError as error:
                if is_out_of_memory(error):
                    raise
                reading = replace(reading, status="not run", why=str(error))
        readings.append(reading)
    return arrays


def _evidence(metric: Metric[Any], model: Model, result: Any, memory: Memory | None) -> tuple[NDArray[Any], ...]:
    """The evidence of a metric, and the curves under which it is the area, if it is one."""
    known = memory is not None and isinstance(metric, Remembering) and not result.space.differs(result.inputs)
    given = {"memory": memory} if known else {}
    if metric.whole:
        ask = partial(metric.curves, **given)  # type: ignore[attr-defined]  # as `whole` promises
        curves = metric.each(placed(model), result, ask)
        return _array(areas(curves)), _array(curves)
    if known:
        return _array(metric.measure(model, result, **given)), np.empty(0)
    return _array(metric(model, result).evidence), np.empty(0)


def _array(values: Tensor) -> NDArray[Any]:
    return np.asarray(to_numpy(values.detach().cpu().double()))


def padded(values: Tensor, space: Space) -> Tensor:
    """Values by feature, padded to the largest number of features of any example."""
    most = values.shape[-1] if space.features is None else int(torch.as_tensor(space.features).max()) + 1
    return torch.nn.functional.pad(values, (0, most - values.shape[-1]))
