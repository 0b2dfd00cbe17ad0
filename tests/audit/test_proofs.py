"""Certificates and surveys of a plan: their findings and tables, computed again by a verifier."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from probe import Dataset, Model, Space
from probe.audit import plan_from, run, verify
from probe.contracts import Counterfactual
from probe.counterfactuals import NearestReference
from probe.errors import IntegrityError, PlanError, ProbeError
from probe.metrics import ChangedFeatures, Validity


def audited(folder, **sections):
    weight = torch.tensor([[-1.0, 1.0], [0.0, 0.0]])
    space = Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, 2), names=("pay", "age"))
    model = Model(forward=lambda x: x @ weight, space=space, classes=("no", "yes"))
    x = torch.tensor([[1.0, 0.5], [-1.0, 0.5], [0.2, -0.5], [-0.2, 0.1]]).repeat(10, 1)
    data = Dataset(x, (x[:, 0] > 0).long(), space=space, classes=("no", "yes"))
    none = {"explain": {"methods": []}, "attack": {"methods": []}}
    plan = plan_from({"name": "proofs", **none, **sections}, sources=False)
    return run(plan, model, data, folder / "a")


def test_a_certificate_becomes_a_finding_at_each_radius_and_a_survey_a_table(tmp_path):
    bundle = audited(
        tmp_path,
        certify={"sample": 40, "eps": ["0.05", "0.5"], "methods": [{"method": "randomized_smoothing", "draws": 2000}]},
        survey={"methods": ["permutation_importance"]},
    )
    steps = {step.name: step.status for step in bundle.manifest.steps}
    assert steps["certificate-randomized_smoothing"] == steps["survey-permutation_importance"] == "done"
    found = {finding.check: finding for finding in bundle.manifest.findings if finding.metric == "certified_accuracy"}
    near, far = found.values()
    assert near.check == "randomized_smoothing: certified accuracy at eps 0.05"
    assert (near.status, near.estimate) == ("pass", 1.0)
    # Half of the rows lie .2 from the boundary, and half 1.
    assert far.estimate == 0.5
    assert far.status == "inconclusive"
    assert "the vote under noise, not of the model alone" in near.note
    table = bundle.table("surveys")
    assert table["item"].tolist() == ["pay", "age"]
    assert table["value"][0] > 0.2
    assert table["value"][1] == 0
    verify(bundle.folder)


def test_certified_answers_that_contradict_their_radii_are_refused(tmp_path):
    from probe.audit.consistency import check_arrays

    bundle = audited(tmp_path, certify={"methods": ["randomized_smoothing"]})
    name = "certificate-randomized_smoothing"
    arrays = dict(bundle.arrays(name))
    arrays["measured-certified_accuracy"] = np.ones_like(arrays["measured-certified_accuracy"])
    bundle.write_arrays(name, arrays)
    with pytest.raises(IntegrityError, match="the certified answers do not follow from its radii"):
        check_arrays(bundle)


def test_invalid_radii_are_refused(tmp_path):
    with pytest.raises(PlanError, match=r"certify.eps = \['0'\], expected different radii above 0"):
        plan_from({"name": "a", "certify": {"eps": ["0"]}}, sources=False)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (
            "certified_accuracy",
            r"a check of certificates, and the plan names none; add \[certify\] methods = \[\"random",
        ),
        ("validity", r"a check of counterfactuals, and the plan names none; add \[search\] methods = \[\"nearest_ref"),
    ],
)
def test_a_check_without_its_method_names_the_method_to_add(check, message):
    with pytest.raises(PlanError, match=message):
        plan_from({"name": "a", "checks": {check: 0.5}}, sources=False)


def test_a_check_of_a_survey_makes_the_audit_run_it(tmp_path):
    bundle = audited(tmp_path, checks={"permutation_importance": 0.1})
    found = {f.check.rpartition(": ")[2]: f.status for f in bundle.manifest.findings if f.step.startswith("survey")}
    assert found == {"pay": "fail", "age": "pass"}
    verify(bundle.folder)


def test_counterfactuals_are_found_and_keep_immutable_features():
    rows = torch.tensor([[-1.0, 0.0], [0.3, 0.0], [2.0, 5.0]])
    space = Space(bounds=(-9.0, 9.0), reference=rows, mutable=torch.tensor([True, False]))
    model = Model(forward=lambda x: torch.stack([-x[:, 0], x[:, 0]], 1), space=space, classes=("no", "yes"))
    found = NearestReference(count=2)(model, torch.tensor([[-0.5, 3.0], [1.0, 3.0]]))
    # Both rows above 0 for the first input, the nearer one first; for the second one row, and then itself.
    assert found.candidates[..., 0].tolist() == [[pytest.approx(0.3), 2.0], [-1.0, 1.0]]
    assert (found.candidates[..., 1] == 3).all()
    assert found.reached.tolist() == [[True, True], [True, False]]
    assert found.changed().tolist() == [[1, 1], [1, 0]]
    assert (Validity()(model, found).value, ChangedFeatures()(model, found).value) == (1.0, 0.75)
    assert found.to_frame()["answer"].tolist() == ["yes", "yes", "no", "yes"]


def test_counterfactuals_that_break_their_contract_are_refused():
    class Breaks(Counterfactual):
        def search(self, model, inputs, aim):
            return self.made(inputs)

    space = Space(bounds=(0.0, 1.0), mutable=torch.tensor([True, False]))
    model, x = Model(forward=lambda x: x, space=space), torch.rand(3, 2)
    for made, message in (
        (lambda x: x, "expected \\(3, candidates, 2\\)"),
        (lambda x: x[:, None] + 2, "returned a candidate that is not a valid input"),
        (lambda x: x[:, None] * 0.5, "Space.mutable keeps fixed"),
    ):
        kind = dataclass(frozen=True, kw_only=True)(
            type("Broken", (Breaks,), {"made": staticmethod(made), "__module__": __name__})
        )
        with pytest.raises(ProbeError, match=message):
            kind()(model, x)


def test_a_survey_of_confidence_has_its_diagrams_in_bundle_and_report(tmp_path):
    from probe.audit import reading
    from probe.report.sections import surveys

    outliers = {"method": "outlier_auroc", "shift": "noise"}
    bundle = audited(tmp_path, survey={"methods": [{"method": "calibration", "bins": 4}, "temperature", outliers]})
    verify(bundle.folder)
    found = {each.step: each for each in reading.surveys(bundle)}
    assert [len(each.rows) for each in found.values()] == [3, 2, 2]
    diagrams = found["survey-calibration"].diagrams
    assert list(diagrams) == ["as it is", "divided by its temperature", "null: labels drawn from its probabilities"]
    bins = diagrams["as it is"]
    assert bins["n"].sum() == 40
    assert found["survey-temperature"].diagrams == {}
    drawn = [block for block in surveys.section(bundle).blocks if block.kind == "figure"]
    assert [len(block.panels) for block in drawn] == [3, 1, 1]
    assert "in bins with equally many rows" in drawn[0].caption


def test_a_survey_of_corruptions_is_a_table_in_report_and_viewer(tmp_path):
    from probe_dashboards import charts, figures

    from probe.audit import reading
    from probe.report.sections import surveys

    model = Model(forward=lambda x: torch.stack([x.mean((1, 2, 3)) - 0.5, 0.5 - x.mean((1, 2, 3))], 1))
    x = torch.linspace(0.05, 0.45, 10)[:, None, None, None].expand(10, 1, 8, 8).clone()
    data = Dataset(x, torch.ones(10).long(), space=model.space)
    method = {"method": "corruptions", "names": ["fog", "brightness"], "severities": [1, 5]}
    none = {"explain": {"methods": []}, "attack": {"methods": []}}
    bundle = run(
        plan_from({"name": "c", **none, "survey": {"methods": [method]}}, sources=False), model, data, tmp_path
    )
    verify(bundle.folder)
    (found,) = reading.surveys(bundle)
    assert [row.item for row in found.rows[:3]] == ["none", "fog, severity 1", "fog, severity 5"]
    assert found.table.loc["brightness"].round(2).tolist() == [0.9, 0.4]
    (figure,) = surveys.section(bundle).blocks
    assert "by severity, the higher the darker" in figure.caption
    assert "brightness" in figures.svg("survey", bundle, "corruptions")
    assert charts.chart("survey", bundle, "corruptions") is None
