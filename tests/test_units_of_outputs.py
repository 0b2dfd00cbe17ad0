"""A regression may answer in any unit: numbers of 1e-9 are judged as numbers of 1 are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from probe import Dataset, Model, Regression, Space, audit, check_model, from_estimator
from probe.attacks import PGD
from probe.audit.consistency import predictions
from probe.audit.consistency.step import Expected
from probe.audit.readings import evidence_of
from probe.contracts.prediction import alike
from probe.errors import DataError, ForwardError, IntegrityError
from probe.explainers import IntegratedGradients, KernelShap
from probe.goals import Shift
from probe.metrics import Deletion, Insertion
from probe.surveys import AttackChecks, FriedmanH, SobolIndices

SIZES = [1e-25, 1e-9, 1e25]


class InUnit(nn.Module):
    """A network whose answer is multiplied."""

    def __init__(self, unit):
        super().__init__()
        self.unit = unit
        self.first, self.last = nn.Linear(3, 8), nn.Linear(8, 1)
        source = torch.Generator().manual_seed(0)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=source)

    def forward(self, x):
        return self.last(self.first(x).relu()) * self.unit


def in_unit(unit):
    x = torch.randn(12, 3, generator=torch.Generator().manual_seed(1))
    space = Space(bounds=(-9, 9), reference=x)
    model = Model(forward=InUnit(unit).eval(), space=space, task=Regression(("out",)))
    return model, Dataset(x, torch.zeros(len(x)), space=space)


@pytest.mark.parametrize("unit", SIZES)
def test_integrated_gradients_are_as_exact_in_any_unit(unit):
    (plain, data), (model, _) = in_unit(1.0), in_unit(unit)
    expected, found = (IntegratedGradients()(each, data.inputs[:4]).values for each in (plain, model))
    assert torch.allclose(found.double() / unit, expected.double(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("survey", [FriedmanH(), SobolIndices()], ids=repr)
@pytest.mark.parametrize("unit", SIZES)
def test_shares_of_variance_are_the_same_in_any_unit(survey, unit):
    expected, found = (survey(*in_unit(each)).to_frame()["value"] for each in (1.0, unit))
    assert np.allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("noisy", [0, 1])
def test_noise_in_a_small_output_is_seen_beside_a_large_one(noisy):
    def forward(x):
        draw = torch.rand(len(x), 1, generator=torch.Generator().manual_seed(calls.append(0) or len(calls)))
        answers = [x[:, :1] * 1e5, x[:, :1] * 1e-7]
        answers[noisy] = answers[noisy] * (1 + draw)
        return torch.cat(answers, 1)

    calls: list[int] = []
    model = Model(forward=forward, task=Regression(("price", "rate")))
    with pytest.raises(ForwardError, match="differently when asked again"):
        check_model(model, torch.rand(8, 3))


def test_an_answer_of_zero_everywhere_is_a_steady_one():
    check_model(Model(forward=lambda x: x[:, :1] * 0, task=Regression(("rate",))), torch.rand(8, 3))


class Rates:
    """An estimator that reads its rows as double precision holds them."""

    def predict(self, rows):
        rows = np.asarray(rows, dtype=np.float64)
        return (rows[:, 0] - rows[:, 0].astype(np.float32)) * 1e-3 + 1e-9


def test_an_estimator_of_small_numbers_is_compared_with_its_own():
    rows = np.linspace(0, 1, 7)[:, None] / 3
    with pytest.raises(DataError, match="answers row"):
        from_estimator(Rates(), Space(), (), task=Regression(("rate",)), rows=rows)


@pytest.mark.parametrize("unit", SIZES)
def test_answers_of_another_model_are_others_in_any_unit(unit):
    answers = np.linspace(-1, 1, 9)[:, None] * unit
    task = Regression(("rate",))
    assert alike(task, answers, answers * (1 + 1e-6))
    assert not alike(task, answers, answers * 1.01)


def test_rows_are_nearly_tied_only_by_rounding_of_their_own_unit():
    task = Regression(("rate",), tolerance=1e-9)
    answers = np.array([[1e-9], [2e-9]])
    assert task.tied(answers, np.array([0.0, 0.0]), 1e-5).tolist() == [True, False]


def test_forged_errors_of_small_numbers_contradict_labels_and_answers():
    answers = np.linspace(1, 2, 5)[:, None] * 1e-9
    task, none = Regression(("rate",)), np.zeros((5, 0))
    expected = Expected(answers[:, 0] * 1.5, answers[:, 0], np.zeros(5), task, np.zeros(5, bool), None, none)
    arrays = {"logits": answers, evidence_of("mean_absolute_error"): answers[:, 0] * 0.5}
    predictions._check_numbers(arrays, expected)
    with pytest.raises(IntegrityError, match="mean_absolute_error does not follow"):
        predictions._check_numbers({**arrays, evidence_of("mean_absolute_error"): answers[:, 0] * 0}, expected)


def test_outputs_that_vary_are_a_sign_in_any_unit():
    model, data = in_unit(1e-9)
    calls: list[int] = []

    def noisy(x):
        return model.forward(x) * (1 + len(calls) % 2 + 0 * len(calls.append(0) or ""))

    sign = "outputs vary"
    survey = AttackChecks(attack=PGD(eps=0.1, steps=2, goal=Shift(by=1e-9)), draws=1, queries=1)
    for forward, varies in ((model.forward, False), (noisy, True)):
        found = survey(replace(model, forward=forward), data[:3]).to_frame().set_index("item")["value"]
        assert bool(found[sign] > 0) is varies


@pytest.mark.parametrize("labels", [torch.arange(12), torch.arange(12.0)[:, None]], ids=["whole", "column"])
def test_labels_of_a_regression_may_be_whole_or_a_column_in_an_audit(labels, tmp_path):
    model, data = in_unit(1.0)
    quiet = {"explain": {"methods": []}, "attack": {"methods": []}}
    folders = [
        audit(model, replace(data, labels=each), tmp_path / str(at), **quiet)
        for at, each in enumerate((labels, torch.arange(12.0)))
    ]
    found, expected = (each.arrays("predictions")["labels"] for each in folders)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("metric", [Deletion(steps=5), Insertion(steps=5)], ids=lambda metric: metric.name())
def test_areas_of_a_model_of_half_precision_are_those_under_its_curves(metric, kind):
    network, x = nn.Linear(3, 2).to(kind).eval(), torch.linspace(-1, 1, 12).view(4, 3)
    model = Model(forward=network, space=Space(bounds=(-9, 9), reference=torch.zeros(1, 3)))
    found = KernelShap()(model, x.to(kind))
    curves, areas = (np.asarray(each) for each in (metric.curves(model, found), metric(model, found).evidence))
    expected = np.trapezoid(curves[:, :2], curves[:, 2:], axis=2)
    assert np.allclose(areas, expected, rtol=0, atol=1e-6 * np.abs(curves).max())
