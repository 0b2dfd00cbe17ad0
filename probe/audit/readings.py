"""A reading: how a metric's evidence in a bundle becomes a number, a row of a table and a finding. No torch."""

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
Part = float | str | None  # a radius, an item of a survey, one of several answers, or None where there is but one


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a step of audit.json says of one metric."""

    metric: str  # what the audit calls it: its name, unless it is taken with two settings
    settings: Mapping[str, Any]
    reduction: str  # of `probe.reductions`
    unit: Unit
    direction: Direction
    threshold: float | None
    title: str  # of its check
    notes: Mapping[str, str]  # what a finding says besides, by its status, or under "" always
    status: ENDS
    why: str = ""  # it was not run
    apart: bool = False  # whether it is taken of each of several answers of a row apart


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


def evidence(arrays: Mapping[str, NDArray[Any]], reading: Reading) -> Floats:
    """The evidence that a reading rests on."""
    return arrays[evidence_of(reading.metric)].astype(np.float64)


def parts(kind: str, arrays: Mapping[str, NDArray[Any]], reading: Reading) -> list[tuple[Part, Floats]]:
    """What becomes a number each: a radius, an item of a survey, one of several answers; else all there is."""
    seen = evidence(arrays, reading)
    if kind in BY_RADIUS:
        return [(float(eps), part) for eps, part in zip(arrays["eps"], seen, strict=True)]
    if kind == "survey" or reading.apart:
        return [(str(item), seen[:, at]) for at, item in enumerate(arrays["items"])]
    return [(None, seen)]


def reducing(reading: Reading) -> Reduction:
    """How that evidence becomes a number: by the reduction that the metric itself uses."""
    return reduction(reading.reduction, reading.settings)
