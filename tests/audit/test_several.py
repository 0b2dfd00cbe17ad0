"""Audits of networks with several labels: each is measured, attacked and compared between groups by its name."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from probe_dashboards import figures
from probe_dashboards.views import attacked, examples, explained, instance, performance, robustness
from probe_dashboards.views import bias as biases

from probe import Dataset, Model, MultiLabel, Places, Space, bias
from probe.audit import plan_from, reading, run, verify
from probe.audit.pairing import compare
from probe.errors import IntegrityError, PlanError
from probe.report import render
from tests.audit.forging import Forged

pytestmark = pytest.mark.slow  # the audit that all look at is made once

RANDOM = torch.Generator().manual_seed(0)
N = 120
X = torch.rand(N, 4, generator=RANDOM)
WEIGHT = 6 * torch.randn(3, 4, generator=RANDOM)
NAMES = ("old", "tall", "NA")
SPACE = Space(reference=torch.full((1, 4), 0.5), names=("a", "b", "c", "d"))


def network():
    layer = torch.nn.Linear(4, 3).eval()
    with torch.no_grad():
        layer.weight.copy_(WEIGHT)
        layer.bias.copy_(-WEIGHT.sum(1) / 2)
    return layer


MODEL = Model(forward=network(), space=SPACE, task=MultiLabel(NAMES, threshold=(0.5, 0.3, 0.5)))
LOGITS = MODEL.logits(X)
TRUTH = (LOGITS + torch.randn(N, 3, generator=RANDOM) > 0).long()
GROUPS = pd.DataFrame({"sex": np.where(X[:, 0] > 0.5, "f", "m")})
DATA = Dataset(X, TRUTH, classes=NAMES, space=SPACE, groups=GROUPS)
PLAN = {
    "name": "labels",
    "explain": {"sample": 4, "methods": ["input_x_gradient"], "target": "tall"},
    "attack": {"labels": ["tall"], "methods": ["fgsm", {"method": "pgd", "steps": 5}], "eps": ["0.02", "0.1"]},
    "checks": {"exact_match": 0.9},
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return run(plan_from(PLAN, sources=False), MODEL, DATA, tmp_path_factory.mktemp("audits") / "labels")


def test_each_label_has_its_own_accuracy_and_all_of_them_an_exact_match(bundle):
    right = ((LOGITS.sigmoid() >= torch.tensor([0.5, 0.3, 0.5])) == TRUTH.bool()).float()
    read = bundle.table("readings")
    accuracy = read[read.metric == "accuracy"].set_index("item").value
    assert accuracy.to_dict() == pytest.approx(dict(zip(NAMES, right.mean(0).tolist(), strict=True)))
    assert read[read.metric == "exact_match"].value.item() == pytest.approx(right.all(1).float().mean().item())
    assert list(read[read.metric == "area_under_roc"].item) == list(NAMES)
    found = {f.check: f for f in bundle.manifest.findings}
    assert {f"accuracy: {name}" for name in NAMES} | {"exact match"} <= found.keys()
    assert "one of 3 answers" in found["accuracy: NA"].note
    verify(bundle.folder)


def test_an_explanation_is_of_the_label_that_the_plan_names(bundle):
    stored = bundle.arrays("explain-input_x_gradient")
    torch.testing.assert_close(torch.from_numpy(stored["values"]), X[stored["rows"]] * WEIGHT[1])


def test_any_label_is_attacked_and_a_named_one_alone(bundle):
    whole, alone = bundle.arrays("attack-pgd"), bundle.arrays("attack-pgd-label-1")
    rows = torch.from_numpy(whole["rows"])
    right = MODEL.predict(X[rows]) == TRUTH[rows]
    assert np.array_equal(whole["clean"], right.all(1))
    assert np.array_equal(alone["clean"], right[:, 1])
    far = (LOGITS[rows, 1] - torch.tensor(0.3).logit())[None]
    step = torch.tensor([0.02, 0.1])[:, None, None] * WEIGHT[1].sign() * torch.where(far >= 0, -1.0, 1.0)[..., None]
    moved = far + ((X[rows] + step).clamp(0, 1) - X[rows]) @ WEIGHT[1]
    assert np.array_equal(alone["success"], right[:, 1] & ((moved >= 0) != (far >= 0)))
    table = bundle.table("robustness_by_label")
    assert set(table.label) == {"tall"}
    worst = table[table.attack == "all attacks"].robust_accuracy.tolist()
    assert worst == pytest.approx((right[:, 1] & ((moved >= 0) == (far >= 0))).double().mean(1).tolist())
    checks = [f.check for f in bundle.manifest.findings if f.aspect == "robustness"]
    assert "withstands FGSM and PGD at eps 0.1" in checks
    assert "tall: withstands FGSM and PGD at eps 0.1" in checks
    assert "tall: PGD finds what FGSM finds" in checks


def test_groups_are_compared_for_each_label(bundle):
    table = bundle.table("bias_groups")
    assert list(dict.fromkeys(table.label)) == list(NAMES)
    by_hand = bias.audit(TRUTH[:, 1].numpy(), MODEL.predict(X)[:, 1].numpy(), GROUPS)
    tall = table[table.label == "tall"].set_index("group").selection_rate
    assert tall.to_dict() == pytest.approx(by_hand.groups.set_index("group").selection_rate.to_dict())
    checks = [f.check for f in bundle.manifest.findings if f.aspect == "bias"]
    for name in NAMES:
        assert any(check.startswith(f"{name}: ") for check in checks)


def test_a_plan_compares_groups_for_the_label_that_is_favourable(tmp_path):
    plan = {"name": "p", "explain": {"sample": 0}, "attack": {"sample": 0}, "bias": {"positive": "not tall"}}
    found = run(plan_from(plan, sources=False), MODEL, DATA, tmp_path / "p")
    assert set(found.table("bias_groups").label) == {"tall"}
    rate = found.table("bias_groups").set_index("group").selection_rate
    women = (X[:, 0] > 0.5).numpy()
    assert rate["f"] == pytest.approx(1 - MODEL.predict(X)[women, 1].float().mean().item())


def test_passes_of_the_model_are_shared_by_all_labels(bundle):
    steps = {step.name: step for step in bundle.manifest.steps}
    assert steps["predictions"].forward == N
    assert steps["explain-input_x_gradient"].backward == 4


def test_evidence_of_labels_that_contradicts_itself_is_refused(bundle, tmp_path):
    forged = Forged(shutil.copytree(bundle.folder, tmp_path / "forged"))
    arrays = forged.arrays("predictions")
    forged.write_arrays("predictions", {**arrays, "items": arrays["items"][::-1]})
    forged.redraw()
    with pytest.raises(IntegrityError, match="the names of its answers are not the task's"):
        verify(forged.folder)


def test_two_audits_of_labels_are_compared_label_by_label(bundle):
    pairs = [pair for pair in compare(bundle, bundle).pairs if pair.aspect == "performance"]
    assert {"accuracy: old", "accuracy: tall", "accuracy: NA", "exact match"} <= {pair.metric for pair in pairs}
    assert all(pair.difference is None or pair.difference.value == 0 for pair in pairs)


def test_the_report_shows_labels_apart(bundle):
    page = render(bundle)
    for words in (
        "accuracy: tall",
        "exact match",
        "tall: withstands",
        "By label",
        "By old: sex",
        "The explanation is of tall",
        "All labels of",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"explain": {"target": "tal"}}, r"explain.target: 'tal' is no label \(did you mean 'tall'"),
        ({"attack": {"labels": ["short"]}}, "attack.labels: 'short'.*there are old, tall, NA"),
        ({"attack": {"labels": ["tall", "tall"]}}, "attack.labels names 'tall' twice"),
        ({"bias": {"positive": "short"}}, "bias.positive = 'short' is not a class; there are not old, old, not tall"),
    ],
)
def test_unknown_labels_in_a_plan_are_refused(tmp_path, changes, message):
    with pytest.raises(PlanError, match=message):
        run(plan_from({"name": "p", **changes}, sources=False), MODEL, DATA, tmp_path / "p")


def test_one_place_of_several_is_audited_as_the_refusal_of_all_says(tmp_path):
    tagger = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Unflatten(1, (3, 2))).eval()
    model = Model(forward=tagger, space=SPACE, task=Places(("noun", "verb")))
    data = Dataset(X, model.predict(X), space=SPACE)
    plan = plan_from({"name": "p", "explain": {"sample": 2}, "attack": {"sample": 5}}, sources=False)
    with pytest.raises(PlanError, match=r"audit one place at a time, as run\(plan, model.only\(3\), data.only\(3\)"):
        run(plan, model, data, tmp_path / "p")
    found = run(plan, model.only(2), data.only(2), tmp_path / "p")
    assert found.table("readings").set_index("metric").value["accuracy"] == 1.0
    verify(found.folder)


def test_the_pages_of_the_viewer_read_several_labels(bundle):
    assert "accuracy: tall" in list(performance.measures(bundle)["Measure"])
    assert list(biases.attributes(bundle).values()) == [f"{name}: sex" for name in NAMES]
    by = next(slug for slug, name in biases.attributes(bundle).items() if name == "tall: sex")
    assert len(biases.rates(bundle, by, "selection_rate")) == 2
    assert len(biases.disparities(bundle, by)) > 0
    assert list(robustness.shown(bundle, "label")["Label"]) == ["tall"]
    row = instance.rows(bundle)[0]
    assert list(instance.ranking(bundle, row)["Label"]) == list(NAMES)
    assert instance.answer(bundle, row)[2] == (", ".join(np.array(NAMES)[TRUTH[row].bool()]) or "none")
    assert explained.target(bundle, row, "input-x-gradient") == "tall"
    wanted = examples.Wanted("all", examples.ANY, "tall", examples.ANY, examples.ANY, {})
    assert examples.found(bundle, wanted) == TRUTH[:, 1].nonzero()[:, 0].tolist()
    assert examples.titles(bundle, [row])
    assert len(attacked.smallest_successful_radii(bundle, row)) == 2


def test_calibration_is_reported_for_each_label(bundle):
    stored = bundle.arrays("predictions")["measured-calibration_error"]
    apart = reading.reliability(bundle)
    assert list(apart) == list(NAMES)
    for at, (name, bins) in enumerate(apart.items()):
        sure = LOGITS[:, at].double().sigmoid()
        np.testing.assert_allclose(stored[:, at, 0], torch.maximum(sure, 1 - sure), atol=1e-6)
        assert bins.n.sum() == N
        gap = float((bins.n * (bins.confidence - bins.accuracy).abs()).sum() / N)
        read = bundle.table("readings").query("metric == 'calibration_error'").set_index("item").value
        assert read[name] == pytest.approx(gap)
    assert render(bundle).count("Reliability diagram of ") == 3
    assert set(performance.bins(bundle, "NA").columns) >= {"Confidence", "n"}
    assert figures.svg("reliability", bundle, "tall") != figures.svg("reliability", bundle, "NA")
