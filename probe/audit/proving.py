"""The steps of counterfactuals, certificates and surveys: evidence, and readings that a verifier can recompute."""

from functools import partial
from typing import Any

import numpy as np

from probe.audit.bundle import Arrays
from probe.audit.measuring import measure, measure_each
from probe.audit.plan import Plan
from probe.audit.readings import Reading, evidence_of
from probe.contracts import Certificate, Counterfactual, Survey, of_examples
from probe.dataset import Dataset
from probe.model import Model
from probe.numbers import as_written, fraction
from probe.study.batches import together, whole
from probe.study.steps import Advance
from probe.tensors import to_numpy

KEPT = 24  # examples whose candidates are kept


def certify(
    method: Certificate, plan: Plan, model: Model, data: Dataset, told: tuple[list[Reading], Advance]
) -> Arrays:
    """A certificate of the data, and the plan's metrics of it at each radius."""
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


def search(
    method: Counterfactual, plan: Plan, model: Model, data: Dataset, told: tuple[list[Reading], Advance]
) -> Arrays:
    """Counterfactuals and the plan's metrics of them; only a few candidates are kept."""
    readings, advance = told
    inputs = data.inputs
    found = whole(
        lambda part: method(of_examples(model, data[part]), inputs[part]), len(data), together(inputs), advance
    )
    few, count = found[:KEPT], found.reached.shape[1]
    flat = few.candidates.flatten(0, 1)
    words: dict[str, Any] = {}
    if model.space.form_of(inputs).told:
        words = {"before": np.array(model.space.describe(few.inputs)), "after": np.array(model.space.describe(flat))}
        words["after"] = words["after"].reshape(len(few), count, -1)
    return (
        words
        | {
            "decided": to_numpy(found.decided),
            "answers": to_numpy(found.answers),
            "reached": to_numpy(found.reached),
            "changed": to_numpy(found.changed()),
            "distance": to_numpy(found.distance()).astype(float),
            "inputs": to_numpy(few.inputs),
            "candidates": to_numpy(few.candidates),
            "moved": to_numpy(few.moves()),
        }
        | measure(plan.metrics("search"), model, found, readings)
    )


def survey(method: Survey, plan: Plan, model: Model, data: Dataset, told: tuple[list[Reading], Advance]) -> Arrays:
    """The evidence of a survey of the data, one entry per item."""
    readings, advance = told
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
        threshold=plan.threshold(method),
        title=method.asks,
        notes={"item": method.item},
        status="done",
        why="",
    )
    readings.append(reading)
    advance(len(data))
    return arrays
