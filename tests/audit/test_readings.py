"""One number for the same evidence: in the library, the bundle, the report's data and the viewer."""

import json
import shutil
from dataclasses import MISSING, fields
from html import unescape

import numpy as np
import pandas as pd
import pytest
import torch
from probe_dashboards.views import attacked, explained, performance, quality

from probe import Attribution, Classification, Perturbation, Prediction, formatting, predict
from probe.attacks import PGD
from probe.audit import plan_from, read, run, verify
from probe.audit.asked import METRICS as USUAL
from probe.audit.expected import ids
from probe.audit.glimpse import glimpse
from probe.audit.reading import ranked, readings
from probe.audit.readings import evidence_of
from probe.audit.strict import plain as plain_of
from probe.audit.toml import to_toml
from probe.errors import IntegrityError, PlanError, UnknownMethod
from probe.explainers import IntegratedGradients
from probe.registry import discover
from probe.report import render
from tests.audit.conftest import table
from tests.audit.forging import sign

pytestmark = pytest.mark.slow  # the audit that all look at is made once

# Of this audit. Those of regressions, of several labels, of goals that are not about right and wrong answers, of
# certificates and of counterfactuals are tried beside these.
ANSWERS = Prediction(torch.zeros(2, 2), torch.tensor([0, 1]), task=Classification(("no", "yes")))
POINTS = torch.zeros(2, 5)
ATTACKED = Perturbation(POINTS, POINTS, ANSWERS, ANSWERS, PGD(), table()[0].space)
EXPLAINED = Attribution(POINTS, POINTS, torch.tensor([0, 1]), IntegratedGradients(), table()[0].space)


def taken(kind):
    """Metrics of such a result; the network uses each of its features, so that none is a null player."""
    results, reads = (ANSWERS, ATTACKED, EXPLAINED), kind.result_type()
    if kind.name() == "null_player" or any(f.default is MISSING for f in fields(kind)):
        return False
    return any(reads is type(each) and kind().suits(each) for each in results)


