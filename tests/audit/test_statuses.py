"""What a status means: the claims of an audit, and that none passes without a test."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from probe import Dataset, Model, Space, registry
from probe.attacks import FGSM, PGD
from probe.audit import run, verify
from probe.audit.attacking import smallest_budgets
from probe.audit.estimate import estimate
from probe.contracts import Attack
from probe.errors import PlanError
from probe.method import param
from probe.threats import Anywhere, Edits
from tests.audit.conftest import small_plan, table, texts

CLIMB = [{"method": "fgsm"}, {"method": "pgd", "steps": 5}]


def findings(bundle, aspect="robustness"):
    return {f.check: f for f in bundle.manifest.findings if f.aspect == aspect}


def ramp(n: int = 400, scale: float = 1.0, kind: str = "continuous") -> tuple[Model, Dataset]:
    """Rows from -10 to 10 that are answered by their sign: what lies within a radius of 0 falls, and nothing else."""
    inputs = torch.linspace(-10, 10, n)[:, None]
    space = Space(bounds=(-20.0, 20.0), scale=scale, kinds=(kind,), names=("x",), reference=torch.zeros(1, 1))
    inputs = inputs.round() + (inputs == 0) if kind == "integer" else inputs
    model = Model(forward=lambda x: torch.cat([-x, x], 1), space=space, classes=("low", "high"), name="ramp")
    return model, Dataset(inputs, model.predict(inputs), space=space, classes=model.classes, name="line")


def test_every_radius_is_a_row_that_is_held_against_the_threshold(tmp_path):
    plan = small_plan("ramp", attack={"sample": 400, "eps": ["1", "2", "8"], "methods": CLIMB}, explain={"sample": 0})
    found = findings(run(plan, *ramp(), tmp_path / "ramp"))
    shown = {check: (f.status, round(f.estimate, 1)) for check, f in found.items() if "eps" in check}
    assert shown == {
        "withstands FGSM and PGD at eps 1": ("pass", 0.9),
        "withstands FGSM and PGD at eps 2": ("pass", 0.8),
        "withstands FGSM and PGD at eps 8": ("fail", 0.2),
        "robust at eps 2": ("inconclusive", 0.8),
    }
    assert "upper bound" in found["withstands FGSM and PGD at eps 1"].note
    assert "no attack can prove it" in found["robust at eps 2"].note


@pytest.mark.slow
def test_attacks_refute_robustness_and_never_prove_it(tmp_path):
    settings = {"sample": 400, "eps": ["1", "8"], "methods": CLIMB}
    for eps, status in (("1", "inconclusive"), ("8", "fail")):
        plan = small_plan("r", attack=settings, checks={"robust_eps": eps}, explain={"sample": 0})
        assert findings(run(plan, *ramp(), tmp_path / eps))[f"robust at eps {eps}"].status == status


def test_examples_that_cannot_change_are_not_a_pass(tmp_path):
    plan = small_plan("whole", attack={"sample": 400, "eps": ["0.5", "3"], "methods": CLIMB}, explain={"sample": 0})
    bundle = run(plan, *ramp(kind="integer"), tmp_path / "whole")
    found = findings(bundle)
    for check in ("withstands FGSM and PGD at eps 0.5",):
        assert found[check].status == "not run"
        assert "could change 0.0\u202f% of the 400 inputs" in found[check].note
    assert found["withstands FGSM and PGD at eps 3"].status == "pass"
    assert "could change 100.0\u202f% of the 400" in found["withstands FGSM and PGD at eps 3"].note
    assert bundle.table("movable")["movable"].tolist() == [0.0, 1.0]
    verify(bundle.folder)


def test_where_no_answer_was_right_no_share_of_them_is_told(tmp_path):
    model, data = ramp(n=40)
    plan = small_plan("wrong", attack={"sample": 40, "eps": ["1"], "methods": CLIMB}, explain={"sample": 0})
    note = findings(run(plan, model, replace(data, labels=1 - data.labels), tmp_path / "w"))[
        "withstands FGSM and PGD at eps 1"
    ].note
    assert "no input had a right answer" in note
    assert "%" not in note


def test_attacks_that_changed_or_broke_nothing_are_not_compared(tmp_path):
    for eps, why in (("0.5", "could change almost no input"), ("0.001", "FGSM broke no example")):
        kind = "integer" if eps == "0.5" else "continuous"
        plan = small_plan("c", attack={"sample": 400, "eps": [eps], "methods": CLIMB}, explain={"sample": 0})
        finding = findings(run(plan, *ramp(kind=kind), tmp_path / eps))["PGD finds what FGSM finds"]
        assert (finding.status, finding.about) == ("not run", "attack")
        assert why in finding.note


def test_checks_of_explanations_are_about_explanations(table_bundle):
    about = {(f.aspect, f.about) for f in table_bundle.manifest.findings}
    assert about == {
        ("performance", "model"), ("explanation", "explanation"), ("robustness", "model"), ("robustness", "attack"),
        ("bias", "model"),
    }  # fmt: skip


def test_a_completeness_sum_by_construction_is_not_a_pass(table_bundle):
    checks = {f.check for f in table_bundle.manifest.findings}
    assert "integrated_gradients: adds up" in checks
    assert "kernel_shap: adds up" not in checks


@pytest.mark.slow
def test_a_space_without_a_reference_is_audited_to_the_end(tmp_path):
    model, data = table()
    space = replace(model.space, reference=None)
    model, data = replace(model, space=space), replace(data, space=space)
    methods = [{"method": "saliency"}, {"method": "input_x_gradient"}, {"method": "lime"}]
    plain = replace(space, kinds=())
    for each, where in ((space, "a"), (plain, "b")):
        bundle = run(
            small_plan(where, explain={"sample": 4, "methods": methods}),
            replace(model, space=each), replace(data, space=each), tmp_path / where,
        )  # fmt: skip
        assert bundle.complete
        verify(bundle.folder)
    found = findings(bundle, "explanation")
    assert found["saliency: deletion beats random order"].status == "not run"
    assert "set Space(reference=rows)" in found["saliency: insertion beats random order"].note


@pytest.mark.parametrize("kind", [FGSM(), PGD(steps=5)], ids=["fgsm", "pgd"])
def test_bisected_radii_break_what_all_radii_break_in_fewer_rows(kind):
    model, data = ramp()
    radii = ("0.5", "1", "2", "4", "8")
    before, ticks = model.usage.backward, []
    found = smallest_budgets(kind, radii, model, data.inputs, data.labels, ticks.append)
    rows = model.usage.backward - before
    assert sum(ticks) == len(data) * len(radii)
    every = [replace(kind, eps=eps)(model, data.inputs, data.labels).success for eps in radii]
    for k, success in enumerate(every):
        assert torch.equal(found.smallest <= k, success.bool().cpu())
    asked = model.usage.backward - before - rows
    assert rows < 0.7 * asked
    smallest = found.smallest.clamp(max=len(radii) - 1)
    reach = torch.tensor([float(eps) for eps in radii])[smallest]
    successful = found.smallest < len(radii)
    assert ((found.points - data.inputs).abs()[:, 0][successful] <= reach[successful] + 1e-5).all()
    assert torch.equal(model.predict(found.points), found.answers)
    assert torch.equal(found.points[~successful], data.inputs[~successful])


def test_an_example_could_move_where_the_space_admits_another_point():
    space = Space(bounds=(0.0, 10.0), kinds=("integer", "continuous"), mutable=torch.tensor([True, False]))
    inputs = torch.tensor([[0.0, 3.0], [10.0, 3.0], [5.0, 3.0]])
    assert FGSM(eps=0.9).could_move(space, inputs).tolist() == [False] * 3
    assert FGSM(eps=1.0).could_move(space, inputs).tolist() == [True] * 3
    assert FGSM(eps=1.0).could_move(replace(space, bounds=(0.0, 0.0)), inputs * 0).tolist() == [False] * 3
    assert FGSM(eps=1.0).could_move(replace(space, mutable=torch.zeros(2).bool()), inputs).tolist() == [False] * 3


def test_what_half_precision_rounds_back_to_its_origin_could_not_move():
    space, inputs = Space(bounds=(0.0, 1000.0)), torch.full((1, 2), 200.0).bfloat16()  # the next number is 201
    for eps, movable in ((0.6, False), (1.0, True)):
        assert PGD(eps=eps).could_move(space, inputs).tolist() == [movable]
        net = nn.Linear(2, 2, bias=False).bfloat16().eval()
        nn.init.normal_(net.weight, std=1e-3)  # small, so that no probability is 1 and no gradient vanishes
        model = Model(forward=net, space=space)
        moved = PGD(eps=eps, steps=1)(model, inputs, model.predict(inputs)).perturbed != inputs
        assert bool(moved.any()) == movable


@dataclass(frozen=True, kw_only=True)
class Unbounded(Attack):
    """An attack whose changes have no size."""

    budget = ""
    threat = Anywhere()

    steps: int = param(3, "steps")

    def perturb(self, model, inputs, aim):
        return inputs


@dataclass(frozen=True, kw_only=True)
class Synonyms(Attack):
    """An attack on words that is not one of ours."""

    threat = Edits("word")
    eps: int = param(1, "words", low=0)

    def perturb(self, model, inputs, aim):
        return inputs


@pytest.fixture
def guests(monkeypatch):
    found = registry.discover("attack") | {"unbounded": Unbounded, "synonyms": Synonyms}
    monkeypatch.setattr("probe.audit.plan.discover", lambda family: found if family == "attack" else OWN(family))
    monkeypatch.setattr("probe.audit.plan.methods", lambda: registry.methods() | found)


OWN = registry.discover


def test_an_attack_whose_changes_have_no_size_is_refused_in_one_sentence(guests):
    with pytest.raises(PlanError, match=r"unbounded, whose changes have no size.*run it with `probe attack`"):
        small_plan("u", attack={"methods": [{"method": "unbounded"}]})


def test_radii_of_any_attack_on_words_are_numbers_of_words(guests, tmp_path):
    plan = small_plan("s", attack={"sample": 20, "eps": ["1", "2"], "methods": [{"method": "synonyms"}]},
                      explain={"sample": 0})  # fmt: skip
    checks = findings(run(plan, *texts(), tmp_path / "s"))
    assert {"withstands Synonyms at 1 word", "withstands Synonyms at 2 words", "robust at 2 words"} <= checks.keys()


def test_a_failed_pilot_does_not_stop_the_audit():
    model, data = table()

    def fail(inputs):
        raise KeyError(inputs)

    assert estimate(small_plan("p"), replace(model, forward=fail), data) == 0
    assert np.isfinite(estimate(small_plan("p"), replace(model, forward=nn.Linear(5, 2).eval()), data))
