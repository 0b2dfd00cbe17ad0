"""Sufficiency, effective complexity, monotonicity and local Lipschitz: by hand, slow replicas, and random controls."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch.testing import assert_close

from probe import Attribution, Model, Space
from probe.explainers import InputXGradient, KernelShap, Saliency
from probe.metrics import EffectiveComplexity, LocalLipschitz, MaxSensitivity, Monotonicity, RankStability, Sufficiency
from probe.metrics.masked import Memory

SOURCE = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(10, 3, generator=SOURCE, dtype=torch.float64)
INPUTS = torch.randn(40, 10, generator=SOURCE, dtype=torch.float64)
SPACE = Space(bounds=(-9, 9), reference=torch.zeros(1, 10, dtype=torch.float64))
LINEAR = Model(forward=lambda x: x @ WEIGHT, space=SPACE)
CURVED = Model(forward=lambda x: (x + torch.tanh(x)) @ WEIGHT, space=SPACE)
MASKING = (Monotonicity(), Sufficiency(), EffectiveComplexity())
each = pytest.mark.parametrize("metric", MASKING, ids=str)


def attributed(model, values, inputs=INPUTS):
    return Attribution(values, inputs, model.predict(inputs), KernelShap(), model.space)


def kept(row, order, count):
    """The output of a row with only the first features of an order."""
    x, some = INPUTS[row] * 0, order[:count]
    x[some] = INPUTS[row][some]
    return float(CURVED.logits(x[None])[0, CURVED.predict(INPUTS[row : row + 1])[0]])


def test_top_features_equal_a_slow_replica():
    found = InputXGradient()(CURVED, INPUTS[:5])
    far, share = (metric(CURVED, found).evidence[:, 0] for metric in MASKING[1:])
    for row in range(5):
        order = found.values[row].abs().argsort(descending=True)
        curve = np.array([kept(row, order, count) for count in range(11)])
        off = np.abs(curve - curve[-1])
        assert float(far[row]) == pytest.approx(off[1:6].mean())
        near = off <= 0.1 * abs(curve[-1] - curve[0])
        assert float(share[row]) == pytest.approx(min(k for k in range(11) if near[k:].all()) / 10)


def test_monotonicity_is_the_rank_correlation_with_the_changes_of_single_features():
    found = InputXGradient()(CURVED, INPUTS[:5])
    evidence = Monotonicity()(CURVED, found).evidence
    for row in range(5):
        whole = kept(row, torch.arange(10), 10)
        changes = [abs(whole - kept(row, torch.tensor([i for i in range(10) if i != out]), 9)) for out in range(10)]
        assert float(evidence[row, 0]) == pytest.approx(spearmanr(found.values[row].abs(), changes)[0])
    assert Monotonicity()(LINEAR, InputXGradient()(LINEAR, INPUTS)).value == pytest.approx(1)


@each
def test_contributions_score_higher_than_values_in_random_order_which_score_as_chance_does(metric):
    source = torch.Generator().manual_seed(3)
    inputs = torch.randn(100, 10, generator=source, dtype=torch.float64)
    own = InputXGradient()(LINEAR, inputs)
    low, high = metric(LINEAR, attributed(LINEAR, own.values.gather(1, torch.rand(own.values.shape, generator=source).argsort(1)), inputs)).interval(level=0.999)  # fmt: skip # noqa: E501
    assert low < 0 < high
    assert metric(LINEAR, own).interval(level=0.999)[0] > high


@each
def test_features_that_equal_the_reference_count_for_nothing_in_any_batch(metric):
    inputs = INPUTS.clone()
    inputs[:, 3:] = 0
    values = torch.randn(INPUTS.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    other = values.clone()
    other[:, 3:] = 55
    found = [metric(CURVED, attributed(CURVED, each, inputs)).evidence for each in (values, other)]
    assert_close(*found)
    one, memory = attributed(CURVED, values, inputs), Memory()
    assert_close(torch.cat([metric(CURVED, one[at]).evidence for at in range(3)]), found[0][:3])
    assert torch.equal(metric.measure(CURVED, one, memory), found[0])
    asked = CURVED.usage.forward
    metric.measure(CURVED, one, memory)
    assert CURVED.usage.forward <= asked + 1
    assert np.isnan(metric(CURVED, attributed(CURVED, values, inputs * 0)).value)


def test_the_steepest_change_is_over_the_distance_of_the_copies():
    def explained(inputs):
        return Saliency().attribute(CURVED, inputs, CURVED.predict(INPUTS[:4]))

    metric, found = LocalLipschitz(samples=6), Saliency()(CURVED, INPUTS[:4])
    evidence, copies = metric(CURVED, found).evidence, metric.copies(CURVED, INPUTS[:4]).view(6, 4, 10)
    slopes = [(explained(x) - found.values).norm(dim=1) / (x - INPUTS[:4]).norm(dim=1) for x in copies]
    assert_close(evidence[:, 0], torch.stack(slopes).amax(0) / found.values.norm(dim=1))
    assert LocalLipschitz()(LINEAR, Saliency()(LINEAR, INPUTS)).value == 1
    fixed = Model(forward=CURVED.forward, space=Space(bounds=(-9, 9), mutable=[False] * 10))
    assert not LocalLipschitz()(fixed, Saliency()(fixed, INPUTS)).evidence.any()


@pytest.mark.parametrize("metric", [MaxSensitivity(), RankStability(), LocalLipschitz()], ids=str)
def test_inputs_that_no_noise_moves_show_nothing(metric):
    counts = Space(bounds=(-9, 9), kinds=("integer",) * 10, features=torch.arange(10), reference=INPUTS[:1].round())
    model = Model(forward=CURVED.forward, space=counts)
    assert np.isnan(metric(model, KernelShap(coalitions=20)(model, INPUTS[:3].round())).value)


@pytest.mark.parametrize("metric", [MaxSensitivity(), LocalLipschitz()], ids=str)
def test_values_that_are_missing_or_huge_are_measured(metric):
    whole = Model(forward=lambda x: torch.nan_to_num(x).float() @ WEIGHT.float() * 1e30, space=Space(
        bounds=(-9, 9), missing=[True] * 10, reference=torch.zeros(1, 10)
    ))  # fmt: skip
    inputs = INPUTS[:3].float()
    inputs[:, 4] = torch.nan
    assert 0.5 < metric(whole, KernelShap(coalitions=20)(whole, inputs)).value <= 1


def test_one_feature_has_no_order():
    space = Space(bounds=(-9, 9), reference=torch.zeros(1, 1))
    model = Model(forward=lambda x: torch.cat([x, -x], 1), space=space)
    found = InputXGradient()(model, torch.tensor([[1.0], [2.0]]))
    assert np.isnan(Monotonicity()(model, found).value)
    assert np.isnan(RankStability()(model, found).value)
