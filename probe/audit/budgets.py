"""The budgets of an audit's attacks in words, with the unit that their threat declares."""

from collections.abc import Sequence
from math import isclose

from probe.audit.manifest import Manifest, StepRecord, ThreatRecord
from probe.numbers import fraction

RADIUS = ThreatRecord(unit="radius", counted=False, axis="", note="")


def threat(manifest: Manifest) -> ThreatRecord:
    """The threat of an audit's attacks; a plan has attacks of one threat."""
    return next((step.threat for step in attacks(manifest) if step.threat), RADIUS)


def budget_unit(manifest: Manifest) -> str:
    """What budgets count, such as words or edges; empty for lengths."""
    found = threat(manifest)
    return found.unit if found.counted else ""


def format_budget(amount: str, found: ThreatRecord) -> str:
    """A budget in words: eps 8/255, 3 words, severity 2."""
    if found.counted:
        return f"{amount} {found.unit}{'s' * (amount != '1')}"
    return f"{'eps' if found.unit == 'radius' else found.unit} {amount}"


def budget_text(manifest: Manifest, eps: float) -> str:
    """A budget of an audit's attacks in words, with the number as its plan writes it."""
    return format_budget(_written(manifest.plan.attack.eps, eps), threat(manifest))


def reach_of(manifest: Manifest, step: StepRecord, eps: float) -> str:
    """A budget of an attack or a radius of a certificate in words, with the number as its plan writes it."""
    if step.kind != "certificate":
        return budget_text(manifest, eps)
    return format_budget(_written(manifest.plan.certify.eps, eps), step.threat or RADIUS)


def attacks(manifest: Manifest) -> list[StepRecord]:
    """The steps that attack, finished or not."""
    return [step for step in manifest.steps if step.kind == "attack"]


def _written(texts: Sequence[str], eps: float) -> str:
    return next((text for text in texts if isclose(float(fraction(text)), eps, rel_tol=1e-6)), f"{eps:g}")
