"""Audits of attacks with goals of their own, of several settings of one attack, and of one that minimises."""

import json
import shutil
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
import torch

from probe import Dataset, Model, Regression, Space
from probe.attacks import DDN, PGD
from probe.audit import reading, run, verify
from probe.audit.attacking import smallest_budgets
from probe.audit.manifest import SCHEMA
from probe.audit.pairing import compare
from probe.errors import IntegrityError, PlanError
from probe.formatting import estimate
from probe.goals import LeastLikely, Targeted
from probe.report import render
from tests.audit.conftest import images, small_plan
from tests.audit.forging import sign
from tests.audit.test_statuses import findings, ramp

AIMED = {"method": "pgd", "steps": 5, "goal": {"method": "targeted", "target": 1}}


def robustness(bundle):
    table = bundle.table("robustness")
    return {(r.attack, r.eps): r.robust_accuracy for r in table.itertuples()}


@pytest.mark.slow
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


def hours(tolerance=None, n=80):
    """A linear regression, off by up to 2."""
    inputs = torch.rand(n, 3, generator=torch.Generator().manual_seed(0))
    space = Space(names=("age", "job", "edu"), bounds=(0.0, 1.0), reference=torch.zeros(1, 3))
    task = Regression(("hours",), tolerance=tolerance)
    model = Model(forward=lambda x: x @ torch.tensor([10.0, 5.0, 1.0]), space=space, task=task, name="linear")
    labels = model.logits(inputs)[:, 0] + torch.linspace(-2, 2, n)
    return model, Dataset(inputs=inputs, labels=labels, space=space, name="hours")


SHIFT = {"method": "pgd", "steps": 5, "goal": {"method": "shift", "by": 4}}


def shifted(folder, tolerance=None, methods=(SHIFT,), **changes):
    attack = {"sample": 80, "eps": ["0.1", "0.4"], "methods": list(methods)} | changes
    return run(small_plan(folder.name, explain={"sample": 0}, attack=attack), *hours(tolerance), folder)


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [None, 1.0])
def test_a_shift_is_withstood_by_the_rows_that_no_change_within_the_radius_can_move_that_far(tmp_path, tolerance):
    bundle = shifted(tmp_path / "shift", tolerance)
    model, data = hours()
    page = unescape(render(bundle))
    for eps, at in ((0.1, "eps 0.1"), (0.4, "eps 0.4")):
        reach = (data.inputs + eps).clamp(max=1) - data.inputs
        kept = model.logits(reach)[:, 0] < 4  # it is linear
        found = findings(bundle)[f"withstands PGD (hours shifted up by 4 or more) at {at}"]
        assert found.estimate == pytest.approx(float(kept.double().mean()))
        assert (found.n, found.metric) == (80, "withstood")
        assert all(part in page for part in estimate(found.estimate, found.low, found.high, "share"))
        assert "goal: hours shifted up by 4 or more" in found.note
    assert findings(bundle)["robust at eps 0.4"].status == "fail"
    assert "Fewer than half of the answers withstand PGD (hours shifted up by 4 or more)" in reading.verdict(bundle)[0]
    assert "Rows that withstood the attacks" in page
    verify(bundle.folder)


@pytest.mark.parametrize("part", ["success", "measured-withstood", "predicted"])
def test_successes_that_are_no_shifts_are_refused(tmp_path, part):
    bundle = shifted(tmp_path / "shift")

    def other(forged):
        stored = forged.arrays("attack-pgd")
        changed = {"success": ~stored["success"], "predicted": stored["predicted"] - 9}.get(part, 1 - stored.get(part))
        forged.write_arrays("attack-pgd", stored | {part: changed})

    sign(bundle.folder, other)
    with pytest.raises(IntegrityError, match=r"withstood it do not follow|answer moved by its goal"):
        verify(bundle.folder)


