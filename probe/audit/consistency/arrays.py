"""The arrays of each finished step, checked by its kind."""

from collections.abc import Callable, Mapping

import numpy as np

from probe.audit.bundle import Bundle
from probe.audit.consistency.agreeing import check_agreeing
from probe.audit.consistency.attacks import check_attack, check_families
from probe.audit.consistency.certificates import check_certificate
from probe.audit.consistency.counterfactuals import check_counterfactual
from probe.audit.consistency.curves import check_curves
from probe.audit.consistency.declared import check_declared
from probe.audit.consistency.explanations import check_again, check_explanation, check_instances
from probe.audit.consistency.parts import Array, are_same, expect
from probe.audit.consistency.predictions import check_measured, check_predictions
from probe.audit.consistency.readings import check_readings
from probe.audit.consistency.shown import check_shown
from probe.audit.consistency.step import Expected, Step
from probe.audit.consistency.sums import check_sums
from probe.audit.consistency.surveys import check_survey
from probe.audit.kinds import ATTACKS
from probe.audit.manifest import tells_inputs
from probe.errors import IntegrityError
from probe.npz import Stored

NORMS = ("l1", "l2", "linf")
KINDS: Mapping[str, tuple[Callable[[Step], None], ...]] = {
    "predictions": (check_readings,),
    "instances": (check_instances, check_readings),
    "explainer": (check_explanation, check_readings, check_curves, check_sums, check_shown),
    "attack": (check_attack, check_again, check_readings),
    "label attack": (check_attack, check_again, check_readings),
    "counterfactual": (check_counterfactual, check_readings),
    "certificate": (check_certificate, check_readings),
    "survey": (check_survey,),
}


def check_arrays(bundle: Bundle) -> None:
    """Raise IntegrityError if arrays contradict each other or the manifest."""
    done = [step for step in bundle.manifest.steps if step.status == "done"]
    stored = {step.name: bundle.arrays(step.name) for step in done}
    if "predictions" not in stored:
        if stored:
            failed = [step.note for step in bundle.manifest.steps if step.kind == "predictions" and step.note]
            why = "".join(f": {note}" for note in failed)
            raise IntegrityError(f"{bundle.name} has evidence of {next(iter(stored))} but no predictions{why}")
        return
    check_predictions(bundle, stored["predictions"])
    answers = Expected.of(bundle)
    check_measured(bundle, stored["predictions"], answers)
    explained: list[Step] = []
    for record in done:
        step = Step(bundle, record, stored, Expected.of(bundle, record.label) if record.label else answers)
        _check_inputs(step)
        _check_norm(step)
        check_declared(step)
        for check in KINDS[record.kind]:
            check(step)
        if record.kind == "explainer":
            explained.append(step)
    check_agreeing(explained)
    drawn = [stored[step.name]["rows"] for step in done if step.kind in ATTACKS]
    if any(not np.array_equal(rows, drawn[0]) for rows in drawn):
        raise IntegrityError("the attacks used different rows")
    check_families(bundle, stored)
    _check_alike(stored)


def _check_alike(stored: Mapping[str, Stored]) -> None:
    """Check that steps which keep the input of one row keep the same, in numbers and in words."""
    known: dict[tuple[int, bool], tuple[str, Array]] = {}
    for name, arrays in stored.items():
        for part in ("inputs", "described", "before"):
            for row, kept in zip(arrays.get("rows", np.zeros(0)).tolist(), arrays.get(part, ()), strict=False):
                first, other = known.setdefault((row, part == "inputs"), (name, kept))
                expect(are_same(kept, other), name, f"its input of row {row} is not that of {first}")


def _check_norm(step: Step) -> None:
    """Check that the radii of an attack or a certificate are of the norm with which it ran."""
    norm, threat = step.record.method.get("norm"), step.record.threat
    fits = norm not in NORMS or threat is None or threat.unit != "radius" or threat.axis == norm
    expect(fits, step.name, f"it has the norm {norm}, and its radii another")


def _check_inputs(step: Step) -> None:
    """Check that no inputs are kept if the plan keeps none."""
    shape = step.bundle.manifest.data.shape
    told = [part for part, array in step.arrays.items() if tells_inputs(part, array, shape)]
    expect(step.plan.keeps_inputs or not told, step.name, "it holds inputs, but the plan says that none are kept")
