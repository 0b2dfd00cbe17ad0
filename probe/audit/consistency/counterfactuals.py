"""The results of a search for counterfactuals."""

import numpy as np

from probe.audit.consistency.parts import check_drawn, check_form, check_rows, expect
from probe.audit.consistency.step import Step
from probe.audit.readings import evidence_of


def check_counterfactual(step: Step) -> None:
    """Check that the candidates are of the plan's rows, and that those that reach the goal follow from the answers."""
    name, arrays, answers = step.name, step.arrays, step.answers
    rows, decided, after = arrays["rows"], arrays["decided"], arrays["answers"]
    check_rows(name, rows, len(answers.labels))
    check_drawn(name, len(rows), step.plan.search.sample, len(answers.labels))
    agree = ~answers.task.differs(decided, answers.predicted[rows]) | answers.tied[rows]
    expect(bool(agree.all()), name, "its first answers are not the predicted ones")
    count = after.shape[1] if after.ndim > 1 else 0
    for part in ("reached", "changed"):
        check_form(name, arrays[part], (len(rows), count), kinds="b" if part == "reached" else "iu")
    check_form(name, arrays["distance"], (len(rows), count), kinds="f")
    apart = (arrays["distance"] > 0) == (arrays["changed"] > 0)
    expect(bool(apart.all()), name, "a distance is not that of what changed")
    if step.record.answer == "wrong":
        others = np.stack([answers.task.differs(after[:, at], decided) for at in range(count)], 1)
        expect(
            np.array_equal(arrays["reached"], others),
            name,
            "the candidates that reached the goal do not follow from the answers",
        )
    for metric, expected in (("validity", arrays["reached"].any(1)), ("changed_features", arrays["changed"].mean(1))):
        seen = arrays.get(evidence_of(metric))
        expect(seen is None or bool(np.allclose(seen, expected)), name, f"{metric} does not follow from its arrays")
    if not step.plan.keeps_inputs:
        return
    shape = step.bundle.manifest.data.shape
    kept = len(arrays["inputs"])
    check_form(name, arrays["inputs"], (kept, *shape))
    check_form(name, arrays["candidates"], (kept, count, *shape))
    check_form(name, arrays["moved"], (kept, count, *arrays["moved"].shape[2:3]))
    far = np.abs(arrays["moved"]).sum(-1)
    expect(bool(np.allclose(far, arrays["distance"][:kept], rtol=1e-4)), name, "its moves do not add up to distances")
