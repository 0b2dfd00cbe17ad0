"""Audits of attacks with goals of their own, of several settings of one attack, and of one that minimises."""

import json

import numpy as np
import pytest
import torch

from probe.attacks import DDN, PGD
from probe.audit import run, verify
from probe.audit.attacking import smallest_budgets
from probe.errors import IntegrityError, PlanError
from probe.goals import LeastLikely, Targeted
from tests.audit.conftest import images, small_plan
from tests.audit.forging import sign
from tests.audit.test_statuses import findings, ramp

AIMED = {"method": "pgd", "steps": 5, "goal": {"method": "targeted", "target": 1}}


def robustness(bundle):
    table = bundle.table("robustness")
    return {(r.attack, r.eps): r.robust_accuracy for r in table.itertuples()}


def test_an_attack_that_minimises_is_run_once_and_gives_the_curve(tmp_path):
    model, data = ramp()
    before = model.usage.backward
    plan = small_plan(
        "least", explain={"sample": 0}, attack={"sample": 400, "eps": ["1", "2", "8"], "methods": [{"method": "ddn"}]}
    )
    bundle = run(plan, model, data, tmp_path / "least")
    curve = robustness(bundle)
    for eps, right in ((1.0, 0.9), (2.0, 0.8), (8.0, 0.2)):
        assert curve["ddn", eps] == pytest.approx(right, abs=0.011)
    assert model.usage.backward - before == 400 * 100
    assert findings(bundle)["withstands DDN at eps 8"].status == "fail"
    verify(bundle.folder)


def test_the_points_of_a_minimising_attack_lie_within_the_budgets_they_count_for():
    model, data = ramp()
    ticks = []
    found = smallest_budgets(DDN(), ("1", "2", "8"), model, data.inputs, data.labels, ticks.append)
    length = (found.points - data.inputs).abs()[:, 0]
    budgets = torch.tensor([1.0, 2.0, 8.0])
    successful = found.smallest < 3
    assert (length[successful] <= budgets[found.smallest[successful]]).all()
    assert torch.equal(model.predict(found.points) != data.labels, successful)
    assert sum(ticks) == len(data) * 3


@pytest.mark.parametrize("goal", [Targeted(target=1), LeastLikely()])
def test_budgets_are_bisected_for_any_goal(goal):
    model, data = images()
    attack = PGD(steps=5, goal=goal)
    radii = ("0.05", "0.2", "0.5")
    found = smallest_budgets(attack, radii, model, data.inputs, data.labels, lambda done: None)
    right = model.predict(data.inputs) == data.labels
    for k, eps in enumerate(radii):
        every = attack.at(eps)(model, data.inputs, data.labels).success & right
        assert bool((every <= (found.smallest <= k)).all())
    successful = found.smallest < len(radii)
    assert successful.any()
    assert torch.equal(model.predict(found.points)[successful], found.targets[successful])


def test_one_attack_is_planned_with_several_goals_and_settings(tmp_path):
    model, data = images()
    methods = [{"method": "fgsm"}, {"method": "pgd", "steps": 5}, AIMED]
    plan = small_plan("goals", explain={"sample": 0}, attack={"sample": 30, "eps": ["0.1", "0.5"], "methods": methods})
    bundle = run(plan, model, data, tmp_path / "goals")
    verify(bundle.folder)
    curve = robustness(bundle)
    names = {name for name, _ in curve if name.startswith("pgd-")}
    assert len(names) == 2
    assert all(curve["all attacks", 0.5] <= curve[name, 0.5] for name in names)
    checks = set(findings(bundle))
    withstands = next(check for check in checks if check.startswith("withstands") and "0.5" in check)
    assert "PGD (goal = targeted (target = 1))" in withstands
    # Only attacks of one goal are held against each other.
    finds = [check for check in checks if " finds what " in check]
    assert len(finds) == 1
    assert finds[0] == "PGD (goal = untargeted) finds what FGSM finds"
    aimed = next(step for step in bundle.manifest.steps if step.answer == "target")
    stored = bundle.arrays(aimed.name)
    assert (stored["predicted"][stored["success"]] == 1).all()
    assert (stored["targets"] == 1).all()


def test_the_title_of_a_targeted_attack_names_its_goal(tmp_path):
    model, data = images()
    plan = small_plan("aim", explain={"sample": 0}, attack={"sample": 20, "eps": ["0.2"], "methods": [AIMED]})
    bundle = run(plan, model, data, tmp_path / "aim")
    assert "withstands PGD (goal = targeted (target = 1)) at eps 0.2" in findings(bundle)


def test_an_invalid_goal_is_refused_in_the_plan():
    for goal, message in (
        ({"method": "targeted", "target": -1}, "Targeted.target = -1"),
        ({"method": "targetted"}, "did you mean 'targeted'"),
        ({"method": "saliency"}, "expected a method of the kind Goal"),
    ):
        with pytest.raises(Exception, match=message) as refused:
            small_plan("g", attack={"methods": [{"method": "pgd", "goal": goal}]})
        assert not isinstance(refused.value, AssertionError)
    with pytest.raises(PlanError, match="pgd twice with the same settings"):
        small_plan("g", attack={"methods": [AIMED, AIMED]})


def test_successes_that_are_not_the_targets_are_refused(tmp_path):
    model, data = images()
    plan = small_plan("aim", explain={"sample": 0}, attack={"sample": 20, "eps": ["0.5"], "methods": [AIMED]})
    bundle = run(plan, model, data, tmp_path / "aim")
    name = next(step.name for step in bundle.manifest.steps if step.kind == "attack")

    def other_targets(forged):
        stored = forged.arrays(name)
        forged.write_arrays(name, stored | {"targets": np.zeros_like(stored["targets"])})

    sign(bundle.folder, other_targets)
    with pytest.raises(IntegrityError, match="not the rows that became their target"):
        verify(bundle.folder)


def test_a_bundle_cannot_claim_successes_of_built_in_goals(tmp_path):
    model, data = images()
    plan = small_plan("aim", explain={"sample": 0}, attack={"sample": 20, "eps": ["0.5"], "methods": [AIMED]})
    bundle = run(plan, model, data, tmp_path / "aim")

    def unsaid(forged):
        next(step for step in forged.manifest["steps"] if step["kind"] == "attack")["answer"] = ""

    sign(bundle.folder, unsaid)
    with pytest.raises(IntegrityError, match="it declares 'nothing' as what reaches the goal 'targeted'"):
        verify(bundle.folder)
    assert json.loads((bundle.folder / "audit.json").read_text())["schema"] == 2