METRICS = {name: kind() for name, kind in discover("metric").items() if taken(kind)}
ASPECTS = ("performance", "explanation", "robustness")
BY_ASPECT = {aspect: [name for name, metric in METRICS.items() if metric.aspect == aspect] for aspect in ASPECTS}
LIME, STEPS = (
    ({"method": "lime", "samples": 60}, {"method": "lime", "samples": 90}),
    ({"method": "pgd", "steps": 1}, {"method": "pgd", "steps": 3}),
)
PLAN = {
    "name": "all", "seed": 3, "model": {"zoo": "any"}, "data": {"sample": 80}, "bias": {"groups": []},
    "predict": {"metrics": BY_ASPECT["performance"]},
    "explain": {"sample": 5, "methods": [*LIME, "integrated_gradients"], "metrics": BY_ASPECT["explanation"]},
    "attack": {"sample": 30, "eps": ["0.05", "0.2"], "methods": list(STEPS), "metrics": BY_ASPECT["robustness"]},
    "checks": {"sparseness": 0.05},
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run(plan_from(PLAN), *table(), tmp_path_factory.mktemp("runs") / "all")


@pytest.fixture(scope="module")
def page(made):
    return render(made)


def steps_of(bundle, aspect):
    return [step for step in bundle.manifest.steps if step.aspect == aspect and step.readings]


@pytest.mark.parametrize("name", list(METRICS))
def test_library_bundle_findings_report_and_viewer_give_the_same_number(made, page, name):
    metric, seed = METRICS[name], made.manifest.plan.seed
    seen = 0
    for step in steps_of(made, metric.aspect):
        held = made.arrays(step.name).get(evidence_of(name))
        rows = [row for row in readings(made, metric.aspect, step.name) if row["metric"] == name]
        parts = [] if held is None else held if step.kind == "attack" else [held]
        for row, evidence in zip(rows, parts, strict=True):
            own = metric.reduce(evidence), *metric.interval(evidence, seed=seed)
            assert (row["value"], row["low"], row["high"]) == own
            written = str(formatting.estimate(*own, metric.unit))
            for finding in made.manifest.findings:
                if (finding.step, finding.metric) == (step.name, name) and finding.check.endswith(tail(row)):
                    assert (finding.estimate, finding.low, finding.high) == own
            assert formatting.number(own[0], metric.unit) in unescape(page)
            if metric.aspect == "performance":
                assert written in plain(" ".join(performance.measures(made)["Estimate [95 % interval]"]))
            elif metric.aspect == "explanation":
                method = next(slug for slug, id_ in explained.methods(made).items() if id_ == step.id)
                assert written in plain(" ".join(explained.badges(made, method)))
            seen += 1
    assert seen, f"{name} was taken of nothing"


def test_methods_are_ranked_by_every_measure_that_all_of_them_have(made, page):
    found = ranked(made)
    rows = pd.DataFrame(readings(made, "explanation")).pivot(index="metric", columns="step", values="value").dropna()
    signs = [1 if METRICS[name].better == "higher" else -1 for name in rows.index]
    expected = rows.mul(signs, axis=0).rank(axis=1, ascending=False)
    assert len(expected) > 9
    assert "completeness" not in expected.index, "LIME promises no sum"
    assert [each.mean for each in found] == pytest.approx(sorted(expected.mean()))
    for each in found:
        own = expected[min(expected, key=lambda step: abs(expected[step].mean() - each.mean))]
        assert each.by == own.to_dict()
        assert (each.best, each.worst) == (own.min(), own.max())
        assert f"{each.best:g} to {each.worst:g}" in unescape(page)
    shown, note = quality.ranks(made)
    assert shown["Method"].tolist() == [each.method for each in found]
    assert shown["Best to worst"].tolist() == [f"{each.best:g} to {each.worst:g}" for each in found]
    assert note in unescape(page)
    # Ranks of three add up to 6, shared ones too.
    assert {round(sum(each.by[name] for each in found)) for name in found[0].by} == {6}
    assert "The rank of each method among these 3 by each measure that all of them have" in page


def tail(row):
    return f"at eps {row['eps']:g}" if row["eps"] == row["eps"] else row["title"]


def plain(text):
    return unescape(text).replace("\N{NO-BREAK SPACE}", " ")


def test_the_evidence_is_what_the_library_measures_of_the_same_result(made):
    model, data = table()
    data = data.sample(80, 3)
    prediction, stored = predict(model, data), made.arrays("predictions")
    for name in BY_ASPECT["performance"]:
        assert np.array_equal(stored[evidence_of(name)], METRICS[name](model, prediction).evidence.double().numpy())
    plan = plan_from(plain_of(made.manifest.plan))
    rows = torch.from_numpy(made.arrays("instances")["rows"])
    for explainer, step in zip(plan.explainers(), steps_of(made, "explanation"), strict=True):
        attribution, held = explainer(model, data.inputs[rows]), made.arrays(step.name)
        for id_, metric, _ in plan.metrics("explain"):
            if evidence_of(id_) in held:
                assert held[evidence_of(id_)] == pytest.approx(
                    metric(model, attribution).evidence.double().numpy(), abs=1e-9
                )
    for attack, step in zip(plan.attacks(), steps_of(made, "robustness"), strict=True):
        held, (id_, metric, _) = made.arrays(step.name), plan.metrics("attack")[0]
        drawn = torch.from_numpy(held["rows"])
        for eps, evidence in zip(("0.05", "0.2"), held[evidence_of(id_)], strict=True):
            result = attack.at(eps)(model, data.inputs[drawn], data.labels[drawn])
            assert np.array_equal(evidence, metric(model, result).evidence.double().numpy())


def test_two_settings_of_one_method_are_audited_together(made):
    methods = {step.id: step.method for step in made.manifest.steps if step.kind == "explainer"}
    one, other = ids(LIME)
    assert one != other
    assert (methods[one]["samples"], methods[other]["samples"]) == (60, 90)
    checks = {finding.check for finding in made.manifest.findings}
    assert {f"lime (samples = {n}): deletion beats random order" for n in (60, 90)} <= checks
    assert "withstands PGD (steps = 1) and PGD (steps = 3) at eps 0.2" in checks
    assert list(explained.method_titles(made).values()) == [
        "lime (samples = 60)",
        "lime (samples = 90)",
        "integrated gradients",
    ]
    assert set(attacked.attack_titles(made).values()) == {"PGD (steps = 1)", "PGD (steps = 3)"}
    page = render(made)
    assert "lime (samples = 90)" in page
    assert "PGD (steps = 1)" in page
    assert len(set(made.table("robustness")["attack"])) == 4
    verify(made.folder)


def test_a_metric_found_by_discovery_is_in_plan_findings_report_and_viewer(made):
    """Sparseness stands in one file of the library; all others have it without being told."""
    assert made.manifest.plan.threshold("sparseness") == 0.05
    found = [f for f in made.manifest.findings if f.metric == "sparseness"]
    assert [f.check.partition(": ")[2] for f in found] == ["names few features"] * 3
    assert {f.threshold for f in found} == {0.05}
    assert "sparseness" in render(made)
    assert any("sparseness" in line for line in explained.badges(made, next(iter(explained.methods(made)))))
    assert "sparseness" in to_toml(plain_of(made.manifest.plan))


def test_a_check_of_a_metric_that_the_plan_does_not_list_has_it_taken():
    plan = plan_from({"name": "p", "model": {"zoo": "any"}, "checks": {"sparseness": 0.3}}).resolve(form="table")
    assert [config["method"] for config in plan.explain.metrics] == [*USUAL["explain"], "sparseness"]
    assert plan.checks.thresholds["sparseness"] == 0.3
    assert plan.checks.thresholds["completeness"] == METRICS["completeness"].threshold
    assert plan_from(plan.to_json()).resolve(form="table") == plan


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"checks": {"sparsness": 0.3}}, PlanError, "did you mean 'sparseness'"),
        ({"checks": {"sparseness": "high"}}, PlanError, "checks.sparseness = 'high', expected a number"),
        ({"checks": {"sparseness": float("nan")}}, PlanError, "expected a number"),
        ({"checks": {"sparseness": 10**400}}, PlanError, "expected a number"),
        ({"checks": {"robust_eps": 3}}, PlanError, "checks.robust_eps = 3, expected a text"),
        ({"explain": {"metrics": ["sparsness"]}}, UnknownMethod, "did you mean 'sparseness'"),
        ({"explain": {"metrics": ["accuracy"]}}, PlanError, r"names accuracy, which belongs to \[predict\] metrics"),
        ({"explain": {"metrics": ["deletion", "deletion"]}}, PlanError, "names deletion twice"),
        ({"explain": {"methods": ["lime", {"method": "lime"}]}}, PlanError, "names lime twice with the same settings"),
        ({"predict": {"metrics": 3}}, PlanError, "predict.metrics = 3, expected a list"),
    ],
)
def test_an_invalid_metric_or_check_is_refused_in_one_sentence(change, error, message):
    with pytest.raises(error, match=message):
        plan_from({"name": "x", "model": {"zoo": "adult-mlp"}} | change)


