"""The answers under attack, and which of them reached the goal."""

import numpy as np

from probe.audit.consistency.parts import check_drawn, check_form, check_radii, check_rows, expect
from probe.audit.consistency.step import TIE, Step
from probe.audit.readings import evidence_of
from probe.goals import Flip, LeastLikely, Margin, Shift, Targeted, Untargeted
from probe.task import Regression


def check_attack(step: Step) -> None:
    """Check that clean, successful and robust rows follow from the answers, at the radii of the plan."""
    name, arrays, answers = step.name, step.arrays, step.answers
    rows, eps = arrays["rows"], arrays["eps"]
    check_rows(name, rows, len(answers.labels))
    check_drawn(name, len(rows), step.plan.attack.sample, len(answers.labels))
    check_radii(name, eps, step.plan.attack.eps)
    clean, success, attacked = arrays["clean"], arrays["success"], arrays["predicted"]
    labels = answers.labels[rows]
    for part, shape in ((clean, (len(rows),)), (success, (len(eps), len(rows)))):
        check_form(name, part, shape, kinds="b")
    check_form(name, attacked, (len(eps), *labels.shape), kinds="f" if isinstance(answers.task, Regression) else "iu")
    differs = answers.task.differs
    off = np.stack([differs(given, labels) for given in attacked])
    right = (clean == ~differs(answers.predicted[rows], labels)) | answers.tied[rows]
    expect(bool(right.all()), name, "the rows that were right before the attack do not follow from the predictions")
    _check_goal(step)
    robust = arrays.get(evidence_of("robust_accuracy"))
    expect(
        robust is not None and np.array_equal(robust.astype(bool), ~off),
        name,
        "the rows that withstood it do not follow from the answers",
    )
    if "probability" in arrays:
        check_form(name, arrays["probability"], off.shape)
        within = (arrays["probability"] >= 0) & (arrays["probability"] <= 1 + TIE)
        expect(bool(within.all()), name, "its probabilities are not between 0 and 1")
    if step.plan.keeps_inputs:
        _check_kept(step)


def _check_kept(step: Step) -> None:
    """Check the kept inputs before and after the attack."""
    name, arrays, data = step.name, step.arrays, step.bundle.manifest.data
    kept, radii = len(arrays["inputs"]), len(arrays["eps"])
    expect(kept <= len(arrays["rows"]), name, "it keeps more inputs than it attacked")
    check_form(name, arrays["inputs"], (kept, *data.shape))
    check_form(name, arrays["shown"], (radii, kept, *data.shape))
    check_form(name, arrays["moved"], (radii, kept, len(data.features)))


def _check_goal(step: Step) -> None:
    """Check that the successes are the answers that reach the goal, as its class or, for a guest's, the step says."""
    name, arrays, answers, answer = step.name, step.arrays, step.answers, step.record.answer
    rows, clean, success, attacked = (arrays[part] for part in ("rows", "clean", "success", "predicted"))
    goal = step.record.method.get("goal", {}).get("method", "")
    own = {kind.name(): kind.answer for kind in (Untargeted, Targeted, LeastLikely, Margin, Shift, Flip)}
    expect(
        answer == own.get(goal, answer), name, f"it declares {answer or 'nothing'!r} as what reaches the goal {goal!r}"
    )
    if answer == "wrong":
        off = np.stack([answers.task.differs(given, answers.labels[rows]) for given in attacked])
        expect(
            np.array_equal(success, clean & off),
            name,
            "its successes are not the rows that were right before and wrong after",
        )
    elif answer == "target":
        targets = arrays.get("targets", np.array([]))
        check_form(name, targets, (len(rows),), kinds="iu")
        there = answers.predicted[rows] == targets
        agree = (success == (clean & ~there & (attacked == targets))) | answers.tied[rows]
        expect(bool(agree.all()), name, "its successes are not the rows that became their target")
    else:
        expect(bool((success <= clean).all()), name, "it breaks rows that were wrong before")
