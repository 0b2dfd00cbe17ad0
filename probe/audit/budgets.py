"""The budgets of an audit's attacks in words, with the unit that their threat declares."""

from collections.abc import Sequence
from math import isclose

from probe.audit.expected import Planned, planned
from probe.audit.kinds import ATTACKS
from probe.audit.manifest import Manifest, PlanRecord, StepRecord, ThreatRecord
from probe.formatting import norm
from probe.numbers import fraction

RADIUS = ThreatRecord(unit="radius", counted=False, axis="", note="")


def threat_of(step: StepRecord) -> ThreatRecord:
    """The threat of an attack or certificate."""
    return step.threat or RADIUS


def radii(plan: PlanRecord, step: StepRecord) -> tuple[str, ...]:
    """The radii of an attack, or of a certificate, as its plan writes them: its own, or those of its section."""
    if step.kind == "certificate":
        return plan.certify.eps
    return own_radii(plan, step) or plan.attack.eps


def own_radii(plan: PlanRecord, step: StepRecord | Planned) -> tuple[str, ...]:
    """The radii that a plan gives to an attack alone; empty if it has those of the section."""
    config = next((each.method for each in planned(plan) if each.name == step.name), {})
    return tuple(config.get("eps", ()))


def asked_radius(plan: PlanRecord, step: StepRecord | Planned) -> str:
    """The radius of the check of robustness: the plan's, or the middle one of an attack's own."""
    own = sorted(own_radii(plan, step), key=fraction)
    return own[len(own) // 2] if own else str(plan.checks["robust_eps"])


def format_budget(amount: str, found: ThreatRecord) -> str:
    """A budget in words: eps 8/255, 3 words, severity 2."""
    if found.counted:
        return f"{amount} {found.unit}{'s' * (amount != '1')}"
    return f"{'eps' if found.unit == 'radius' else found.unit} {amount}"


def reach_of(manifest: Manifest, step: StepRecord, eps: float) -> str:
    """A budget of an attack or a radius of a certificate in words, with the number as its plan writes it.

    The norm is named if the audit has attacks of several norms.
    """
    found = threat_of(step)
    told = format_budget(_written(radii(manifest.plan, step), eps), found)
    norms = {threat_of(each).axis for each in manifest.steps if each.kind in ATTACKS and each.done}
    return f"{norm(found.axis)} {told}" if step.kind in ATTACKS and found.unit == "radius" and len(norms) > 1 else told


def _written(texts: Sequence[str], eps: float) -> str:
    return next((text for text in texts if isclose(float(fraction(text)), eps, rel_tol=1e-6)), f"{eps:g}")
