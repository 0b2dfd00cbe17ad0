"""The answers under attack, and which of them reached the goal."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from probe.audit.budgets import radii
from probe.audit.bundle import Bundle, Stored
from probe.audit.consistency.parts import are_same, check_drawn, check_form, check_radii, check_rows, expect
from probe.audit.consistency.step import TIE, Step
from probe.audit.families import ACCURACY, WITHSTOOD, families, measure_of
from probe.audit.looks import decided_after
from probe.audit.readings import evidence_of
from probe.errors import IntegrityError
from probe.goals import Flip, LeastLikely, Margin, Shift, Targeted, TopK, Untargeted
from probe.numbers import fraction
from probe.task import Regression

OWN = (Untargeted, Targeted, LeastLikely, Margin, TopK, Shift, Flip)


def check_attack(step: Step) -> None:
    """Check that clean, successful and robust rows follow from the answers, at the radii of the plan."""
    name, arrays, answers = step.name, step.arrays, step.answers
    rows, eps = arrays["rows"], arrays["eps"]
    check_rows(name, rows, len(answers.labels))
    if not step.plan.attack.until_decided:
        check_drawn(name, len(rows), step.plan.attack.sample, len(answers.labels))
    check_radii(name, eps, radii(step.plan, step.record))
    clean, success, attacked = arrays["clean"], arrays["success"], arrays["predicted"]
    labels = answers.labels[rows]
    for part, shape in ((clean, (len(rows),)), (success, (len(eps), len(rows)))):
        check_form(name, part, shape, kinds="b")
    check_form(name, attacked, (len(eps), *labels.shape), kinds="f" if isinstance(answers.task, Regression) else "iu")
    if measure_of(step.record) == ACCURACY:
        _check_accuracy(step)
    else:
        _check_withstood(step)
    reached = arrays.get(evidence_of("goal_reached"))
    same = reached is None or np.array_equal(reached, success)
    expect(same, name, "the rows that reached the goal are not its successes")
    _check_kept_answers(step)
    _check_end(step)
    if "probability" in arrays:
        check_form(name, arrays["probability"], success.shape)
        _check_probabilities(step)
    if step.plan.keeps_inputs:
        _check_kept(step)


def _check_end(step: Step) -> None:
    """Check that an attack that ends once its share is decided ended at that look, or asked all rows."""
    every, asked = step.plan.attack.until_decided, len(step.arrays["rows"])
    most = min(step.plan.attack.sample, len(step.answers.labels))
    if not every:
        return
    after = decided_after(step.plan, step.record, measure_of(step.record), step.arrays)
    known = f"was decided after {after}" if after else "was not decided"
    expect(
        asked == (after or most) and (asked == most or asked % every == 0),
        step.name,
        f"it ends after {asked} rows of at most {most}, looks every {every}, and its share {known}",
    )


def check_families(bundle: Bundle, stored: Mapping[str, Stored]) -> None:
    """Check that attacks that are judged together have the same threat and the same radii.

    Args:
        bundle: the audit.
        stored: the arrays of every finished step, by its name.
    """
    for label in ("", *bundle.manifest.plan.attack.labels):
        found = families(bundle.manifest, label)
        if len({family.key for family in found}) < len(found):
            raise IntegrityError(f"the attacks of {bundle.name} describe changes of one norm in different words")
        for first, *others in (family.steps for family in found):
            for step in others:
                same = np.array_equal(stored[step.name]["eps"], stored[first.name]["eps"])
                expect(same, step.name, f"it has the norm of {first.name} and other radii")


def _check_kept_answers(step: Step) -> None:
    """Check that rows that were not moved keep their answer, and those moved at a radius theirs at larger ones."""
    name, arrays, answers = step.name, step.arrays, step.answers
    rows, success, attacked = arrays["rows"], arrays["success"], arrays["predicted"]
    stayed = ~success & ~answers.tied[rows]
    before = np.broadcast_to(answers.predicted[rows], attacked.shape)
    same = np.isclose(attacked, before, rtol=TIE, atol=TIE).reshape(*success.shape, -1).all(2)
    expect(bool(same[stayed].all()), name, "a row that it did not move has another answer than before")
    expect(bool((success[1:] >= success[:-1]).all()), name, "a row falls at a radius and stands at a larger one")
    told = [arrays[part] for part in ("predicted", "probability") if part in arrays]
    again = all(are_same(each[1:][success[:-1]], each[:-1][success[:-1]]) for each in told)
    expect(again, name, "a row has another answer at a larger radius than where it fell")


def _check_probabilities(step: Step) -> None:
    """Check the probability of each answer: of rows not moved that of before, of others one that decides for it."""
    name, arrays, answers, task = step.name, step.arrays, step.answers, step.answers.task
    rows, success, sure = arrays["rows"], arrays["success"], arrays["probability"].astype(np.float64)
    expect(task.one_class, name, "it holds probabilities of answers that have none")
    expect(bool(((sure >= 0) & (sure <= 1 + TIE)).all()), name, "its probabilities are not between 0 and 1")
    before = task.pick(answers.probabilities[rows], answers.predicted[rows])
    stayed = ~success & ~answers.tied[rows]
    expect(
        bool((np.abs(sure - before) <= TIE)[stayed].all()),
        name,
        "the probability of an answer that it did not move is not that of before",
    )
    least = task.least_sure(arrays["predicted"], answers.probabilities.shape[1])
    expect(
        bool((sure >= least - TIE)[success].all()),
        name,
        "an answer under attack is less probable than an answer can be",
    )


def _goal(step: Step) -> Mapping[str, Any]:
    """The goal of an attack: the usual one if the step names none, so that none is gone unchecked."""
    found: Mapping[str, Any] = step.record.method.get("goal", {"method": Untargeted.name()})
    return found


def _check_accuracy(step: Step) -> None:
    """Check that right, successful and robust rows follow from labels and answers."""
    name, arrays, answers = step.name, step.arrays, step.answers
    labels, differs = answers.labels[arrays["rows"]], answers.task.differs
    off = np.stack([differs(given, labels) for given in arrays["predicted"]])
    right = (arrays["clean"] == ~differs(answers.predicted[arrays["rows"]], labels)) | answers.tied[arrays["rows"]]
    expect(bool(right.all()), name, "the rows that were right before the attack do not follow from the predictions")
    _check_goal(step)
    robust = arrays.get(evidence_of(ACCURACY))
    expect(
        robust is not None and np.array_equal(robust, ~off),
        name,
        "the rows that withstood it do not follow from the answers",
    )


def _check_withstood(step: Step) -> None:
    """Check the rows that withstood a goal that is not about right and wrong answers, and those that a shift moved."""
    name, arrays, answers = step.name, step.arrays, step.answers
    clean, success = arrays["clean"], arrays["success"]
    expect(bool((success <= clean).all()), name, "it moves rows to a goal that they had reached before")
    told = arrays.get(evidence_of(WITHSTOOD))
    expected = np.stack([clean & ~success, np.broadcast_to(clean, success.shape)], 2)
    expect(
        told is not None and np.array_equal(told, expected),
        name,
        "the rows that withstood it do not follow from those that reached the goal",
    )
    goal = _goal(step)
    errs = step.record.answer or goal.get("method") in {kind.name() for kind in OWN if kind.errs}
    expect(
        not (errs and answers.task.judges), name, "it counts how seldom a goal is reached that is about wrong answers"
    )
    if goal.get("method") == TopK.name():
        _check_left(step, int(goal["k"]))
    if goal.get("method") != Shift.name():
        return
    by, before = float(fraction(str(goal["by"]))), answers.predicted[arrays["rows"]]
    moved = (np.sign(by) * (arrays["predicted"].astype(np.float64) - before)).reshape(*success.shape, -1).min(2)
    near = TIE * np.maximum(abs(by), np.abs(before).reshape(len(before), -1).max(1))
    agree = (success == (clean & (moved >= abs(by)))) | (np.abs(moved - abs(by)) <= near)
    expect(bool(clean.all() and agree.all()), name, "its successes are not the rows whose answer moved by its goal")


def _check_left(step: Step, k: int) -> None:
    """Check which labels were among the k most likely classes before, and that one that left them is not predicted."""
    name, arrays, answers = step.name, step.arrays, step.answers
    rows, success = arrays["rows"], arrays["success"]
    labels, chances = answers.labels[rows], answers.probabilities[rows]
    expect(answers.task.one_class and k < chances.shape[1], name, f"there are no {k} classes to leave")
    there = ~answers.task.beyond_top(chances, labels, k)
    near = np.abs(answers.task.margin(chances, labels, k)) <= TIE
    expect(
        bool(((arrays["clean"] == there) | near).all()),
        name,
        f"the labels among the {k} most likely classes do not follow from the predictions",
    )
    kept = np.stack([~answers.task.differs(given, labels) for given in arrays["predicted"]])
    expect(not (success & kept).any(), name, f"a label that is predicted has not left the {k} most likely classes")


def _check_kept(step: Step) -> None:
    """Check the kept inputs before and after the attack."""
    name, arrays, data = step.name, step.arrays, step.bundle.manifest.data
    kept, radii = len(arrays["inputs"]), len(arrays["eps"])
    expect(kept <= len(arrays["rows"]), name, "it keeps more inputs than it attacked")
    check_form(name, arrays["inputs"], (kept, *data.shape))
    check_form(name, arrays["shown"], (radii, kept, *data.shape))
    check_form(name, arrays["moved"], (radii, kept, len(data.features)))
    stayed = ~arrays["success"][:, :kept]
    for before, after in (("inputs", "shown"), ("before", "after")):
        if before in arrays and after in arrays:
            same = are_same(arrays[after][stayed], np.broadcast_to(arrays[before], arrays[after].shape)[stayed])
            expect(same, name, "it shows a row that it did not move as another one")


def _check_goal(step: Step) -> None:
    """Check that the successes are the answers that reach the goal, as its class or, for a guest's, the step says."""
    name, arrays, answers, answer = step.name, step.arrays, step.answers, step.record.answer
    rows, clean, success, attacked = (arrays[part] for part in ("rows", "clean", "success", "predicted"))
    goal = _goal(step)["method"]
    own = {kind.name(): kind.answer for kind in OWN}
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
