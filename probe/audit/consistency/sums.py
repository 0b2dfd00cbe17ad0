"""Explanations that promise a sum, beside the answers that they explain."""

import numpy as np

from probe.audit.consistency.parts import expect
from probe.audit.consistency.step import TIE, Step
from probe.audit.readings import evidence_of
from probe.registry import declared


def check_sums(step: Step) -> None:
    """Check that each row's values sum to its output minus that of the reference, which is the same for all rows.

    So values of one row cannot be put in the place of another's, whose output differs.
    """
    found = declared("explainer").get(str(step.record.method.get("method")))
    residual = step.arrays.get(evidence_of("completeness"))
    by_construction = found is not None and found.said.get("sums_by_construction") is True
    if found is None or not found.said.get("completeness") or (residual is None and not by_construction):
        return
    arrays, outputs = step.arrays, step.outputs(step.output)
    sums = arrays["by_feature"].astype(np.float64).sum(1)
    slack = TIE * np.maximum(np.abs(outputs), np.abs(sums)) + (0 if residual is None else np.abs(residual[:, 0]))
    for target in np.unique(arrays["targets"]):
        same = arrays["targets"] == target
        low, high = (outputs - sums - slack)[same].max(), (outputs - sums + slack)[same].min()
        expect(bool(low <= high), step.name, "its values do not sum to what the answers of their rows differ by")
