"""What metrics ask the model that they are given, and how their evidence becomes a number."""

from dataclasses import MISSING, fields

import numpy as np
import pytest
import torch
from torch import nn

from probe import (
    Attribution,
    Certification,
    Counterfactuals,
    Dataset,
    Model,
    MultiLabel,
    Perturbation,
    Prediction,
    Regression,
    Space,
    load,
    predict,
)
from probe.attacks import FGSM
from probe.certificates import RandomizedSmoothing
from probe.contracts import Proportion
from probe.counterfactuals import NearestReference
from probe.errors import DataError
from probe.explainers import IntegratedGradients, KernelShap, SmoothGrad
from probe.goals import Shift, Untargeted
from probe.metrics import Accuracy, CalibrationError, Completeness, Deletion, Insertion, RobustAccuracy
from probe.reductions import reduction
from probe.registry import discover

OF_IMAGES = "road"
METRICS = {
    name: kind
    for name, kind in discover("metric").items()
    if name != OF_IMAGES and not any(f.default is MISSING for f in fields(kind))
}
SPACE = Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, 6))


def network(seed, classes=3, **settings):
    source = torch.Generator().manual_seed(seed)
    layers = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, classes))
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source))
    return Model(forward=layers.eval(), space=SPACE, **settings)


@pytest.fixture
def rows():
    return torch.randn(28, 6, generator=torch.Generator().manual_seed(9))


def suited(metric, seed):
    """A network whose answers a metric can be taken of: of three classes, of two, several labels, a number."""
    x = torch.zeros(2, 6)
    several, number = MultiLabel(("a", "b", "c")), Regression(("price",))
    others = network(seed, 3, task=several), network(seed, 1, task=number)
    for model in (network(seed), network(seed, 2), *others):
        if metric.suits(result_for(metric.result_type(), model, x, model.predict(x), metric)):
            return model
    raise AssertionError(f"no network suits {metric.name()}")


def wrong_now_and_then(model, rows):
    """The model's answers, but for every seventh."""
    y, every_seventh = model.predict(rows), torch.arange(28) % 7 == 0
    return (
        y + every_seventh.view(-1, *[1] * (y.ndim - 1))
        if model.task.kind == "regression"
        else (y + every_seventh.view(-1, *[1] * (y.ndim - 1)))
        % (2 if model.task.kind == "multi-label" else model.logits(rows[:1]).shape[1])
    )


def explained(metric, model, x, y):
    """By a method that draws nothing, or one that does where the metric is of those."""
    found = IntegratedGradients()(model, x, y).planted(torch.arange(6) < 2)
    return found if metric is None or metric.suits(found) else SmoothGrad()(model, x, y)


def result_for(kind, model, x, y, metric=None):
    classes = () if model.task.kind == "regression" else ("a", "b", "c")[: model.logits(x[:1]).shape[1]]
    data = Dataset(x, y, space=SPACE, classes=classes)
    return {
        Prediction: lambda: predict(model, data),
        Attribution: lambda: explained(metric, model, x, y),
        Perturbation: lambda: FGSM(eps=0.3, goal=Untargeted() if model.task.judges else Shift(by=0.5))(model, x, y),
        Counterfactuals: lambda: NearestReference()(model, x),
        Certification: lambda: RandomizedSmoothing(draws=50)(model, x, y),
    }[kind]()


# Each metric reads a result that was saved and loaded, and one metric of each kind of result also one that was not.
READ = [(kind(), True) for kind in METRICS.values()]
READ += [(kind(), False) for kind in {kind.result_type(): kind for kind in METRICS.values()}.values()]


