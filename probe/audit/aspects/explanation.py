"""How reliable the explanations are."""

from probe.audit.aspects.common import Assessment, absent, done, read
from probe.audit.bundle import Bundle


def assess(bundle: Bundle, result: Assessment) -> None:
    """The checks of each explainer that ran. They are about the explanations, not the model."""
    ran = [step for step in done(bundle, "explanation") if step.kind == "explainer"]
    for step in ran:
        read(bundle, step, result, "explanation")
    if not ran:
        why = "the plan names no explainer, or none could run"
        result.findings.append(absent("explanation", "explanations", why, "explanation"))