def forge_reading(**changed):
    def change(bundle):
        step = next(step for step in bundle.manifest["steps"] if step["kind"] == "explainer")
        next(r for r in step["readings"] if r["metric"] == "deletion").update(changed)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (forge_reading(threshold=-1.0), "is not the plan's"),
        (forge_reading(metric="deletions"), "its metrics are not the plan's"),
        (forge_reading(status="not run"), "has no evidence"),
        (forge_reading(unit="percent"), "unit is 'percent', which no audit writes"),
        (forge_reading(reduction="most"), "has the reduction 'most', expected 'random minus own'"),
        (lambda b: b.manifest["steps"][2]["readings"].pop(), "its metrics are not the plan's"),
        (lambda b: b.manifest["steps"][2].update(kind="attack"), "is recorded as attack"),
        (lambda b: b.write_arrays("predictions", b.arrays("predictions") | {"measured-accuracy": np.ones(80)}),
         "the right answers do not follow from the logits"),
    ],
)  # fmt: skip
def test_a_reading_that_contradicts_plan_or_evidence_is_refused(made, tmp_path, change, message):
    copy = shutil.copytree(made.folder, tmp_path / "copy")
    sign(copy, change)
    with pytest.raises(IntegrityError, match=message):
        verify(copy)


@pytest.mark.parametrize("look", [read, glimpse])
def test_a_bundle_of_schema_1_is_refused_with_the_remedy(made, tmp_path, look, monkeypatch):
    monkeypatch.setattr("probe.audit.glimpse.read", lambda folder: pytest.fail("its head says it already"))
    copy = shutil.copytree(made.folder, tmp_path / "copy")
    manifest = json.loads((copy / "audit.json").read_text())
    (copy / "audit.json").write_text(json.dumps(manifest | {"schema": 1}))
    with pytest.raises(IntegrityError, match=r"has schema 1, and this version of probe reads 4.*run the audit again"):
        look(copy)
