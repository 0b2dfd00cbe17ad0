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
from probe.results import Counterfactuals
from probe.tensors import to_numpy
from probe.units import refuse_unit

KEPT = 24  # examples whose candidates are kept
Measured = tuple[Arrays, list[Reading]]


def certify(method: Certificate, plan: Plan, model: Model, data: Dataset, start: int) -> Measured:
    """A certificate of the data, and the plan's metrics of it at each radius."""
    readings: list[Reading] = []
    for radius in plan.certify.eps:
        refuse_unit(radius, method.threat, model.space, data.inputs)
    proof = method(model, data.inputs, data.labels)
    eps = sorted(float(fraction(radius)) for radius in plan.certify.eps)
    arrays: dict[str, Any] = {
        "predicted": to_numpy(proof.predicted),
        "radius": to_numpy(proof.radius).astype(float),
        "eps": np.array(eps),
    }
    reaching = [partial(proof.reaching, radius) for radius in eps]
    arrays |= measure_each(plan.metrics("certify"), model, reaching, readings)
    return arrays, readings


def search(method: Counterfactual, plan: Plan, model: Model, data: Dataset, start: int) -> Measured:
    """Counterfactuals and the plan's metrics of them; only candidates of the first rows of the step are kept."""
    readings: list[Reading] = []
    found = method(of_examples(model, data), data.inputs)
    arrays = {
        "decided": to_numpy(found.decided),
        "answers": to_numpy(found.answers),
        "reached": to_numpy(found.reached),
        "changed": to_numpy(found.changed()),
        "distance": to_numpy(found.distance()).astype(float),
    }
    if start < KEPT:
        arrays |= _kept(model, found[: KEPT - start])
    return arrays | measure(plan.metrics("search"), model, found, readings), readings


def _kept(model: Model, few: Counterfactuals) -> Arrays:
    """Inputs and candidates, for display."""
    arrays = {
        "inputs": to_numpy(few.inputs), "candidates": to_numpy(few.candidates), "moved": to_numpy(few.moves())
    }  # fmt: skip
    if not model.space.form_of(few.inputs).told:
        return arrays
    after = np.array(model.space.describe(few.candidates.flatten(0, 1)))
    words = {"before": np.array(model.space.describe(few.inputs)), "after": after.reshape(*few.reached.shape, -1)}
    return words | arrays


def survey(method: Survey, plan: Plan, model: Model, data: Dataset, start: int) -> Measured:
    """The evidence of a survey of the data, one entry per item."""
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
        notes={"item": method.item, "about": method.about}
        | {name: said for name, said in (("along", method.along()), ("split", method.split)) if said},
        status="done",
        why="",
    )
    return arrays, [reading]
