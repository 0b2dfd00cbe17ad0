"""The results of a certificate."""

import numpy as np

from probe.audit.consistency.parts import check_drawn, check_radii, check_rows, expect
from probe.audit.consistency.step import Step
from probe.audit.readings import evidence_of

ABSTAINS = -1


def check_certificate(step: Step) -> None:
    """Check that the certified answers are of the plan's rows and radii."""
    name, arrays, labels = step.name, step.arrays, step.answers.labels
    rows, certify = arrays["rows"], step.plan.certify
    check_rows(name, rows, len(labels))
    check_drawn(name, len(rows), certify.sample, len(labels))
    check_radii(name, arrays["eps"], certify.eps)
    own = (arrays["predicted"] == step.answers.predicted[rows]) | (arrays["predicted"] == ABSTAINS)
    # A certificate of another classifier, such as a vote under noise, decides for itself.
    agree = step.record.certifies or bool((own | step.answers.tied[rows]).all())
    expect(bool(agree), name, "it certifies answers that are not those of the predictions")
    expect(bool((arrays["radius"] >= 0).all()), name, "a radius is below 0, or no number")
    right = arrays["predicted"] == labels[rows]
    certified = right & (arrays["radius"] > arrays["eps"][:, None])
    seen = arrays.get(evidence_of("certified_accuracy"), np.zeros(0))
    expect(np.array_equal(seen, certified), name, "the certified answers do not follow from its radii")
