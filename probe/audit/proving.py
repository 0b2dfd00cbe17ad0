"""The steps of certificates and surveys: their evidence, and readings that a verifier can reduce again."""

from functools import partial
from typing import Any

import numpy as np

from probe.audit.bundle import Arrays
from probe.audit.measuring import measure_each
from probe.audit.plan import Plan
from probe.audit.readings import Reading, evidence_of
from probe.contracts import Certificate, Survey
from probe.dataset import Dataset
from probe.model import Model
from probe.numbers import as_written, fraction
from probe.study.batches import together, whole
from probe.study.steps import Advance
from probe.tensors import to_numpy


def certify(
    method: Certificate, plan: Plan, model: Model, data: Dataset, told: tuple[list[Reading], Advance]
) -> Arrays:
    """What a certificate proves of the data, and what the metrics of the plan say of it at each radius."""
    readings, advance = told
    inputs, labels = data.inputs, data.labels
    proof = whole(lambda part: method(model, inputs[part], labels[part]), len(data), together(inputs), advance)
    eps = sorted(float(fraction(radius)) for radius in plan.certify.eps)
    arrays: dict[str, Any] = {
        "predicted": to_numpy(proof.predicted),
        "radius": to_numpy(proof.radius).astype(float),
        "eps": np.array(eps),
    }
    reaching = [partial(proof.reaching, radius) for radius in eps]
    return arrays | measure_each(plan.metrics("certify"), model, reaching, readings)


def survey(method: Survey, threshold: float | None, model: Model, data: Dataset) -> tuple[Arrays, Reading]:
    """What a survey gathers of some rows, an entry for each item."""
    found = method(model, data)
    arrays = {
        "items": np.array(list(found.items)),
        evidence_of(method.name()): to_numpy(found.evidence).astype(float),
    }
    reading = Reading(
        metric=method.name(),
        settings=as_written(method.config()),
        reduction=method.reduction,
        unit=method.unit,
        direction=method.direction,
        threshold=threshold,
        title=method.asks,
        notes={"item": method.item},
        status="done",
        why="",
    )
    return arrays, reading
