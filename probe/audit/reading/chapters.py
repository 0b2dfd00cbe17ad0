"""The chapters that report and viewer have in common, and the findings by chapter."""

from collections.abc import Sequence
from typing import NamedTuple

from probe.audit.manifest import Manifest
from probe.finding import Finding
from probe.statuses import urgency

CHAPTERS = {
    "performance": "Performance",
    "explanation": "Explanations",
    "robustness": "Robustness",
    "certificates": "Certificates",
    "surveys": "Surveys",
    "bias": "Differences between groups",
    "evidence": "All that was measured",
}
LENSES = ("performance", "explanation", "robustness", "bias")
APART = "Checks of the explanations and attacks themselves, not of the model"


class Register(NamedTuple):
    """The findings about the model of one lens, or, with no lens, those about the audit's own methods."""

    lens: str
    title: str
    findings: Sequence[Finding]


def register(manifest: Manifest, status: str = "") -> list[Register]:
    """The findings of a status, or all, by lens; in each those that need a reader first."""
    chosen = sorted((f for f in manifest.findings if f.status == status or not status), key=lambda f: urgency(f.status))
    known = [lens for lens in LENSES if any(f.lens == lens for f in chosen)]
    lenses = dict.fromkeys((*known, *(f.lens for f in manifest.findings)))
    listed = [
        Register(lens, CHAPTERS.get(lens, lens), [f for f in chosen if f.lens == lens and f.about == "model"])
        for lens in lenses
    ]
    listed.append(Register("", APART, [f for f in chosen if f.about != "model"]))
    return [part for part in listed if part.findings]