@pytest.mark.parametrize(("metric", "kept"), READ, ids=[f"{m.name()}-{('new', 'saved')[kept]}" for m, kept in READ])
def test_a_metric_evaluates_the_given_model_or_refuses(metric, kept, rows, tmp_path):
    model, other = suited(metric, 0), suited(metric, 1)
    y = wrong_now_and_then(model, rows)
    result = result_for(metric.result_type(), model, rows, y, metric)
    if kept:
        result.save(tmp_path / "r")
        result = load(tmp_path / "r")
    own = metric(model, result)
    if metric.result_type() is Prediction:
        with pytest.raises(
            DataError, match=r"a model other than.*measure probe.predict\(model, data\), or Prediction\("
        ):
            metric(other, result)
        right = metric(other, Prediction(other.logits(rows), y, task=other.task)).value  # the remedy, followed
        assert right == metric(other, result_for(Prediction, other, rows, y)).value
        assert right != own.value
    else:
        foreign = metric(other, result)
        # What is measured of the values alone is the same whoever is asked.
        assert foreign.cost.forward > 0 or torch.equal(foreign.evidence, own.evidence)
        of_values = ("sparseness", "pointing_game", "relevance_mass", "certified_accuracy", "validity")
        no_null_player = ("changed_features", "null_player")
        assert metric.name() in of_values + no_null_player or not torch.equal(foreign.evidence, own.evidence)


def test_metrics_refuse_predictions_of_another_function(rows):
    model, other = (Model(forward=network(seed).forward.forward, space=SPACE) for seed in (0, 1))
    found = predict(model, Dataset(rows, model.predict(rows), space=SPACE, classes=("a", "b", "c")))
    assert Accuracy()(model, found).value == 1
    with pytest.raises(DataError, match="a model other than"):
        CalibrationError()(other, found)


def test_metrics_refuse_predictions_with_another_threshold():
    layer = nn.Linear(6, 2).eval()
    low, high = (Model(forward=layer, space=SPACE, threshold=threshold) for threshold in (0.2, 0.8))
    x = torch.randn(20, 6)
    result = Prediction.of(low, x, low.predict(x))
    assert Accuracy()(low, result).value == 1
    with pytest.raises(DataError, match="a model other than"):
        Accuracy()(high, result)


def test_the_accuracy_of_another_model_on_attacked_inputs_is_the_transfer_of_the_attack(rows):
    source, target = network(0), network(1)
    y = target.predict(rows)
    result = FGSM(eps=0.5)(source, rows, y)
    expected = (target.predict(result.perturbed) == y).float().mean()
    assert RobustAccuracy()(target, result).value == pytest.approx(float(expected))
    own = (result.clean.correct * result.attacked.correct).mean()
    assert RobustAccuracy()(source, result).value == pytest.approx(float(own))
    assert 0 < own < expected < 1


def test_deletion_curves_use_the_explained_output():
    """The logit falls with every feature; the probability of one of two logits that move together never changes."""
    weight = torch.tensor([4.0, 3.0, 2.0, 1.0])
    model = Model(forward=lambda x: torch.stack([x @ weight, x @ weight], 1), space=Space(reference=torch.zeros(1, 4)))
    x, y = torch.ones(5, 4), torch.zeros(5).long()
    for kind in (Deletion, Insertion):
        of_logit, of_probability = (KernelShap(output=output)(model, x, y) for output in ("logit", "probability"))
        assert kind()(model, of_logit).value == pytest.approx(1.25)
        assert kind()(model, of_logit).value == kind(output="logit")(model, of_logit).value
        assert kind()(model, of_probability).value == pytest.approx(0, abs=1e-6)
        assert kind(output="probability")(model, of_logit).value == pytest.approx(0, abs=1e-6)


def test_completeness_is_the_residual_relative_to_the_guaranteed_sum():
    evidence = np.array([[0.1, 10.0], [0.3, 0.0], [0.0, 30.0]])
    assert Completeness().reduce(evidence) == pytest.approx(0.4 / 40)


@pytest.mark.parametrize("name", list(METRICS))
def test_an_audit_and_a_metric_reduce_the_same_evidence_to_the_same_number(name, rows):
    metric = METRICS[name]()
    model = suited(metric, 0)
    y = wrong_now_and_then(model, rows)
    scores = metric(model, result_for(metric.result_type(), model, rows, y, metric))
    evidence = scores.evidence.double().numpy()
    for seed in (0, 5):
        own = reduction(metric.reduction, metric.config()).estimate(evidence, seed)
        np.testing.assert_equal(own[:3], (scores.value, *scores.interval(seed=seed)))  # NaN equals NaN
    assert isinstance(metric, Proportion) == (
        name in ("accuracy", "robust_accuracy", "certified_accuracy", "validity", "exact_match", "goal_reached")
    )
