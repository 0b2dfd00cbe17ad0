"""Metrics that remove random subsets of features: closed forms of linear models, slow replicas, captum."""

import itertools

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from probe import Attribution, Model, Space
from probe.explainers import InputXGradient, IntegratedGradients, KernelShap, Saliency, SmoothGrad
from probe.metrics import FaithfulnessCorrelation, Infidelity, SensitivityN
from probe.metrics.masked import Memory
from probe.metrics.subsets import dropped
from probe.reductions import reduction

METRICS = (FaithfulnessCorrelation(), SensitivityN(), Infidelity(), Infidelity(rescaled=False))
each = pytest.mark.parametrize("metric", METRICS, ids=str)
SOURCE = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(10, 3, generator=SOURCE, dtype=torch.float64)
INPUTS = torch.randn(20, 10, generator=SOURCE, dtype=torch.float64)
SPACE = Space(bounds=(-9, 9), reference=torch.zeros(1, 10, dtype=torch.float64))


def model_of(function):
    return Model(forward=lambda x: function(x) @ WEIGHT, space=SPACE)


LINEAR, CURVED, CONSTANT = model_of(lambda x: x), model_of(lambda x: x + torch.tanh(x)), model_of(lambda x: x * 0)


def attributed(model, values, inputs=INPUTS, method=None):
    return Attribution(values, inputs, model.predict(inputs), method or KernelShap(), model.space)


@each
def test_the_contributions_of_a_linear_model_are_best_and_others_are_not(metric):
    best = InputXGradient()(LINEAR, INPUTS)
    assert metric(LINEAR, best).value == pytest.approx(1, abs=1e-9)
    assert metric(LINEAR, attributed(LINEAR, -best.values)).value < 0
    source = torch.Generator().manual_seed(7)
    scores = metric(LINEAR, attributed(LINEAR, torch.randn(INPUTS.shape, generator=source, dtype=torch.float64)))
    low, high = scores.interval(level=0.999)
    assert low < (1 if metric == METRICS[3] else 0.1)
    assert high < 0.7


@each
def test_values_in_random_order_score_as_the_random_ones(metric):
    """Over many examples an order that has nothing to do with the model has no lead."""
    source = torch.Generator().manual_seed(3)
    inputs = torch.randn(300, 10, generator=source, dtype=torch.float64)
    own = InputXGradient()(LINEAR, inputs).values
    order = torch.rand(own.shape, generator=source).argsort(1)
    low, high = metric(LINEAR, attributed(LINEAR, own.gather(1, order), inputs)).interval(level=0.999)
    assert low < 0 < high


@each
def test_values_of_any_scale_are_alike_unless_their_scale_is_asked(metric):
    found = IntegratedGradients()(CURVED, INPUTS)
    larger = attributed(CURVED, 100 * found.values)
    own, other = (metric(CURVED, each).evidence for each in (found, larger))
    assert torch.allclose(own, other) == (metric != METRICS[3])


