"""Outliers: Gaussian scores whose areas are known, and distances by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

from probe import Dataset, Model, Regression, Space, detection
from probe.errors import ShapeError, Unsupported
from probe.surveys import OutlierAUROC, OutlierFPR
from probe.surveys.outliers import ENERGY, MAHALANOBIS, UNSURE

WIDE = Space(bounds=(-99.0, 99.0))


def gaussian(shift, rows=2000, seed=0):
    """Rows along one axis, and those moved by so many standard deviations towards where the model is unsure."""
    x = torch.randn(rows, 1, generator=torch.Generator().manual_seed(seed))
    model = Model(forward=lambda x: torch.cat([-x - 30, x + 30], 1), space=WIDE, classes=("a", "b"))
    labels = torch.ones(rows, dtype=torch.long)
    other = torch.randn(rows, 1, generator=torch.Generator().manual_seed(seed + 1)) - shift
    return model, Dataset(x, labels, space=WIDE), Dataset(other, labels, space=WIDE)


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_areas_and_false_positive_rates_of_gaussian_scores_are_those_of_the_normal_distribution(shift):
    model, data, outliers = gaussian(shift)
    area = OutlierAUROC().against(model, data, outliers).to_frame()
    passed = OutlierFPR().against(model, data, outliers).to_frame()
    for found, true in ((area, norm.cdf(shift / np.sqrt(2))), (passed, norm.cdf(norm.ppf(0.95) - shift))):
        assert found["item"].tolist() == [UNSURE, ENERGY]
        assert (found["low"] <= true).all()
        assert (found["high"] >= true).all()
        assert (found["high"] - found["low"] < 0.2).all()


def test_without_a_shift_nothing_can_be_told_apart():
    model, data, _ = gaussian(0.0, rows=50)
    found = OutlierAUROC(shift="noise", amount=0.0)(model, data)
    assert torch.equal(found.evidence[..., 0], found.evidence[..., 1])
    assert found.to_frame()["value"].tolist() == [0.5, 0.5]


def test_intervals_hold_the_truth_as_often_as_they_say():
    source, area, share = np.random.default_rng(0), [], []
    for _ in range(80):
        own = source.normal(size=200)
        evidence = np.stack([own, 0.6 * own + 0.8 * source.normal(size=200) + 1], 1)
        ends = detection.area_interval(evidence, 0.95, 0, 0)
        area.append(ends[0] <= norm.cdf(1 / np.sqrt(2)) <= ends[1])
        ends = detection.found_interval(evidence, 0.95, 0, 0, 0.05)
        share.append(ends[0] <= norm.cdf(1 - norm.ppf(0.95)) <= ends[1])
    least = 0.95 - 2 * np.sqrt(0.95 * 0.05 / 80)
    assert min(np.mean(area), np.mean(share)) > least


def test_ties_count_half_and_shares_are_of_scores_above_the_threshold():
    evidence = np.array([[1.0, 1.0], [2.0, 3.0], [3.0, 9.0], [4.0, 0.0]])
    assert detection.area(evidence) == (0.5 + 2.5 + 4 + 0) / 16
    assert detection.found(evidence, 0.0) == 0.25
    assert detection.found(evidence, 0.25) == 0.25  # not the one that equals the threshold, 3
    assert detection.found(evidence, 0.5) == 0.5
    assert detection.missed(evidence, 0.5) == 0.5
    low, high = detection.area_interval(np.array([[0.0, 1.0]] * 9), 0.95, 0, 0)
    assert low < 0.8
    assert high == 1.0


def with_layer():
    source = torch.Generator().manual_seed(0)
    layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).eval()
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source))
    known, labels = torch.randn(60, 3, generator=source), torch.arange(60) % 2
    model = Model(forward=layers, space=WIDE, classes=("a", "b"), training=(known, labels))
    return model, torch.randn(9, 3, generator=source), known, labels


def test_the_distance_in_a_layer_is_the_one_by_hand():
    model, x, known, labels = with_layer()
    method = OutlierAUROC(layer="1")
    assert method.items(model, x) == (UNSURE, ENERGY, MAHALANOBIS)
    there, here = (model.forward[:2](rows).detach().double().numpy() for rows in (known, x))
    means = [there[labels == k].mean(0) for k in (0, 1)]
    away = np.concatenate([there[labels == k] - means[k] for k in (0, 1)])
    inverse = np.linalg.inv(away.T @ away / 60)
    by_hand = [min((row - mean) @ inverse @ (row - mean) for mean in means) for row in here]
    np.testing.assert_allclose(method.scores(model, x)[:, 2], by_hand, rtol=1e-3)


def test_energy_and_doubt_are_those_of_the_logits_whatever_the_threshold():
    model, x, _, _ = with_layer()
    logits = model.forward(x).double()
    found = OutlierAUROC().scores(replace(model, task=model.task.short(threshold=0.8)), x)
    np.testing.assert_allclose(found[:, 1], -logits.logsumexp(1).detach(), rtol=1e-5)
    np.testing.assert_allclose(1 - found[:, 0].sigmoid(), logits.softmax(1).amax(1).detach(), rtol=1e-5)


def test_shuffled_rows_keep_the_values_of_each_feature_and_categories_whole():
    space = Space(
        bounds=(0.0, 9.0), names=("age", "colour"), kinds=("integer", "category"), levels=("", "red", "blue"),
        features=torch.tensor([0, 1, 1]),
    )  # fmt: skip
    age = torch.arange(8.0)
    x = torch.stack([age, age % 2, 1 - age % 2], 1)
    model = Model(forward=lambda x: x[:, :2], space=space)
    found = OutlierAUROC().shifted(model, x)
    model.check(found)
    assert torch.equal(found.sort(0).values, x.sort(0).values)
    assert bool((found[:, 1] + found[:, 2] == 1).all())
    assert not torch.equal(found, x)
    assert not torch.equal(found[:, 0] % 2, found[:, 1])


@pytest.mark.parametrize("shift", ["noise", "uniform", "shuffled"])
def test_outliers_are_valid_inputs_and_follow_from_the_seed(shift):
    x = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(5))
    model = Model(forward=lambda x: x.flatten(1)[:, :2], space=Space(bounds=(0.0, 1.0)))
    method = OutlierAUROC(shift=shift)
    found = method.shifted(model, x)
    model.check(found)
    assert torch.equal(found, method.shifted(model, x))
    assert not torch.equal(found, replace(method, seed=1).shifted(model, x))
    assert bool((found != x).flatten(1).any(1).all())


def test_what_cannot_be_compared_is_refused():
    model, data, outliers = gaussian(1.0, rows=9)
    with pytest.raises(Unsupported, match=r"name it: Dataset\(..., outliers=rows\), in a plan \[data\] outliers"):
        OutlierAUROC(shift="given")(model, data)
    with pytest.raises(ShapeError, match=r"has 4 rows for 9 of data; compare with data\[:4\]"):
        OutlierAUROC().against(model, data, outliers[:4])
    with pytest.raises(Unsupported, match="has infinite ones; set shift to shuffled or noise"):
        OutlierAUROC(shift="uniform")(replace(model, space=Space(bounds=(-torch.inf, torch.inf))), data)
    with pytest.raises(Unsupported, match=r"measures distances to training rows, and model has none"):
        OutlierAUROC(layer="0")(
            replace(with_layer()[0], training=None), Dataset(torch.rand(4, 3), torch.zeros(4).long())
        )
    number = Model(forward=lambda x: x.sum(1), task=Regression(("price",)), space=WIDE)
    with pytest.raises(Unsupported, match="examines each score, and model has none"):
        OutlierFPR()(number, Dataset(torch.rand(4, 2), torch.rand(4), space=WIDE))
    with pytest.raises(Unsupported, match="examines each score, and model has none; set layer"):
        OutlierFPR().against(number, *[Dataset(torch.rand(4, 2), torch.rand(4), space=WIDE)] * 2)


def test_shuffled_features_are_independent_also_of_data_drawn_with_the_same_seed():
    """In the order of their own random numbers the rows would be sorted, and every feature rise with every other."""
    rows = torch.rand(500, 3, generator=torch.Generator().manual_seed(0))
    model = Model(forward=lambda x: 4 * torch.cat([x[:, :1], 1 - x[:, :1]], 1))
    mixed = OutlierAUROC(shift="shuffled", seed=0).shifted(model, rows)
    assert torch.corrcoef(mixed.T).triu(1).abs().max() < 0.15
    assert torch.equal(mixed.sort(0).values, rows.sort(0).values)


def test_outliers_that_the_data_name_are_compared_as_those_of_another_data_set():
    model, data, more = gaussian(2.0, rows=200)
    other = torch.cat([more.inputs, more.inputs + 1])[:300]
    for method in (OutlierAUROC(shift="given", seed=3), OutlierFPR(shift="given", seed=3)):
        found = method(model, replace(data, outliers=other))
        assert torch.equal(
            found.evidence, method.against(model, data, Dataset(other, torch.zeros(300), space=data.space)).evidence
        )
    with pytest.raises(ShapeError, match=r"9 outliers for 200 rows; give 9 rows, in a plan by \[survey\] sample = 9"):
        method(model, replace(data, outliers=other[:9]))
    with pytest.raises(ShapeError, match=r"outliers are \(3, 7\), expected rows of numbers of the shape"):
        replace(data, outliers=torch.zeros(3, 7))
    assert len(replace(data, outliers=other)[:5].outliers) == 300
    assert replace(data, outliers=other).digest(planted=True) != data.digest(planted=True)
