"""The steps of certificates and surveys: their evidence, and a reading that a verifier can reduce again."""

from typing import Any

import numpy as np
from torch import Tensor

from probe.audit.bundle import Arrays
from probe.audit.readings import Reading, evidence_of
from probe.contracts import Certificate, Survey
from probe.dataset import Dataset
from probe.model import Model
from probe.numbers import as_written, fraction
from probe.study.batches import together, whole
from probe.study.steps import Advance
from probe.tensors import to_numpy

CERTIFIED = "certified_accuracy"


def certify(
    method: Certificate, asked: tuple[tuple[str, ...], float], model: Model, data: Dataset, advance: Advance
) -> tuple[Arrays, Reading]:
    """What a certificate proves of the data, and which are right and certified beyond each radius."""
    radii, threshold = asked
    inputs, labels = data.inputs, data.labels
    proof = whole(lambda part: method(model, inputs[part], labels[part]), len(data), together(inputs), advance)
    eps = sorted(float(fraction(radius)) for radius in radii)
    certified = np.stack([to_numpy(proof.certified(radius)).astype(float) for radius in eps])
    arrays: dict[str, Any] = {
        "predicted": to_numpy(proof.predicted),
        "radius": to_numpy(proof.radius).astype(float),
        "eps": np.array(eps),
        evidence_of(CERTIFIED): certified,
    }
    whose = f"of {method.certifies}, not of the model alone; " if method.certifies else ""
    note = f"{whose}each radius holds with probability {proof.level:g}" if proof.level < 1 else f"{whose}proved"
    reading = Reading(
        metric=CERTIFIED,
        settings={"method": CERTIFIED},
        reduction="proportion",
        unit="share",
        direction="at least",
        threshold=threshold,
        title="certified accuracy" if method.certifies else "robust",
        notes={"": note},
        status="done",
        why="",
    )
    return arrays, reading


def survey(method: Survey, model: Model, data: Dataset, rows: Tensor) -> tuple[Arrays, Reading]:
    """What a survey gathers of some rows, an entry for each item."""
    found = method(model, data[rows])
    arrays = {
        "rows": to_numpy(rows),
        "items": np.array(list(found.items)),
        evidence_of(method.name()): to_numpy(found.evidence).astype(float),
    }
    reading = Reading(
        metric=method.name(),
        settings=as_written(method.config()),
        reduction=method.reduction,
        unit=method.unit,
        direction=method.direction,
        threshold=None,
        title=method.asks,
        notes={"item": method.item},
        status="done",
        why="",
    )
    return arrays, reading