@each
def test_features_that_equal_the_reference_and_outputs_that_never_change_count_for_nothing(metric):
    inputs = INPUTS.clone()
    inputs[:, 3:] = 0
    values = torch.randn(INPUTS.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    other = values.clone()
    other[:, 3:] = 55
    assert_close(*(metric(CURVED, attributed(CURVED, each, inputs)).evidence for each in (values, other)))
    assert np.isnan(metric(CONSTANT, attributed(CONSTANT, values)).value) or metric == METRICS[3]
    nothing = metric(CURVED, attributed(CURVED, values, inputs * 0))  # no feature is there to be removed
    assert np.isnan(nothing.value)


@each
def test_evidence_depends_neither_on_the_batch_nor_on_the_pass_nor_on_the_memory(metric, monkeypatch):
    found = KernelShap(coalitions=30)(CURVED, INPUTS[:4])
    together, memory = metric(CURVED, found).evidence, Memory()
    assert_close(torch.cat([metric(CURVED, found[at]).evidence for at in range(4)]), together, rtol=1e-9, atol=1e-12)
    assert torch.equal(metric.measure(CURVED, found, memory), together)
    asked = CURVED.usage.forward
    assert torch.equal(metric.measure(CURVED, found, memory), together)
    assert CURVED.usage.forward <= asked + 1  # the row that tells the shape of answers
    monkeypatch.setattr("probe.metrics.subsets._MASKS", 1)
    monkeypatch.setattr("probe.tensors.COORDINATES", {"cpu": 25})
    assert_close(metric(CURVED, found).evidence, together, rtol=1e-9, atol=1e-12)


def kept_of(metric, monkeypatch):
    """The masks that a metric asks about the first example, as it asks them."""
    taken = []

    def noted(masked, rows, removed):
        taken.append(removed)
        return dropped(masked, rows, removed)

    monkeypatch.setattr(f"{type(metric)._part.__module__}.dropped", noted)
    return taken


def test_correlations_equal_those_of_a_slow_replica(monkeypatch):
    found = IntegratedGradients()(CURVED, INPUTS[:3])
    for metric in (FaithfulnessCorrelation(samples=30, share=0.4), SensitivityN(samples=20, sizes=4)):
        taken = kept_of(metric, monkeypatch)
        evidence = metric(CURVED, found).evidence
        removed = taken[0].numpy()
        sizes = removed.sum(2)
        assert set(sizes.ravel()) == ({4} if metric.name() == "faithfulness_correlation" else {1, 4, 6, 9})
        for row, (x, target) in enumerate(zip(INPUTS[:3], found.targets, strict=True)):
            sums, drops = [], []
            for subset in removed[row]:
                less = x.clone()
                less[subset] = 0
                both = CURVED.logits(torch.stack([x, less]))[:, target]
                drops.append(float(both[0] - both[1]))
                sums.append(float(found.values[row][subset].sum()))
            parts = [sizes[row] == size for size in sorted(set(sizes[row]))]
            expected = np.mean([np.corrcoef(np.array(sums)[at], np.array(drops)[at])[0, 1] for at in parts])
            assert float(evidence[row, 0]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rescaled", [False, True])
def test_infidelity_equals_captums_at_the_same_perturbations(rescaled, monkeypatch):
    from captum.metrics import infidelity

    metric = Infidelity(samples=25, rescaled=rescaled)
    found = Saliency()(CURVED, INPUTS[:4])
    taken = kept_of(metric, monkeypatch)
    evidence = metric(CURVED, found).evidence
    removed, turn = taken[0], iter(range(25))

    def perturb(x):
        less = torch.where(removed[:, next(turn)], 0.0, x)
        return x - less, less

    theirs = infidelity(
        CURVED.logits, perturb, INPUTS[:4], found.values, target=found.targets, n_perturb_samples=25,
        max_examples_per_batch=4, normalize=rescaled,
    )  # fmt: skip
    assert_close(evidence[:, 0], theirs)


def test_a_gradient_is_multiplied_by_the_change_and_its_average_too():
    for method in (Saliency(), SmoothGrad(draws=3)):
        assert Infidelity()(LINEAR, method(LINEAR, INPUTS)).value == pytest.approx(1, abs=1e-9)
    assert Infidelity()(LINEAR, SmoothGrad(around=InputXGradient(), draws=3, sigma=0.0)(LINEAR, INPUTS)).value > 0.999


def test_a_share_of_the_best_lead_is_1_at_the_best_and_0_at_the_control():
    skill = reduction("skill").value
    assert skill(np.array([[1.0, 0.0, 1.0], [0.5, 0.5, 1.0]])) == pytest.approx(1 / 1.5)
    assert skill(np.array([[0.0, 4.0, 0.0], [2.0, 2.0, 0.0]])) == pytest.approx(4 / 6)
    assert np.isnan(skill(np.zeros((3, 3))))


def test_removed_subsets_are_the_first_active_features_of_one_random_order():
    source = torch.Generator().manual_seed(0)
    active = torch.rand(6, 40, generator=source) < 0.6
    active[0] = False
    count = active.sum(1, keepdim=True)
    sizes = (torch.rand(6, 50, generator=source) * (count + 1)).long().minimum(count)
    found = Infidelity(seed=3)._removed(active, sizes)
    noise = torch.rand(50, 40, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    for row, subset in itertools.product(range(6), range(50)):
        order = [at for at in noise[subset].argsort().tolist() if active[row, at]]
        assert found[row, subset].nonzero()[:, 0].tolist() == sorted(order[: sizes[row, subset]])


def test_examples_with_the_same_active_features_share_subsets_and_orders_in_any_order_of_rows():
    metric = Infidelity(samples=6, shuffles=3)
    kinds = torch.tensor([[True, True, True, True], [True, False, True, True]])
    active, own = kinds[torch.tensor([1, 0, 1, 0, 0])], torch.arange(20.0, dtype=torch.float64).view(5, 4)
    sizes = torch.tensor([1, 1, 2, 2, 3, 3]).expand(5, -1)
    together, mixed = metric._removed(active, sizes), metric._explanations(own, active)
    for row in range(5):
        one = slice(row, row + 1)
        assert torch.equal(together[one], metric._removed(active[one], sizes[one]))
        assert torch.equal(mixed[one], metric._explanations(own[one], active[one]))
