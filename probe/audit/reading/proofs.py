"""The results of certificates by radius, and of surveys by item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from probe.audit.aspects.proofs import ABSTENTIONS, CERTIFIED
from probe.audit.budgets import RADIUS
from probe.audit.bundle import Bundle
from probe.audit.manifest import StepRecord
from probe.audit.reading.measured import Measurement, measured
from probe.audit.reading.steps import steps
from probe.audit.titles import title_of
from probe.formatting import settings


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The result of one method."""

    step: str
    title: str
    caption: str  # what a survey does, or what a certificate guarantees
    settings: str
    item: str  # what an item of a survey is
    asks: str  # what is measured
    rows: Sequence[Measurement]  # by radius from 0 for a certificate; by item for a survey, the largest first
    n: int
    along: str = ""  # what the items of a survey are values of, in whose order its rows then are
    diagrams: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # by item, the bins of a reliability diagram

    split: str = ""  # what stands between row and column in the name of an item, where they make a table

    @property
    def table(self) -> pd.DataFrame | None:
        """The estimates by row and column, none where there is no table."""
        held = [row for row in self.rows if self.split and self.split in row.item]
        if not held:
            return None
        named = [(*row.item.split(self.split, 1), row.value) for row in held]
        columns = list(dict.fromkeys(column for _, column, _ in named))
        found = pd.DataFrame(np.nan, index=list(dict.fromkeys(name for name, *_ in named)), columns=columns)
        for name, column, value in named:
            found.loc[name, column] = np.nan if value is None else value
        return found

    @property
    def places(self) -> tuple[float, ...]:
        """Where the items stand along that; none where they are not numbers."""
        try:
            found = tuple(float(row.item) for row in self.rows) if self.along else ()
        except ValueError:
            return ()
        return found if np.isfinite(found).all() else ()


@dataclass(frozen=True, kw_only=True)
class Certified(Proof):
    """The result of a certificate."""

    axis: str  # the label of the radius axis
    threshold: float | None  # of the certified accuracy at each radius
    abstentions: Measurement | None


def certificates(bundle: Bundle) -> list[Certified]:
    """The results of all certificates."""
    return [_certified(bundle, step) for step in steps(bundle.manifest, "certificate") if step.readings]


def surveys(bundle: Bundle) -> list[Proof]:
    """The results of all surveys, the items with the largest value first, unless they have an order of their own."""
    found = [(step, measured(bundle, step=step.name)) for step in steps(bundle.manifest, "survey")]
    return [
        Proof(
            **_told(bundle, step),
            item=step.readings[0].notes.get("item", "item"),
            rows=rows if _along(step) or _split(step) else sorted(rows, key=_falling),
            n=max(row.n for row in rows),
            along=_along(step),
            split=_split(step),
            diagrams=_diagrams(bundle, step),
        )
        for step, rows in found
        if rows
    ]


def _along(step: StepRecord) -> str:
    return step.readings[0].notes.get("along", "")


def _split(step: StepRecord) -> str:
    return step.readings[0].notes.get("split", "")


def _diagrams(bundle: Bundle, step: StepRecord) -> dict[str, pd.DataFrame]:
    if not bundle.has("tables/calibration.csv"):
        return {}
    table = bundle.table("calibration")
    return {str(item): bins for item, bins in table[table["step"] == step.name].groupby("item", sort=False)}


def _falling(row: Measurement) -> float:
    return -(row.value if row.value is not None else float("-inf"))


def _certified(bundle: Bundle, step: StepRecord) -> Certified:
    rows = measured(bundle, step=step.name)
    change = step.threat or RADIUS
    return Certified(
        **_told(bundle, step),
        item="",
        rows=sorted((row for row in rows if row.metric == CERTIFIED), key=lambda row: row.eps or 0.0),
        n=max((row.n for row in rows), default=0),
        axis=change.axis or change.unit,
        threshold=next((r.threshold for r in step.readings if r.metric == CERTIFIED), None),
        abstentions=next((row for row in rows if row.metric == ABSTENTIONS), None),
    )


def _told(bundle: Bundle, step: StepRecord) -> dict[str, Any]:
    return {
        "step": step.name,
        "title": title_of(bundle.manifest, step),
        "caption": step.caption,
        "settings": settings(step.method),
        "asks": next((r.title for r in step.readings if r.metric == CERTIFIED), step.readings[0].title),
    }
