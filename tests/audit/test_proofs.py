"""Certificates and surveys of a plan: their findings and tables, computed again by a verifier."""

import numpy as np
import pytest
import torch

from probe import Dataset, Model, Space
from probe.audit import plan_from, run, verify
from probe.errors import IntegrityError, PlanError


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


def test_evidence_that_says_other_than_its_radii_is_refused(tmp_path):
    from probe.audit.consistency import check_arrays

    bundle = audited(tmp_path, certify={"methods": ["randomized_smoothing"]})
    name = "certificate-randomized_smoothing"
    arrays = dict(bundle.arrays(name))
    arrays["measured-certified_accuracy"] = np.ones_like(arrays["measured-certified_accuracy"])
    bundle.write_arrays(name, arrays)
    with pytest.raises(IntegrityError, match="what is certified is not what its radii say"):
        check_arrays(bundle)


def test_radii_that_are_none_are_refused(tmp_path):
    with pytest.raises(PlanError, match=r"certify.eps = \['0'\], expected different radii above 0"):
        plan_from({"name": "a", "certify": {"eps": ["0"]}}, sources=False)
