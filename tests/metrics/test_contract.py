"""What every metric is held to by its contract: which result it reads, and on whose features."""

from dataclasses import dataclass

import pytest
import torch

from probe import Explainer, Metric, Model, Prediction, Space
from probe.contracts import Proportion
from probe.errors import ContractError
from probe.results import Attribution

INPUTS = torch.arange(12.0).reshape(3, 4) / 12
FEATURES = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1]])


@dataclass(frozen=True, kw_only=True)
class Whole(Explainer):
    """Each coordinate itself."""

    def attribute(self, model, inputs, targets):
        return inputs


@dataclass(frozen=True, kw_only=True)
class Called(Metric[Attribution]):
    """The sum over the second feature, after taking note of the batch."""

    aspect = "explanation"
    unit = "number"

    def measure(self, model: Model, result: Attribution):
        BATCHES.append((len(result), tuple(model.space.features.shape)))
        return result.by_feature()[:, 1]


@dataclass(frozen=True, kw_only=True)
class Right(Proportion[Prediction]):
    """Whether the answer is the label."""

    aspect = "performance"

    def measure(self, model: Model, result: Prediction):
        return (result.predicted == result.labels).float()


BATCHES = []


def model_of(features):
    return Model(forward=lambda x: torch.cat([x, 1 - x], 1)[:, 3:5], space=Space(features=features))


@pytest.fixture(autouse=True)
def _forget():
    BATCHES.clear()


def test_a_metric_measures_examples_of_the_same_features_together_and_of_others_apart():
    model = model_of(FEATURES)
    scores = Called()(model, Whole()(model, INPUTS))
    assert scores.evidence.tolist() == pytest.approx([5 / 12, (5 + 6 + 7) / 12, (10 + 11) / 12])
    assert sorted(BATCHES) == [(1, (4,)), (2, (4,))]


def test_a_metric_measures_a_batch_with_one_grouping_at_once():
    model = model_of(FEATURES[0])
    scores = Called()(model, Whole()(model, INPUTS))
    assert scores.evidence.tolist() == pytest.approx([5 / 12, (6 + 7) / 12, (10 + 11) / 12])
    assert BATCHES == [(3, (4,))]


def test_a_metric_of_answers_needs_no_features():
    model = model_of(FEATURES)
    answers = Prediction.of(model, INPUTS, torch.tensor([1, 1, 0]))
    found = Right()(model, answers)
    assert found.evidence.tolist() == [
        float(p == y) for p, y in zip(model.predict(INPUTS).tolist(), (1, 1, 0), strict=True)
    ]
    assert (Right.unit, Right.reduction, Right().direction) == ("share", "proportion", "at least")


def test_a_metric_refuses_another_result_and_needs_an_annotation():
    model = model_of(FEATURES[0])
    with pytest.raises(TypeError, match="reads Prediction, got Attribution"):
        Right()(model, Whole()(model, INPUTS))
    silent = type("Silent", (Metric,), {"aspect": "performance", "measure": lambda self, model, result: result})
    with pytest.raises(ContractError, match=r"Silent\.measure does not say which result it measures"):
        silent.result_type()
    assert Called.result_type() is Attribution
