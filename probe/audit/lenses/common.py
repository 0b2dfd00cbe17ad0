"""What several lenses share: the answers of a bundle, its finished steps, and the words of a finding."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from probe.audit.bundle import Bundle
from probe.finding import About, Finding
from probe.statistics import Floats
from probe.task import Classification, of


@dataclass
class Assessment:
    """What the evidence shows: tables by name, and findings in the order of the report."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


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


def described(step: dict[str, Any], metric: str) -> str:
    """A method and the metric that judged it, each with its settings."""
    config: dict[str, Any] = next((c for c in step.get("checks", ()) if c["method"] == metric), {})
    return ", ".join(filter(None, (describe(step["method"]), describe(config))))


def describe(config: dict[str, Any]) -> str:
    """A method with its settings."""
    settings = ", ".join(
        f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in config.items() if k != "method"
    )
    return f"{config.get('method', '')}({settings})" if config else ""
