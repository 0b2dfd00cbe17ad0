"""The planned steps, the finished ones, and what was not measured."""

from typing import NamedTuple

from probe.audit.bundle import Bundle
from probe.audit.expected import planned
from probe.audit.manifest import Manifest, StepRecord
from probe.audit.titles import check_of, doing
from probe.finding import Finding

NEVER_BEGUN = "the audit ended before this step"


class Missing(NamedTuple):
    """What was not measured, and why."""

    aspect: str
    check: str
    status: str
    note: str


def steps(manifest: Manifest, kind: str) -> list[StepRecord]:
    """The steps of a kind that were done."""
    return [step for step in manifest.steps if step.kind == kind and step.done]


def waiting(manifest: Manifest) -> list[str]:
    """The steps of the plan that were not done, in its order."""
    done = {step.name for step in manifest.steps if step.done}
    return [doing(manifest, step) for step in planned(manifest.plan) if step.name not in done]


def missing(bundle: Bundle, aspect: str = "") -> list[Missing]:
    """What was not measured of one aspect or of all: checks and steps that did not run, or never started."""
    manifest = bundle.manifest
    found = [Missing(f.aspect, check_of(manifest, f), f.status, f.note) for f in manifest.findings if unmeasured(f)]
    ended = {step.name for step in manifest.steps}
    if not bundle.complete:
        never = [step for step in planned(manifest.plan) if step.name not in ended]
        found += [Missing(step.aspect, doing(manifest, step), "not run", NEVER_BEGUN) for step in never]
    return [each for each in found if each.aspect == aspect or not aspect]


def why_empty(bundle: Bundle, aspect: str) -> list[Missing]:
    """Why there are no results of an aspect."""
    ended = "the audit ended before this"
    none = ended if not bundle.complete else "it is not in the plan"
    return missing(bundle, aspect) or [Missing(aspect, "this part of the audit", "not run", none)]


def unmade(bundle: Bundle, kind: str) -> list[Missing]:
    """The steps of a kind that did not run, or why there are none."""
    manifest = bundle.manifest
    ran = {step.name: step for step in manifest.steps}
    found = []
    for step in planned(manifest.plan):
        if step.kind == kind and (step.name in ran or not bundle.complete):
            one = ran.get(step.name)
            status, note = (one.status, one.note) if one else ("not run", NEVER_BEGUN)
            found.append(Missing(step.aspect, doing(manifest, one or step), status, note))
    missing = [each for each in found if each.status != "done"]
    return missing if found else [Missing("", f"{kind}s", "not run", "the plan names none")]


def ended(status: str, *, written: bool = False) -> str:
    """How an audit ended: complete, interrupted, or killed if it is marked as running and no process writes it."""
    return "killed" if status == "running" and not written else status


def unmeasured(finding: Finding) -> bool:
    """Whether a finding only says that something was not measured."""
    return finding.status in ("not run", "error") and finding.estimate is None
