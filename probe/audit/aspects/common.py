"""Shared by several aspects: the answers of a bundle, its finished steps, and the wording of findings."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.anytime import anytime
from probe.audit.budgets import reach_of
from probe.audit.bundle import Bundle
from probe.audit.kinds import ATTACKS
from probe.audit.manifest import StepRecord
from probe.audit.readings import Reading, parts, reducing
from probe.audit.titles import describe, name_of
from probe.finding import About, Finding, Threshold, check
from probe.statistics import Estimate, Floats
from probe.task import Task
from probe.task.arrays import error_log_odds

EVEN = 0.5  # where the likelier of two classes is decided for


@dataclass
class Assessment:
    """The results computed from the evidence: tables by name, and findings in the order of the report."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    readings: list[Sequence[Any]] = field(default_factory=list)  # rows of the table of that name
    surveyed: list[Sequence[Any]] = field(default_factory=list)  # rows of the table of surveys
    calibrated: list[Sequence[Any]] = field(default_factory=list)  # rows of the table of their reliability diagrams


@dataclass(frozen=True)
class Answers:
    """The predictions of a bundle, and the groups of the same rows."""

    task: Task
    labels: NDArray[Any]
    logits: NDArray[Any]
    groups: pd.DataFrame | None

    @classmethod
    def of(cls, bundle: Bundle) -> "Answers":
        arrays = bundle.arrays("predictions")
        task = bundle.manifest.task
        groups = bundle.groups() if bundle.has("tables/groups.csv") else None
        return cls(task, arrays["labels"], arrays["logits"], groups)

    @cached_property
    def predicted(self) -> NDArray[Any]:
        """The decisions."""
        found: NDArray[Any] = self.task.predict(self.logits)
        return found

    @cached_property
    def probabilities(self) -> Floats:
        """Probabilities of the classes; None for a regression."""
        found: Floats = self.task.probabilities(self.logits)
        return found

    def log_odds(self, index: int) -> Floats:
        """The log-odds of one of the classes, which tell rows apart where probabilities round to 0 or 1."""
        held = self.logits.astype(np.float64)
        found: Floats = -error_log_odds(held, np.full(len(held), index))
        return found

    @property
    def answers(self) -> tuple[str, ...]:
        """The names of the several answers of a row; empty if it has one."""
        return self.task.several(self.logits)

    def only(self, at: int) -> "Answers":
        """The answers reduced to one of several per row."""
        return replace(
            self, task=self.task.only(at), labels=self.labels[:, at], logits=self.task.alone(self.logits, at)
        )

    @property
    def cut(self) -> float | None:
        """From which probability the second of two classes is decided for; None where that is not the decision."""
        if not self.task.one_class or self.logits.shape[-1] != 2:
            return None
        own = getattr(self.task, "threshold", None)
        return EVEN if own is None else float(own)

    def at(self, cut: float) -> "Answers":
        """The answers, had the second of two classes been decided for from this probability on.

        Raises:
            RangeError: if it is no probability between 0 and 1.
        """
        return self if cut == self.cut else replace(self, task=self.task.short(threshold=cut))

    def right(self) -> NDArray[Any]:
        """Whether each answer is right."""
        found: NDArray[Any] = ~self.task.differs(self.predicted, self.labels)
        return found


def done(bundle: Bundle, aspect: str) -> list[StepRecord]:
    """The finished steps of an aspect."""
    return [step for step in bundle.manifest.steps if step.aspect == aspect and step.done]


def absent(aspect: str, check: str, why: str, about: About = "model") -> Finding:
    """The finding that a check was not run."""
    return Finding(aspect=aspect, check=check, status="not run", about=about, note=why)


def read(
    bundle: Bundle, step: StepRecord, result: Assessment, about: About = "model", silent: Sequence[str] = ()
) -> None:
    """Add a row of readings for each metric of a step, and a finding for each metric with a threshold.

    Metrics in `silent` get no finding here: the aspect makes its own.
    """
    arrays, name = bundle.arrays(step.name), name_of(bundle.manifest, step)
    for reading in step.readings:
        title = ": ".join(filter(None, (name, reading.title)))
        if reading.status == "not run":
            result.findings.append(absent(step.aspect, title, reading.why, about))
        if reading.status != "done":
            continue
        for at, seen in parts(step.kind, arrays, reading):
            estimate = reducing(reading).estimate(seen, bundle.manifest.plan.seed)
            if step.kind in ATTACKS and bundle.manifest.plan.attack.until_decided:
                estimate = _at_any_look(estimate, reading)
            if step.kind == "survey":
                result.surveyed.append((name, reading.title, at, reading.unit, *estimate))
            else:
                item, eps = (at, None) if isinstance(at, str) else ("", at)
                row = (step.aspect, step.name, reading.metric, reading.title, item, eps, reading.unit, *estimate)
                result.readings.append(row)
            if reading.threshold is not None and reading.metric not in silent:
                reach = (
                    f" at {reach_of(bundle.manifest, step, at)}" if isinstance(at, float) else f": {at}" if at else ""
                )
                finding = _judged(bundle, step, reading, estimate, f"{title}{reach}")
                if isinstance(at, str) and (items := len(arrays["items"])) > 1:
                    several = "items" if step.kind == "survey" else "answers"
                    items_note = f"one of {items} {several}, each with its own interval"
                    finding = replace(finding, note="; ".join(filter(None, (finding.note, items_note))))
                result.findings.append(replace(finding, about=about))


def _at_any_look(fixed: Estimate, reading: Reading) -> Estimate:
    """An estimate of rows whose number was not fixed before: a share has an interval that holds then, others none."""
    if not reading.reduction.startswith("proportion"):
        return fixed._replace(low=float("nan"), high=float("nan"))
    low, high = anytime(round(fixed.value * fixed.n) if fixed.n else 0, fixed.n)
    return fixed._replace(low=float(low), high=float(high))


def _judged(bundle: Bundle, step: StepRecord, reading: Reading, estimate: Estimate, title: str) -> Finding:
    finding = check(
        step.aspect,
        title,
        estimate,
        Threshold(float(reading.threshold or 0), reading.direction),
        unit=reading.unit,
        step=step.name,
        metric=reading.metric,
        method=", ".join(filter(None, (*map(describe, (step.method, reading.settings)), reducing(reading).method))),
        seed=bundle.manifest.plan.seed,
    )
    notes = (reading.notes.get(""), reading.notes.get(finding.status))
    return replace(finding, note="; ".join(filter(None, notes)))
