"""Numbers as outputs: explained, measured and read from tables."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from probe_dashboards.views import examples
from sklearn.metrics import mean_absolute_error, r2_score

from probe import Dataset, Model, MultiLabel, Prediction, Regression, Space, from_csv, predict
from probe.attacks import PGD
from probe.audit import plan_from, run, verify
from probe.audit.pairing import compare
from probe.errors import DataError, RangeError, ShapeError, Unsupported
from probe.explainers import IntegratedGradients, KernelShap, Saliency
from probe.goals import Shift, Targeted
from probe.metrics import Accuracy, CalibrationError, Completeness, Deletion, MeanAbsoluteError, RSquared
from probe.report import render
from tests.figures import figures_unwritten  # noqa: F401  a fixture

SLOPES = torch.tensor([3.0, -2.0, 0.5])
X = torch.rand(60, 3, generator=torch.Generator().manual_seed(0))
Y = X @ SLOPES + 0.3 * torch.randn(60, generator=torch.Generator().manual_seed(1))
SPACE = Space(reference=torch.zeros(1, 3))
MODEL = Model(forward=lambda x: x @ SLOPES, space=SPACE, task=Regression(("price",), tolerance=0.3))
GROUPS = pd.DataFrame({"sex": ["f", "m"] * 30, "town": ["small"] * 9 + ["large"] * 51})
DATA = Dataset(X, Y, space=SPACE, groups=GROUPS)


def test_metrics_of_a_regression_are_those_of_scikit_learn():
    result = predict(MODEL, DATA)
    assert MeanAbsoluteError()(MODEL, result).value == pytest.approx(mean_absolute_error(Y, X @ SLOPES), rel=1e-6)
    explained = RSquared()(MODEL, result)
    assert explained.value == pytest.approx(r2_score(Y, X @ SLOPES), rel=1e-5)
    low, high = explained.interval()
    assert low < explained.value < high <= 1
    right = (X @ SLOPES - Y).abs() <= 0.3
    assert Accuracy()(MODEL, result).value == pytest.approx(float(right.float().mean()))
    assert result.to_frame().columns.tolist() == ["label", "predicted", "error"]
    assert "off by" in repr(result)


def test_r_squared_of_labels_that_do_not_vary_is_a_number():
    for answers, expected in ((torch.ones(5, 1), 1.0), (torch.zeros(5, 1), 0.0)):
        result = Prediction(answers, torch.ones(5), Regression())
        assert RSquared()(MODEL, result).value == expected


def test_several_outputs_are_measured_together():
    both = Regression(("a", "b"))
    answers, labels = torch.stack([X @ SLOPES, X[:, 0]], 1), torch.stack([Y, X[:, 0] + 0.1], 1)
    result = Prediction(answers, labels, both)
    assert RSquared()(MODEL, result).value == pytest.approx(r2_score(labels, answers), rel=1e-4)
    assert MeanAbsoluteError()(MODEL, result).value == pytest.approx(mean_absolute_error(labels, answers), rel=1e-5)


def test_output_logit_explains_the_output_of_a_regression():
    for explainer in (IntegratedGradients(), KernelShap()):
        found = explainer(MODEL, X[:4])
        torch.testing.assert_close(found.values, X[:4] * SLOPES, atol=1e-4, rtol=1e-4)
        assert found.targets.tolist() == [0, 0, 0, 0]
        assert Completeness()(MODEL, found).value < 1e-4
        assert Deletion()(MODEL, found).value > 0
    with pytest.raises(Unsupported, match="a regression has no probabilities; leave output='logit'"):
        Saliency(output="probability")(MODEL, X[:4])


def test_metrics_of_classes_and_of_numbers_refuse_each_other():
    result = predict(MODEL, DATA)
    with pytest.raises(Unsupported, match="a calibration error needs classes, and the task is Regression"):
        CalibrationError()(MODEL, result)
    with pytest.raises(Unsupported, match="mean_absolute_error needs a regression, and the task is Classification"):
        MeanAbsoluteError()(MODEL, Prediction(torch.rand(3, 2), torch.tensor([0, 1, 1])))
    with pytest.raises(Unsupported, match="without a tolerance has no wrong answers"):
        Accuracy()(MODEL, Prediction(torch.rand(3, 1), torch.rand(3), Regression()))


@pytest.mark.parametrize(("labels", "error", "message"), [
    (Y[:5], ShapeError, r"labels are \(5,\), expected \(60,\): the right price of each of 60 inputs"),
    (Y[:, None].expand(-1, 2), ShapeError, r"labels are \(60, 2\), expected \(60,\)"),
    (Y.tolist(), ShapeError, "write torch.as_tensor"),
    (torch.where(Y > 1, torch.nan, Y), DataError, "labels hold NaN or infinity in"),
    (Y > 0, DataError, "expected decimal numbers; write labels.float()"),
])  # fmt: skip
def test_labels_of_a_regression_are_numbers(labels, error, message):
    with pytest.raises(error, match=message):
        MODEL.check_labels(labels, X)
    assert torch.equal(MODEL.check_labels(Y[:, None], X), Y)
    assert MODEL.check_labels(Y.long(), X).is_floating_point()


def test_labels_of_a_table_are_numbers_truth_values_or_classes_by_task(tmp_path):
    frame = pd.DataFrame({"size": [1.0, 2.5, 3.0], "rooms": [1, 2, 3], "price": [10, 20.5, 30], "old": [0, 1, 1],
                          "wood": [True, False, True]})  # fmt: skip
    data = Dataset.from_frame(frame, label="price", task=Regression(), features=["size", "rooms"])
    assert data.labels.tolist() == [10.0, 20.5, 30.0]
    assert data.classes == ()
    several = Dataset.from_frame(frame, label=["old", "wood"], task=MultiLabel(), features=["size"])
    assert several.labels.tolist() == [[0, 1], [1, 0], [1, 1]]
    assert several.classes == ("old", "wood")
    assert several[torch.tensor([1])].labels.tolist() == [[1, 0]]
    frame.to_csv(tmp_path / "houses.csv", index=False)
    read = from_csv(tmp_path / "houses.csv", label="price", task=Regression(), features=["size"], groups=["old"])
    assert read.labels.tolist() == data.labels.tolist()
    assert read.groups["old"].tolist() == ["0", "1", "1"]
    assert from_csv(tmp_path / "houses.csv", label="price").classes == ("10.0", "20.5", "30.0")
    with pytest.raises(DataError, match=r"column 'size' of data holds '2\.5', expected 0 or 1"):
        Dataset.from_frame(frame, label=["size"], task=MultiLabel(), features=["rooms"])
    inferred = Dataset.from_frame(frame, label=["old", "wood"], features=["size"])
    assert inferred.labels.equal(several.labels)
    with pytest.raises(DataError, match="label names no column"):
        Dataset.from_frame(frame, label=[], task=MultiLabel())
    with pytest.raises(DataError, match="holds 'a', expected a number; where it names classes, leave the task out"):
        Dataset.from_frame(pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}), label="y", task=Regression())


def test_what_a_dataset_cannot_have_as_labels_is_refused():
    for labels, classes, error, message in (
        (Y, ("a", "b"), DataError, "leave the classes out where labels are numbers"),
        (torch.full((60,), torch.nan), (), DataError, "hold NaN or infinity"),
        (torch.full((60, 2), 2), ("a", "b"), DataError, "labels span 2 to 2, expected 0 to 1"),
        (torch.zeros(60, 3).long(), ("a", "b"), ShapeError, "1 for each of a, b that is true"),
        (Y[:3], (), ShapeError, r"labels have shape \(3,\), expected \(60,\)"),
        (Y[0], (), ShapeError, r"labels have shape \(\), expected \(60,\)"),
    ):
        with pytest.raises(error, match=message):
            Dataset(X, labels, classes=classes)
    assert torch.equal(Dataset(X, Y).labels, Y)


@pytest.mark.parametrize("by", [0.2, -0.2])
def test_a_shift_is_reached_where_the_answer_moved_that_far(by):
    bare = replace(MODEL, task=Regression(("price",)))
    found = PGD(goal=Shift(by=by), eps=0.05, steps=3)(bare, X, Y)
    ends = (X + 0.05 * SLOPES.sign() * (1 if by > 0 else -1)).clamp(0, 1)
    assert torch.equal(found.success, ((ends - X) @ SLOPES * (1 if by > 0 else -1)) >= 0.2)
    assert 0 < found.success.sum() < len(X)
    torch.testing.assert_close(found.targets, X @ SLOPES + by)
    with pytest.raises(
        Unsupported, match="a shift needs a regression, and the task is Classification; use another goal"
    ):
        PGD(goal=Shift(by=by))(Model(forward=lambda x: 9 * x[:, :2] - 4, space=SPACE), X, (Y > 0).long())
    with pytest.raises(RangeError, match="by = 0"):
        Shift(by=0)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    layer = torch.nn.Linear(3, 1, bias=False).eval()
    with torch.no_grad():
        layer.weight.copy_(SLOPES[None])
    model = Model(forward=layer, space=SPACE, task=Regression(("price",), tolerance=0.3))
    plan = plan_from(
        {
            "name": "houses",
            "explain": {"sample": 6, "methods": ["integrated_gradients"]},
            "attack": {"methods": [{"method": "pgd", "steps": 5}], "eps": ["0.02", "0.05"]},
        },
        sources=False,
    )
    return model, run(plan, model, DATA, tmp_path_factory.mktemp("audits") / "houses")


@pytest.fixture(scope="module")
def page(audited):
    return render(audited[1])


@pytest.mark.slow
def test_an_audit_of_a_regression_measures_errors_explains_the_output_and_attacks_its_tolerance(audited):
    bundle = audited[1]
    read = bundle.table("readings").set_index("metric")
    assert read.value["mean_absolute_error"] == pytest.approx(mean_absolute_error(Y, X @ SLOPES), rel=1e-5)
    assert read.value["r_squared"] == pytest.approx(r2_score(Y, X @ SLOPES), rel=1e-4)
    assert read.low["r_squared"] < read.value["r_squared"] < read.high["r_squared"]
    assert "calibration_error" not in read.index
    assert {step.name: step.status for step in bundle.manifest.steps} == dict.fromkeys(
        ("predictions", "instances", "explain-integrated_gradients", "attack-pgd"), "done"
    )
    attack = bundle.arrays("attack-pgd")
    error = (X @ SLOPES - Y)[attack["rows"]]
    ends = (
        (X[attack["rows"]] + 0.05 * SLOPES.sign()).clamp(0, 1),
        (X[attack["rows"]] - 0.05 * SLOPES.sign()).clamp(0, 1),
    )
    most = torch.stack([(end @ SLOPES - Y[attack["rows"]]).abs() for end in ends]).amax(0)
    assert attack["success"][1].tolist() == ((error.abs() <= 0.3) & (most > 0.3)).tolist()
    verify(bundle.folder)


@pytest.mark.slow
def test_the_report_of_a_regression_has_its_errors(page):
    assert "R squared" in page
    assert "mean absolute error" in page
    assert "of the answers are right" in page


@pytest.mark.slow
def test_an_audit_of_a_regression_compares_groups_by_answer_error_and_size_of_error(audited, page):
    bundle = audited[1]
    gaps = bundle.table("bias_disparities").set_index(["attribute", "metric"])
    errors = (X @ SLOPES - Y).double().numpy()
    by = pd.Series(errors).groupby(GROUPS["sex"].to_numpy()).mean()
    row = gaps.loc[("sex", "mean_error_difference")]
    assert row["estimate"] == pytest.approx(abs(by["f"] - by["m"]), rel=1e-4)
    assert row["low"] <= row["estimate"] <= row["high"]
    assert row["threshold"] == pytest.approx(0.2 * float(Y.double().std(correction=0)), rel=1e-6)
    found = {f.check: f for f in bundle.manifest.findings if f.aspect == "bias"}
    assert "difference of mean absolute errors by sex x town" in found
    assert found["difference of mean errors by sex"].unit == "number"
    assert not any(f.status == "error" for f in found.values())
    for words in (
        "Mean absolute error by sex",
        "difference of mean answers by sex",
        "above 0 the answers for the group are too high",
    ):
        assert words in page, words
    assert "favourable answer is" not in page


def test_two_audits_of_a_regression_are_compared_gap_by_gap(audited):
    pairs = [pair for pair in compare(audited[1], audited[1]).pairs if pair.aspect == "bias"]
    assert {pair.metric for pair in pairs} >= {"mean error difference", "mean answer difference"}
    assert all(pair.first == pair.second and pair.unit == "number" for pair in pairs)


@pytest.mark.slow
def test_a_regression_without_a_tolerance_is_audited_but_for_attacks(audited, tmp_path):
    model = audited[0]
    plan = plan_from(
        {
            "name": "houses",
            "explain": {"sample": 0},
            "attack": {"methods": [{"method": "fgsm"}], "eps": ["0.02"]},
        },
        sources=False,
    )
    bare = run(plan, replace(model, task=Regression(("price",))), DATA, tmp_path / "bare")
    attack = next(step for step in bare.manifest.steps if step.kind == "attack")
    assert attack.status == "not run"
    assert "a regression without a tolerance has no wrong answers; name one" in attack.note
    assert "The answers explain" in render(bare)
    assert examples.right(bare) is None
    assert not {"right", "wrong"} & set(" ".join(examples.titles(bare, [0, 1]).values()).replace(",", "").split())
    verify(bare.folder)


@pytest.mark.parametrize(("targets", "message"), [
    (torch.tensor([7.0, 8.0]), r"targets are torch.float32 from 7 to 8, expected for each of 2 inputs the number of "
     r"the output that is explained: 0 \(price\); they are no values of it: leave targets out to explain price"),
    (torch.tensor([7, 7]), "targets are torch.int64 from 7 to 7, expected for each of 2 inputs the number"),
    (torch.tensor([torch.nan, 0.0]), "targets are torch.float32 from nan to nan, expected for each"),
    (torch.zeros(3).long(), "targets are torch.int64 from 0 to 0, expected for each of 2 inputs"),
    ([0, 0], "targets are list, expected for each"),
])  # fmt: skip
def test_targets_of_a_regression_are_outputs_and_no_values(targets, message):
    with pytest.raises(DataError, match=message):
        Saliency()(MODEL, X[:2], targets)
    assert Saliency()(MODEL, X[:2], torch.tensor([0, 0])).targets.tolist() == [0, 0]


def test_messages_about_attack_targets_call_them_targets():
    attack = PGD(goal=Targeted(), eps=0.1, steps=1)
    with pytest.raises(DataError, match="targets hold NaN or infinity in 1 places"):
        attack(MODEL, X[:2], Y[:2], targets=torch.tensor([torch.nan, 1.0]))
    with pytest.raises(ShapeError, match=r"targets are \(3,\), expected \(2,\): the right price"):
        attack(MODEL, X[:2], Y[:2], targets=torch.ones(3))
