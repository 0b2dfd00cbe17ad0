"""What several chapters ask of a bundle."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from probe import plots
from probe.audit import reading
from probe.audit.budgets import format_budget, threat
from probe.audit.bundle import Bundle
from probe.audit.manifest import StepRecord
from probe.finding import Finding
from probe.formatting import count, radius
from probe.plots import Drawer
from probe.report.parts import Absence, Block
from probe.statuses import urgency

LENSES = {
    "performance": "Performance",
    "explanation": "Explanations",
    "robustness": "Robustness",
    "bias": "Differences between groups",
}


def findings(bundle: Bundle, lens: str) -> list[Finding]:
    """The findings of a lens, those that need a reader first."""
    chosen = [finding for finding in bundle.manifest.findings if finding.lens == lens]
    return sorted(chosen, key=lambda finding: urgency(finding.status))


def absence(bundle: Bundle, lens: str) -> Absence:
    """Why a chapter is empty or lacks something."""
    missing = [f for f in findings(bundle, lens) if f.status in ("not run", "error") and f.estimate is None]
    reasons = [(f.status, f.check, f.note) for f in missing]
    if not reasons and not bundle.complete:
        reasons = [("not run", "this part of the audit", "the audit ended before it")]
    return Absence(reasons or [("not run", "this part of the audit", "the plan does not ask for it")])


def steps(bundle: Bundle, kind: str) -> list[StepRecord]:
    """The finished steps of a kind whose arrays are in the bundle."""
    return [step for step in reading.steps(bundle.manifest, kind) if bundle.has(f"arrays/{step.name}.npz")]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows by the names of their columns."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def answer_name(bundle: Bundle, answer: Any) -> str:
    """A label or an answer in words: a class by its name, or by its number where it has none; a number as it is."""
    task = bundle.manifest.task
    if task.one_class:
        return task.name(int(answer))
    told = task.words(np.asarray([answer]))[0]
    return told if isinstance(told, str) else f"{told:.4g}"


def drawer(bundle: Bundle) -> Drawer:
    """How the inputs are drawn, and what is said of their form."""
    return plots.drawer_of(bundle.manifest.data.form)


def reach(bundle: Bundle, eps: float) -> str:
    """How far an attack may go, as people say it: radius 8/255, or 3 words."""
    change = threat(bundle.manifest)
    return f"radius {radius(eps)}" if change.unit == "radius" else format_budget(f"{eps:g}", change)


def with_absence(bundle: Bundle, lens: str, blocks: Sequence[Block]) -> list[Block]:
    """The blocks, followed by what could not be measured."""
    missing = absence(bundle, lens)
    known = [f for f in findings(bundle, lens) if f.status in ("not run", "error") and f.estimate is None]
    return [*blocks, missing] if known or not blocks else list(blocks)


def left_out(bundle: Bundle) -> list[str]:
    """A sentence for each attribute by which some rows name no group."""
    if not bundle.has("tables/bias_row_accounting.csv"):
        return []
    return [
        f"{count(row['unknown'])} of {count(row['rows'])} rows name no group by {row['attribute']}: "
        "its comparisons leave them out"
        for row in records(bundle.table("bias_row_accounting"))
        if row["unknown"] > 0
    ]
