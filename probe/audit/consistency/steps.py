"""Checks that the steps of a bundle are those of its plan."""

from probe.audit.bundle import Bundle
from probe.audit.consistency.settings import check_same
from probe.audit.expected import Planned, planned
from probe.audit.kinds import ATTACKS
from probe.audit.manifest import StepRecord
from probe.errors import IntegrityError


def check_steps(bundle: Bundle) -> None:
    """Raise IntegrityError unless the steps are those of the plan, each with its file."""
    manifest = bundle.manifest
    steps = planned(manifest.plan)
    names, expected = [step.name for step in manifest.steps], [step.name for step in steps]
    if missing := [name for name in expected if name not in names] if bundle.complete else []:
        raise IntegrityError(f"the plan asks for the step {missing[0]}, which {bundle.name} does not have")
    if surplus := [name for name in names if name not in expected]:
        raise IntegrityError(f"{bundle.name} has the step {surplus[0]}, which its plan does not ask for")
    if names != expected[: len(names)]:
        raise IntegrityError(
            f"the steps of {bundle.name} are in the order {', '.join(names)}, expected {', '.join(expected)}"
        )
    done = {f"arrays/{step.name}.npz" for step in manifest.steps if step.status == "done"}
    stored = {file for file in manifest.files if file.startswith("arrays/")}
    # A killed process may have written the file of a step that it did not record.
    known = {f"arrays/{name}.npz" for name in expected} if manifest.status == "running" else done
    if odd := sorted((done - stored) | (stored - known)):
        raise IntegrityError(f"{odd[0]} {'is missing' if odd[0] in done else 'belongs to no finished step'}")
    if manifest.contents.keys() != stored:
        raise IntegrityError("audit.json does not list the contents of each array file")
    for step, asked in zip(manifest.steps, steps, strict=False):
        _check_settings(step, asked)


def _check_settings(step: StepRecord, asked: Planned) -> None:
    """Check that the step is the planned one, with the plan's settings."""
    if (step.kind, step.id, step.aspect, step.label) != (asked.kind, asked.id, asked.aspect, asked.label):
        raise IntegrityError(
            f"the step {step.name} is recorded as {step.kind} {step.id}, expected {asked.kind} {asked.id}"
        )
    # The radii of an attack are arrays of its step.
    check_same(step.name, step.method, asked.method, without=("eps",) if step.kind in ATTACKS else ())
