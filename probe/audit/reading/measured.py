"""Every number that an audit computed from its evidence, one typed row each."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from probe.audit.budgets import reach_of
from probe.audit.bundle import Bundle
from probe.audit.manifest import StepRecord
from probe.audit.titles import name_of, title_of
from probe.finding import Finding
from probe.formatting import Measured, Unit, count, defined, estimate, settings


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measurement: a number with its interval and status."""

    aspect: str
    step: str  # its name
    method: str  # the method's title; empty for the model's answers
    metric: str  # as the plan has it
    title: str
    eps: float | None  # the radius, if there are several
    item: str  # the item of a survey, or one of several labels
    at: str  # either of them in words; empty if there is only one number
    unit: Unit
    value: float | None
    low: float | None
    high: float | None
    n: int
    status: str  # of its finding; empty if it has no threshold
    note: str  # of that finding

    @property
    def written(self) -> Measured:
        """The number and its interval as text, the same on every page."""
        return estimate(self.value, self.low, self.high, self.unit)

    @property
    def named(self) -> str:
        """The name of the measurement, with its radius or item."""
        return self.title + (f" at {self.at}" if self.eps is not None else f": {self.item}" if self.item else "")

    @property
    def counted(self) -> str:
        """The number of examples as text."""
        return count(self.n)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence of a step."""

    step: str
    kind: str
    method: str
    status: str
    settings: str
    note: str
    arrays: str  # their names and shapes, in words


def evidence(bundle: Bundle) -> list[Evidence]:
    """The evidence of each step."""
    return [
        Evidence(
            step=step.name,
            kind=step.kind,
            method=title_of(bundle.manifest, step) if step.method.get("method") else "",
            status=step.status,
            settings=settings(step.method),
            note=step.note,
            arrays=_arrays(bundle, step),
        )
        for step in bundle.manifest.steps
    ]


def _arrays(bundle: Bundle, step: StepRecord) -> str:
    if not bundle.has(f"arrays/{step.name}.npz"):
        return ""
    held = bundle.arrays(step.name)
    return ", ".join(f"{name} {' x '.join(map(str, array.shape))}".strip() for name, array in held.items())


def reliability(bundle: Bundle) -> dict[str, pd.DataFrame]:
    """The bins of the reliability diagram: of each of several labels, by its name, or under "" of the one answer."""
    if not bundle.has("tables/reliability.csv"):
        return {}
    table = bundle.table("reliability")
    if "label" not in table:
        return {"": table}
    return {str(label): part for label, part in table.groupby("label", sort=False)}


def readings(bundle: Bundle, aspect: str, step: str = "") -> list[dict[str, Any]]:
    """The rows of the table of readings of an aspect, or of one of its steps; a missing item is ""."""
    if not bundle.has("tables/readings.csv"):
        return []
    table = bundle.table("readings")
    chosen = table[(table["aspect"] == aspect) & ((table["step"] == step) if step else True)]
    rows = [{str(key): value for key, value in row.items()} for row in chosen.to_dict("records")]
    return [row | {"item": row["item"] if isinstance(row["item"], str) else ""} for row in rows]


def measured(bundle: Bundle, *, aspect: str = "", kind: str = "", step: str = "") -> list[Measurement]:
    """What was measured, in the order of the steps. `aspect`, `kind` and `step` each narrow it where given.

    Surveys have a row per item, attacks and certificates a row per radius.
    """
    chosen = [
        s for s in bundle.manifest.steps
        if s.done and aspect in ("", s.aspect) and kind in ("", s.kind) and step in ("", s.name)
    ]  # fmt: skip
    return [row for each in chosen for row in bundle.derived(("measured", each.name), partial(_of_step, bundle, each))]


def _of_step(bundle: Bundle, step: StepRecord) -> list[Measurement]:
    return _items(bundle, step) if step.kind == "survey" else _rows(bundle, step)


def _rows(bundle: Bundle, step: StepRecord) -> list[Measurement]:
    return [
        _measurement(bundle, step, row, float(row["eps"]) if defined(row["eps"]) else None)
        for row in readings(bundle, step.aspect, step.name)
    ]


def _items(bundle: Bundle, step: StepRecord) -> list[Measurement]:
    if not bundle.has("tables/surveys.csv"):
        return []
    table = bundle.table("surveys")
    own = table[table["survey"] == name_of(bundle.manifest, step)].to_dict("records")
    metric = step.readings[0].metric if step.readings else ""
    return [_measurement(bundle, step, {**row, "metric": metric, "title": row["asks"]}) for row in own]


def _measurement(
    bundle: Bundle,
    step: StepRecord,
    row: dict[Any, Any],
    eps: float | None = None,
) -> Measurement:
    item = str(row["item"])
    reach = "" if eps is None else reach_of(bundle.manifest, step, eps)
    end = f" at {reach}" if reach else f": {item}" if item else ""
    finding = _finding(bundle, step, str(row["metric"]), end)
    value, low, high = (float(row[key]) if defined(row[key]) else None for key in ("value", "low", "high"))
    return Measurement(
        aspect=step.aspect,
        step=step.name,
        method=title_of(bundle.manifest, step) if step.method.get("method") else "",
        metric=str(row["metric"]),
        title=str(row["title"]),
        eps=eps,
        item=item,
        at=reach or item,
        unit=row["unit"],
        value=value,
        low=low,
        high=high,
        n=int(row["n"]),
        status=finding.status if finding else "",
        note=finding.note if finding else "",
    )


def _finding(bundle: Bundle, step: StepRecord, metric: str, end: str) -> Finding | None:
    """The finding of a number. The name of its check ends with the radius or the item."""
    made = (f for f in bundle.manifest.findings if (f.step, f.metric) == (step.name, metric))
    return next((f for f in made if f.check.endswith(end)), None)
