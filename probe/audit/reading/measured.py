"""Every number that an audit reduced its evidence to, one typed row for each."""

from dataclasses import dataclass
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
    """What was measured once: a number with its interval, and what follows from it."""

    aspect: str
    step: str  # its name
    method: str  # as people call it; empty where it is the model's own answers
    metric: str  # as the plan has it
    title: str
    eps: float | None  # the radius, where there are several
    item: str  # the item of a survey, or the one of several labels
    at: str  # either of them in words; empty where there is but one number
    unit: Unit
    value: float | None
    low: float | None
    high: float | None
    n: int
    status: str  # of the finding that it led to; empty where nothing was asked of it
    note: str  # of that finding

    @property
    def written(self) -> Measured:
        """The number and its interval, as every page writes them."""
        return estimate(self.value, self.low, self.high, self.unit)

    @property
    def named(self) -> str:
        """What was measured, and of which radius or item."""
        return self.title + (f" at {self.at}" if self.eps is not None else f": {self.item}" if self.item else "")

    @property
    def counted(self) -> str:
        """The number of examples, as every page writes it."""
        return count(self.n)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a step left, whatever its kind."""

    step: str
    kind: str
    method: str
    status: str
    settings: str
    note: str
    arrays: str  # their names and shapes, in words


def evidence(bundle: Bundle) -> list[Evidence]:
    """What each step left."""
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

    Surveys are there item by item, attacks and certificates radius by radius.
    """
    chosen = [
        s for s in bundle.manifest.steps
        if s.done and aspect in ("", s.aspect) and kind in ("", s.kind) and step in ("", s.name)
    ]  # fmt: skip
    return [row for each in chosen for row in (_items(bundle, each) if each.kind == "survey" else _rows(bundle, each))]


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
    """The finding that a number led to; its check ends with the radius or the item that the number is of."""
    made = (f for f in bundle.manifest.findings if (f.step, f.metric) == (step.name, metric))
    return next((f for f in made if f.check.endswith(end)), None)
