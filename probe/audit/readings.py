"""A reading turns a metric's evidence in a bundle into a number, a row of a table and a finding. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from probe.audit.kinds import BY_RADIUS
from probe.finding import Direction
from probe.formatting import Unit
from probe.reductions import Reduction, reduction
from probe.statistics import Floats

ENDS = Literal["done", "not run", "not asked"]
Part = float | str | None  # a radius, an item of a survey, one of several answers, or None if there is only one


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The record of one metric in a step of audit.json."""

    metric: str  # its name in the audit; differs from the metric's name if it is used with two settings
    settings: Mapping[str, Any]
    reduction: str  # of `probe.reductions`
    unit: Unit
    direction: Direction
    threshold: float | None
    title: str  # of its check
    notes: Mapping[str, str]  # notes of its finding, by status; "" is for every status
    status: ENDS
    why: str = ""  # why it was not run
    apart: bool = False  # whether it is applied to each of several answers of a row


COLUMNS = (
    "aspect",
    "step",
    "metric",
    "title",
    "item",
    "eps",
    "unit",
    "value",
    "low",
    "high",
    "n",
)  # of tables/readings.csv


def evidence_of(metric: str) -> str:
    """The name of the array that holds the evidence of a metric."""
    return f"measured-{metric}"


def curves_of(metric: str) -> str:
    """The name of the array that holds the curves under which the evidence of a metric is the area."""
    return f"curves-{metric}"


def explained_by(explainer: str) -> str:
    """The name of the array of an attack that holds an explainer's values by feature for the attacked inputs."""
    return f"explained-{explainer}"


def values_by(explainer: str) -> str:
    """The name of the array that holds the same by coordinate."""
    return f"values-{explainer}"


def evidence(arrays: Mapping[str, NDArray[Any]], reading: Reading) -> Floats:
    """The evidence of a reading."""
    return arrays[evidence_of(reading.metric)].astype(np.float64)


def parts(kind: str, arrays: Mapping[str, NDArray[Any]], reading: Reading) -> list[tuple[Part, Floats]]:
    """The parts of the evidence that give one number each: radii, items of a survey, or several answers."""
    seen = evidence(arrays, reading)
    if kind in BY_RADIUS:
        return [(float(eps), part) for eps, part in zip(arrays["eps"], seen, strict=True)]
    if kind == "survey" or reading.apart:
        return [(str(item), seen[:, at]) for at, item in enumerate(arrays["items"])]
    return [(None, seen)]


def reducing(reading: Reading) -> Reduction:
    """The reduction that the metric itself uses."""
    return reduction(reading.reduction, reading.settings)
