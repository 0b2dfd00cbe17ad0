"""What is read from a bundle: the plain verdict, counts apart, whom the rows are of, and how to repeat it."""

import tomllib

import pandas as pd
import pytest
import torch

import probe
from probe import Dataset
from probe.audit import plan_from, reading, run
from probe.audit.strict import plain
from probe.audit.toml import to_toml
from probe.errors import DataError, PlanError
from tests.audit.conftest import small_plan, table, texts
from tests.audit.test_statuses import CLIMB, ramp

THIN = "\N{NARROW NO-BREAK SPACE}"
QUIET = {"explain": {"sample": 0}}


def audited(tmp_path, eps, parts=None, **changes):
    attack = {"sample": 400, "eps": eps, "methods": CLIMB}
    return run(small_plan("ramp", attack=attack, **QUIET, **changes), *(parts or ramp()), tmp_path / "ramp")


@pytest.mark.slow
@pytest.mark.parametrize(("eps", "sentence"), [
    (["1", "6", "9.5"],
     "Fewer than half of the answers withstand FGSM and PGD at eps 6 (40.0 %); 5.0 % withstand eps 9.5."),
    (["1", "8"], "Fewer than half of the answers withstand FGSM and PGD at eps 8 (20.0 %); 90.0 % withstand eps 1."),
    (["1", "2"], "More than half of the answers withstand FGSM and PGD at eps 2, the largest radius tried (80.0 %)."),
])  # fmt: skip
def test_the_verdict_is_read_from_the_curve(tmp_path, eps, sentence):
    verdict = [said.replace(THIN, " ") for said in reading.verdict(audited(tmp_path, eps))]
    assert verdict[0] == sentence
    assert verdict[1] == "100.0 % of the answers are right (meets the threshold of 80.0 %)."
    assert verdict[2] == "Groups were not compared: the data declares no groups."


def test_radii_at_which_no_input_could_change_do_not_count_in_the_verdict(tmp_path):
    whole = ramp(kind="integer")
    assert "was not tested: almost no input could be changed" in reading.verdict(audited(tmp_path, ["0.5"], whole))[0]
    said = reading.verdict(audited(tmp_path / "b", ["0.5", "3"], whole))[0]
    assert "At eps 0.5 almost no input could be changed" in said


def test_the_verdict_says_first_that_a_model_is_mostly_wrong(tmp_path):
    model, data = ramp()
    wrong = Dataset(data.inputs, 1 - data.labels, space=data.space, classes=data.classes)
    wrong.labels[:100] = data.labels[:100]
    said = reading.verdict(audited(tmp_path, ["1"], (model, wrong)))[0].replace(THIN, " ")
    assert said.startswith("Fewer than half of the answers are right even without an attack (25.0 %)")


def test_the_verdict_says_that_no_attack_ran(tmp_path):
    plan = small_plan("n", attack={"sample": 0}, **QUIET)
    assert reading.verdict(run(plan, *ramp(), tmp_path / "n"))[0] == "Robustness was not measured."


def test_the_verdict_counts_words_where_words_are_replaced(tmp_path):
    plan = small_plan("t", attack={"sample": 60, "eps": ["1", "3"], "methods": [{"method": "hot_flip"}]}, **QUIET)
    assert "HotFlip at" in (said := reading.verdict(run(plan, *texts(), tmp_path / "t"))[0])
    assert "word" in said


@pytest.mark.slow
def test_checks_of_explanations_are_counted_apart(table_bundle):
    findings = table_bundle.manifest.findings
    model, methods = reading.tally(findings)
    assert sum(methods.values()) == sum(f.aspect == "explanation" or "FGSM finds" in f.check for f in findings)
    assert model.total() + methods.total() == len(findings)


@pytest.mark.slow
def test_the_first_page_says_that_rows_are_not_of_a_test_split(tmp_path):
    model, data = ramp()
    for role, part in (("train", "was trained on these rows"), ("unknown", "is not known"), ("test", "")):
        rows = Dataset(data.inputs, data.labels, space=data.space, classes=data.classes, role=role)
        caution = reading.origin(audited(tmp_path / role, ["1"], (model, rows)).manifest)
        assert part in caution
        assert bool(caution) == bool(part)
    with pytest.raises(DataError, match="expected one of test, train, unknown"):
        Dataset(data.inputs, data.labels, role="tset")
    with pytest.raises(PlanError, match=r"data\.role = 'tset', expected one of"):
        small_plan("r", data={"role": "tset"})


@pytest.mark.slow
def test_the_verdict_says_that_the_favourable_class_is_assumed(tmp_path):
    plan = small_plan("people", attack={"sample": 0}, **QUIET)
    bundle = run(plan, *table(), tmp_path / "people")
    assert reading.favourable(bundle.manifest) == ("yes", True)
    notes = [f.note for f in bundle.manifest.findings if f.aspect == "bias" and f.threshold is not None]
    assert notes
    assert all("no favourable outcome was named; yes is assumed" in note for note in notes)
    assert "(assumed, not named in the plan)" in reading.verdict(bundle)[2]
    assert "assumed, not named in the plan" in probe.report.render(bundle)
    named = small_plan("named", attack={"sample": 0}, bias={"positive": "yes"}, **QUIET)
    bundle = run(named, *table(), tmp_path / "named")
    assert reading.favourable(bundle.manifest) == ("yes", False)
    assert "assumed" not in "".join(f.note for f in bundle.manifest.findings)


def test_a_plan_comes_back_from_its_toml(table_bundle):
    stored = plain(table_bundle.manifest.plan)
    assert plan_from(tomllib.loads(to_toml(stored))) == plan_from(stored)
    lines = reading.repeat(table_bundle.manifest, "runs/people")
    assert lines == ["probe report runs/people --format toml --out plan.toml",
                     "probe audit --plan plan.toml --out again"]  # fmt: skip


def test_an_audit_from_python_needs_no_sources(tmp_path):
    plan = plan_from({"name": "mine", "attack": {"sample": 20}, **QUIET}, sources=False)
    bundle = run(plan, *ramp(60), tmp_path / "mine")
    assert bundle.complete
    assert "probe.audit.run(plan, model, data" in reading.repeat(bundle.manifest, "runs/mine")[-1]
    with pytest.raises(PlanError, match="it names zoo and factory"):
        plan_from({"name": "mine", "model": {"zoo": "a", "factory": "b:c"}}, sources=False)


def test_a_frame_of_groups_with_unknown_favourable_class_of_three_is_not_compared(tmp_path):
    model, data = table()
    three = probe.Model(forward=lambda x: torch.cat([model.forward(x), x[:, :1]], 1), space=data.space,
                        classes=("no", "yes", "maybe"))  # fmt: skip
    rows = Dataset(data.inputs, data.labels, groups=pd.DataFrame(data.groups), space=data.space, classes=three.classes)
    bundle = run(small_plan("three", attack={"sample": 0}, **QUIET), three, rows, tmp_path / "three")
    assert reading.favourable(bundle.manifest) == ("", False)
    assert "name the favourable one as bias.positive" in reading.verdict(bundle)[2]