@pytest.mark.slow
def test_attacks_of_two_norms_and_goals_are_judged_apart(tmp_path):
    l2 = {"method": "pgd", "steps": 5, "norm": "l2", "eps": ["0.5", "0.2"]}
    bundle = shifted(tmp_path / "norms", 2.0, [{"method": "fgsm"}, l2, {"method": "ddn", "eps": ["0.2", "0.5"]}, SHIFT])
    verify(bundle.folder)
    linf, euclid, moved = reading.attacks(bundle)
    assert [each.named for each in (linf, euclid)] == ["L\u221e", "L2"]
    assert moved.named == "L\u221e, hours shifted up by 4 or more"
    assert [point.at for point in euclid.worst.points] == ["no attack", "L2 eps 0.2", "L2 eps 0.5"]
    assert [len(each.curves) for each in (linf, euclid, moved)] == [1, 3, 1]
    fgsm, pgd, ddn, both = (
        bundle.arrays(f"attack-{step.id}")["success"]
        for step in (linf.family.steps[0], *euclid.family.steps, moved.family.steps[0])
    )
    right = bundle.arrays(linf.family.steps[0].name)["clean"]
    assert linf.worst.points[-1].value == pytest.approx((right & ~fgsm[-1]).mean())
    assert euclid.worst.points[-1].value == pytest.approx((right & ~pgd[-1] & ~ddn[-1]).mean())
    assert moved.worst.points[-1].value == pytest.approx((~both[-1]).mean())
    checks = set(findings(bundle))
    assert {"robust at L\u221e eps 0.4", "robust at L2 eps 0.5"} < checks
    assert "robust to hours shifted up by 4 or more at L\u221e eps 0.4" in checks
    page = render(bundle)
    assert "Accuracy under attack (L2)" in page
    assert "Rows that withstood the attacks (L\u221e, hours shifted up by 4 or more)" in page


def test_audits_in_two_norms_have_nothing_in_common(tmp_path):
    two = [shifted(tmp_path / norm, 2.0, [{"method": "pgd", "steps": 2, "norm": norm}]) for norm in ("linf", "l2")]
    found = compare(*two)
    attacked = [pair for pair in found.pairs if pair.aspect == "robustness"]
    assert attacked
    assert all(pair.difference is None for pair in attacked)
    assert any("in another norm, L2" in pair.note for pair in attacked)
    told = [change.there.check for part in (found.findings.changed, found.findings.same) for change in part]
    assert not [check for check in told if "eps" in check]


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
    assert json.loads((bundle.folder / "audit.json").read_text())["schema"] == SCHEMA


def test_labels_that_leave_the_most_likely_classes_are_counted_and_their_counts_are_verified(tmp_path):
    model, data = images()
    data = replace(data, labels=torch.arange(len(data)) % 3)  # some are the least likely before
    goal = {"method": "top_k", "k": 2}
    attack = {"sample": 20, "eps": ["0.1", "0.2"], "methods": [{"method": "pgd", "steps": 5, "goal": goal}]}
    bundle = run(small_plan("top", explain={"sample": 0}, attack=attack), model, data, tmp_path / "top")
    verify(bundle.folder)
    name = next(step.name for step in bundle.manifest.steps if step.kind == "attack")
    stored = bundle.arrays(name)
    rows, labels = stored["rows"], data.labels[stored["rows"]]
    there = (model.logits(data.inputs[rows]).topk(2).indices == labels[:, None]).any(1)
    assert stored["clean"].tolist() == there.tolist()
    assert 0 < stored["success"][0].sum() < stored["success"][1].sum()
    found = findings(bundle)["withstands PGD (goal = top k (k = 2)) at eps 0.2"]
    assert (found.metric, found.n) == ("withstood", int(there.sum()))
    assert found.estimate == pytest.approx((there.numpy() & ~stored["success"][1]).sum() / there.sum().item())

    for part in ("predicted", "clean"):
        folder = shutil.copytree(bundle.folder, tmp_path / part)

        def other(forged, part=part):
            success = stored["success"]
            kept = np.where(success, labels.numpy(), stored["predicted"])
            clean = stored["clean"].copy()
            clean[np.flatnonzero(~clean | ~success.any(0))[0]] ^= True
            counted = np.stack([clean & ~success, np.broadcast_to(clean, success.shape)], 2)
            changed = {"predicted": {"predicted": kept}, "clean": {"clean": clean, "measured-withstood": counted}}
            forged.write_arrays(name, stored | changed[part])

        sign(folder, other)
        with pytest.raises(IntegrityError, match="most likely classes"):
            verify(folder)
