"""What several lenses share: the answers of a bundle, its finished steps, and the words of a finding."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from probe.audit.bundle import Bundle
from probe.audit.readings import Reading, evidence, reducing
from probe.finding import About, Finding, Threshold, check, judge
from probe.statistics import Floats
from probe.task import Classification, of


@dataclass
class Assessment:
    """What the evidence shows: tables by name, and findings in the order of the report."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    readings: list[Sequence[Any]] = field(default_factory=list)  # rows of the table of that name


@dataclass(frozen=True)
class Answers:
    """The predictions of a bundle, and the groups of the same rows."""

    task: Classification
    labels: NDArray[Any]
    predicted: NDArray[Any]  # as decided, where the model's owner set a threshold
    probabilities: Floats
    groups: pd.DataFrame | None

    @classmethod
    def of(cls, bundle: Bundle) -> "Answers":
        arrays = bundle.arrays("predictions")
        task = of(bundle.manifest)
        groups = bundle.groups() if bundle.has("tables/groups.csv") else None
        logits = arrays["logits"]
        return cls(task, arrays["labels"], task.predict(logits), task.probabilities(logits), groups)

    @property
    def correct(self) -> NDArray[Any]:
        return self.labels == self.predicted


def done(bundle: Bundle, lens: str) -> list[dict[str, Any]]:
    """The finished steps of a lens."""
    return [step for step in bundle.manifest["steps"] if step["lens"] == lens and step["status"] == "done"]


def absent(lens: str, check: str, why: str, about: About = "model") -> Finding:
    """The finding that a check was not run."""
    return Finding(lens=lens, check=check, status="not run", about=about, note=why)


def read(bundle: Bundle, step: dict[str, Any], result: Assessment, about: About = "model") -> None:
    """A row of the readings for each metric that was taken in a step, and a finding where something was asked of it."""
    arrays, seed = bundle.arrays(step["name"]), bundle.manifest["plan"]["seed"]
    readings: list[Reading] = step["readings"]
    for reading in readings:
        if reading["status"] == "not asked":
            continue
        lens, title = step["lens"], ": ".join(filter(None, (step["id"], reading["title"])))
        if reading["status"] == "not run":
            result.findings.append(absent(lens, title, reading["why"], about))
            continue
        how, unit = reducing(reading), reading["unit"]
        estimate = how.estimate(evidence(arrays, reading), seed)
        result.readings.append((lens, step["name"], reading["metric"], reading["title"], unit, *estimate))
        if reading["threshold"] is None:
            continue
        asked = Threshold(reading["threshold"], reading["direction"])
        status = judge(estimate.low, estimate.high, asked.value, asked.direction)
        notes = (reading["notes"].get(""), reading["notes"].get(status))
        finding = check(
            lens,
            title,
            estimate,
            asked,
            about=about,
            unit=unit,
            step=step["name"],
            metric=reading["metric"],
            method=", ".join(filter(None, (describe(step["method"]), describe(reading["settings"]), how.method))),
            seed=seed,
            note="; ".join(filter(None, notes)),
        )
        result.findings.append(finding)


def describe(config: dict[str, Any]) -> str:
    """A method with its settings."""
    settings = ", ".join(
        f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in config.items() if k != "method"
    )
    return f"{config.get('method', '')}({settings})" if settings else str(config.get("method", ""))
