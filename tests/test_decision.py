"""A threshold of the owner's: what is decided, by whom, and what stays the model's own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from torch import nn

from probe import Dataset, Model, Prediction, Space, from_estimator, from_predict_proba, load, predict
from probe.attacks import FGSM, PGD
from probe.audit import plan_from, read, run, verify
from probe.errors import DataError, PlanError, RangeError
from probe.explainers import KernelShap
from probe.metrics import Accuracy, CalibrationError, RobustAccuracy
from probe.task import Classification

RANDOM = np.random.default_rng(0)
X = RANDOM.random((500, 3)).astype(np.float32)
Y = (X.sum(1) + 0.4 * RANDOM.standard_normal(500) > 1.5).astype(int)
SPACE = Space(reference=torch.from_numpy(X[:20]))


def sure(threshold: float | None = None) -> Model:
    """p(yes) is the sigmoid of the first number."""
    return Model(
        forward=lambda x: torch.cat([-x[:, :1] / 2, x[:, :1] / 2], 1),
        space=Space(bounds=(-5.0, 5.0), reference=torch.zeros(1, 2)),
        classes=("no", "yes"),
        threshold=threshold,
    )


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.5, 0.8, 0.99])
def test_a_fixed_threshold_classifier_is_reproduced_row_by_row(threshold):
    deployed = FixedThresholdClassifier(LogisticRegression(), threshold=threshold).fit(X, Y)
    model = from_estimator(deployed, SPACE, ("no", "yes"), threshold=threshold)
    assert np.array_equal(model.predict(torch.from_numpy(X)).numpy(), deployed.predict(X))
    found = model(torch.from_numpy(X)).softmax(-1)
    np.testing.assert_allclose(found, deployed.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.9])
def test_a_probability_equal_to_the_threshold_is_at_it(threshold):
    """Ten trees: every probability is a tenth, as the thresholds are."""
    forest = RandomForestClassifier(10, max_leaf_nodes=None, random_state=0).fit(X, Y)
    rows = RANDOM.random((2000, 3)).astype(np.float32)
    shares = np.stack([tree.predict(rows) for tree in forest.estimators_]).mean(0)
    model = from_predict_proba(
        lambda x: np.stack([1 - shares[: len(x)], shares[: len(x)]], 1), SPACE, ("no", "yes"), threshold=threshold
    )
    expected = np.round(shares * 10) >= round(threshold * 10)
    assert (np.round(shares * 10) == round(threshold * 10)).any()
    logits = model(torch.from_numpy(rows))
    assert np.array_equal(model.decide(logits).numpy(), expected)
    assert np.array_equal(Classification(threshold=threshold).predict(logits.numpy()), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("threshold", [None, 1e-9, 0.3, 0.5, 0.999])
def test_torch_and_numpy_predict_the_same_with_a_threshold(dtype, threshold):
    logits = (10 * torch.randn(5000, 2, generator=torch.Generator().manual_seed(0))).to(dtype)
    logits[:100, 1] = logits[:100, 0]
    stored = (logits.float() if dtype == torch.bfloat16 else logits).numpy()
    decided = Classification(threshold=threshold).predict(logits)
    assert decided.dtype == torch.int64
    assert np.array_equal(decided.numpy(), Classification(threshold=threshold).predict(stored))
    if dtype in (torch.float64, torch.float32) and threshold not in (None, 0.5):
        assert torch.equal(Classification(threshold=threshold).deployed(logits).argmax(-1), decided)


def test_predictions_follow_the_threshold_everywhere():
    model, x, labels = sure(0.2), torch.tensor([[-1.5, 0.0], [-1.3, 0.0], [-1.0, 0.0]]), torch.tensor([0, 1, 1])
    assert model.predict(x).tolist() == [0, 1, 1]  # sigmoid(-1.386) is .2
    found = predict(model, Dataset(x, labels, space=model.space, classes=model.classes))
    assert Accuracy()(model, found).value == 1
    assert found[1:].predicted.tolist() == [1, 1]
    assert found.to_frame().confidence.tolist() == pytest.approx([expit(1.5), expit(-1.3), expit(-1.0)])
    assert KernelShap()(model, x).targets.tolist() == [0, 1, 1]
    torch.testing.assert_close(found.probabilities, Prediction(sure()(x), labels).probabilities)


def test_calibration_does_not_depend_on_the_threshold():
    x = torch.from_numpy(4 * RANDOM.random((300, 2)).astype(np.float32) - 2)
    labels = torch.from_numpy((RANDOM.random(300) < expit(x[:, 0].numpy())).astype(int))
    values = [CalibrationError()(m, Prediction(m(x), labels, m.task)).value for m in (sure(), sure(0.1), sure(0.9))]
    assert values[0] == values[1] == values[2]


@pytest.mark.parametrize("attack", [FGSM(eps=0.5), PGD(eps=0.5), PGD(eps=0.5, norm="l2", restarts=2)])
def test_an_attack_changes_the_prediction_at_the_threshold(attack):
    """The decision changes at -1.386: rows within .5 of that can be flipped, and no others."""
    model = sure(0.2)
    x = torch.tensor([[-2.0, 0.0], [-1.8, 0.0], [-1.0, 0.0], [-0.8, 0.0], [0.1, 0.0]])
    result = attack(model, x, model.predict(x))
    assert model.predict(x).tolist() == [0, 0, 1, 1, 1]
    assert result.success.tolist() == [False, True, True, False, False]
    assert RobustAccuracy()(model, result).value == pytest.approx(3 / 5)


def test_a_saved_attack_keeps_its_decisions(tmp_path):
    model, x = sure(0.2), torch.tensor([[-1.8, 0.0], [-1.0, 0.0]])
    result = PGD(eps=0.5)(model, x, model.predict(x))
    result.save(tmp_path / "r")
    assert load(tmp_path / "r").to_frame().equals(result.to_frame())


@pytest.mark.parametrize("threshold", [0, 1, -0.1, 1.5, float("nan"), True])
def test_a_threshold_outside_0_to_1_is_refused(threshold):
    with pytest.raises(RangeError, match=r"threshold = .*, expected a probability above 0 and below 1"):
        sure(threshold)


def test_a_threshold_is_refused_unless_there_are_two_classes():
    with pytest.raises(DataError, match=r"there are 3 classes: a, b, c; a threshold decides between two"):
        Model(forward=nn.Linear(2, 3).eval(), classes=("a", "b", "c"), threshold=0.3)
    with pytest.raises(DataError, match="there are 3 classes; a threshold decides between two"):
        Model(forward=nn.Linear(2, 3).eval(), threshold=0.3)(torch.rand(2, 2))


@pytest.fixture(scope="module")
def audits(tmp_path_factory):
    """One model at two thresholds, and the labels of the second."""
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0)).clamp(-4, 4)
    labels = sure(0.2).predict(x)
    data = Dataset(x, labels, space=sure().space, classes=("no", "yes"), name="rows")
    plan = plan_from(
        {
            "name": "a",
            "model": {"factory": "a:b"},
            "data": {"csv": "x", "label": "y"},
            "explain": {"methods": [{"method": "kernel_shap"}], "sample": 20},
            "attack": {"methods": [{"method": "fgsm"}], "eps": ["0.5"]},
        }
    )
    folder = tmp_path_factory.mktemp("audits")
    return {t: run(plan, replace(sure(), threshold=t), data, folder / str(t)) for t in (None, 0.2)}


@pytest.mark.slow
def test_an_audit_and_its_verifier_decide_by_the_threshold(audits):
    bundle = audits[0.2]
    assert bundle.manifest.model.task["threshold"] == 0.2
    accuracy = {t: b.table("readings").value[0] for t, b in audits.items()}
    x = bundle.arrays("predictions")["logits"][:, 1] * 2
    assert accuracy[0.2] == 1
    assert accuracy[None] == pytest.approx(1 - ((x >= np.log(0.25)) & (x <= 0)).mean())
    assert audits[None].table("reliability").equals(audits[0.2].table("reliability"))
    robustness = bundle.table("robustness")
    standing = 1 - (np.abs(x - np.log(0.25)) < 0.5).mean()
    assert robustness[robustness.attack == "fgsm"].robust_accuracy.tolist() == pytest.approx([standing])
    explained = bundle.arrays("explain-kernel_shap")
    assert (
        explained["targets"].tolist()
        == Classification(threshold=0.2).predict(bundle.arrays("predictions")["logits"])[explained["rows"]].tolist()
    )
    verify(bundle.folder)


@pytest.mark.slow
def test_report_and_viewer_name_the_threshold(audits):
    from probe_dashboards.views import instance, summary

    from probe.report import render

    bundle = read(audits[0.2].folder)
    assert "yes where its probability is at least 0.2" in render(bundle)
    assert "yes where its probability is at least 0.2" in summary.subject(bundle).Recorded.tolist()
    row = int(
        np.flatnonzero(
            (bundle.arrays("predictions")["logits"][:, 1] < 0) & (bundle.arrays("predictions")["labels"] == 1)
        )[0]
    )
    predicted, probability, truth = instance.answer(bundle, row)
    assert predicted == truth == "yes"
    assert 0.2 <= probability < 0.5


def test_a_plan_names_the_threshold():
    table = {"name": "a", "model": {"factory": "a:b", "threshold": 0.3}, "data": {"csv": "x", "label": "y"}}
    assert plan_from(table).model.threshold == 0.3
    for wrong in (0, 1, 1.2):
        with pytest.raises(PlanError, match=r"model\.threshold = "):
            plan_from({**table, "model": {"factory": "a:b", "threshold": wrong}})
