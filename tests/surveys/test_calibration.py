"""Calibration: models calibrated, or wrong by a known temperature, by construction."""

import numpy as np
import pytest
import torch

from probe import Dataset, Model, Regression, calibrated
from probe.audit.aspects.proofs import CALIBRATED
from probe.errors import Unsupported
from probe.reductions import reduction
from probe.surveys import Calibration, Temperature
from probe.task.temperature import HIGHEST, LOWEST, leads, temperature


def made(factor, rows=3000, classes=3, seed=0):
    """A model whose logits are so many times those that the labels were drawn by."""
    source = torch.Generator().manual_seed(seed)
    x = torch.rand(rows, classes, generator=source)
    chances = (6 * x).softmax(1)
    labels = (torch.rand(rows, 1, generator=source) > chances.cumsum(1)).sum(1).clamp(max=classes - 1)
    model = Model(forward=lambda rows: factor * 6 * rows, classes=tuple("abcdefgh"[:classes]))
    return model, Dataset(x, labels, space=model.space)


def by_item(method, model, data):
    return method(model, data).to_frame().set_index("item")


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_the_temperature_is_the_factor_by_which_logits_were_multiplied(factor):
    model, data = made(factor)
    found = by_item(Temperature(), model, data)
    assert (found["low"] < [factor, 1.0]).all()
    assert (found["high"] > [factor, 1.0]).all()
    np.testing.assert_allclose(found["value"], [factor, 1.0], rtol=0.08)


def test_a_calibrated_model_has_no_error_and_one_that_is_too_sure_has_until_it_is_divided_by_its_temperature():
    honest = by_item(Calibration(), *made(1.0))
    assert (honest["low"] == 0).all()
    assert (honest["value"] < 0.03).all()
    sure = by_item(Calibration(), *made(4.0))
    assert sure["low"].iloc[0] > 0.15
    assert (sure["low"].iloc[1:] == 0).all()
    model, data = made(4.0)
    plain = (model.forward(data.inputs).softmax(1).amax(1) - (6 * data.inputs).softmax(1).amax(1)).pow(2).mean().sqrt()
    assert sure["low"].iloc[0] < float(plain) < sure["high"].iloc[0] + 0.02  # bins hide a part of the true error


def test_noise_of_bins_is_not_an_error_as_it_is_without_the_correction():
    source = np.random.default_rng(0)
    debiased, plain = [], []
    for _ in range(100):
        confidence = source.uniform(0.5, 1, 200)
        evidence = np.stack([confidence, source.random(200) < confidence], 1).astype(float)
        bins = calibrated.bins_of(*evidence.T, 15)
        debiased.append(calibrated._square(bins)[0])
        plain.append(float((bins.rows / 200 * (bins.accuracy - bins.confidence) ** 2).sum()))
    assert abs(np.mean(debiased)) < 0.2 * np.mean(plain)


@pytest.mark.parametrize("gap", [0.0, 0.2])
def test_intervals_hold_the_true_error_as_often_as_they_say(gap):
    source, inside = np.random.default_rng(1), []
    for _ in range(80):
        confidence = source.uniform(0.5, 1, 300)
        evidence = np.stack([confidence, source.random(300) < confidence - gap], 1).astype(float)
        low, high = calibrated.debiased_interval(evidence, 0.95, 0, 0, 15)
        assert low <= calibrated.debiased_error(evidence, 15) <= high
        inside.append(low <= gap <= high)
    assert np.mean(inside) > 0.95 - 2 * np.sqrt(0.95 * 0.05 / 80)


def test_the_debiased_error_of_two_bins_is_the_one_by_hand():
    confidence = np.array([0.6, 0.6, 0.6, 0.6, 0.9, 0.9, 0.9, 0.9])
    right = np.array([1.0, 0, 0, 0, 1, 1, 1, 0])
    # gaps -.35 and -.15, each with noise .25 * .75 / 3
    by_hand = np.sqrt((0.35**2 + 0.15**2) / 2 - 0.25 * 0.75 / 3)
    assert calibrated.debiased_error(np.stack([confidence, right], 1), 2) == pytest.approx(by_hand)
    rows = calibrated.diagram(np.stack([confidence, right], 1), 2)
    np.testing.assert_allclose(rows[:, [0, 1, 2, 3, 6]], [[0.6, 0.6, 0.6, 0.25, 4], [0.9, 0.9, 0.9, 0.75, 4]])


def test_equal_confidences_share_a_bin_whatever_the_order_of_rows():
    confidence, right = np.repeat([0.5, 0.7, 0.7, 1.0], 9), np.arange(36) % 2.0
    found = calibrated.bins_of(confidence, right, 6)
    other = calibrated.bins_of(confidence[::-1], right[::-1], 6)
    assert found.rows.tolist() == [9, 18, 9]
    assert np.array_equal(np.stack(found), np.stack(other))


def test_a_temperature_ends_where_every_answer_is_right_or_none_is():
    ahead = np.array([[0.0, -1.0, -2.0]] * 5)
    assert temperature(ahead) == pytest.approx(LOWEST)
    assert temperature(-ahead) == pytest.approx(HIGHEST)
    low, high = reduction("temperature").interval(ahead)
    assert low == LOWEST
    assert high >= LOWEST
    assert temperature(ahead[:0]) == 1.0
    assert torch.equal(leads(torch.tensor([[1.0, 3.0]]), torch.tensor([1])), torch.tensor([[-2.0, 0.0]]))


def test_confidence_is_that_of_the_likeliest_class_whatever_the_threshold():
    model, data = made(2.0, classes=2)
    other = Model(forward=model.forward, classes=model.classes, threshold=0.9)
    for method in (Calibration(), Temperature()):
        assert torch.equal(method(model, data).evidence, method(other, data).evidence)


def test_a_model_without_classes_is_refused():
    model = Model(forward=lambda x: x.sum(1), task=Regression(("price",)))
    data = Dataset(torch.rand(4, 2), torch.rand(4), space=model.space)
    for method in (Calibration(), Temperature()):
        with pytest.raises(Unsupported, match="needs the probabilities of classes, and model gives outputs"):
            method(model, data)


def test_its_diagrams_are_drawn_of_its_own_reduction():
    assert Calibration.reduction == CALIBRATED
