"""F-Fidelity: by hand on a linear model, beside random values, and on a model that is trained on masked rows."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Attribution, Dataset, Model, Space
from probe.explainers import InputXGradient, KernelShap
from probe.metrics import FFidelity

SOURCE = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(10, 2, generator=SOURCE, dtype=torch.float64)
INPUTS = torch.randn(60, 10, generator=SOURCE, dtype=torch.float64)
SPACE = Space(bounds=(-9, 9), reference=torch.zeros(1, 10, dtype=torch.float64))
LINEAR = Model(forward=lambda x: x @ WEIGHT, space=SPACE)


def attributed(values, inputs=INPUTS):
    return Attribution(values, inputs, LINEAR.predict(inputs), KernelShap(), SPACE)


def test_parts_of_the_top_features_fall_by_their_mean_contribution():
    """Of sums, many random parts of one feature fall by the mean of those they are drawn from."""
    found = InputXGradient()(LINEAR, INPUTS[:5])
    evidence = FFidelity(share=0.3, most=0.1, samples=4000)(LINEAR, found).evidence
    ordered = found.values.sort(1, descending=True).values
    assert_close(evidence[:, 0], ordered[:, :3].mean(1) - ordered[:, 3:].mean(1), atol=0.15, rtol=0)


def test_contributions_lead_and_values_in_random_order_do_not():
    own = InputXGradient()(LINEAR, INPUTS)
    order = torch.rand(own.values.shape, generator=torch.Generator().manual_seed(1)).argsort(1)
    low, high = FFidelity()(LINEAR, attributed(own.values.gather(1, order))).interval(level=0.999)
    assert low < 0 < high
    assert FFidelity()(LINEAR, own).interval(level=0.999)[0] > high
    assert FFidelity()(LINEAR, attributed(-own.values)).value < low


def test_features_that_equal_the_reference_count_for_nothing_in_any_batch():
    inputs = INPUTS[:4].clone()
    inputs[:, 4:] = 0
    values, other = torch.randn(2, 4, 10, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    other[:, :4] = values[:, :4]
    found = [FFidelity()(LINEAR, attributed(each, inputs)).evidence for each in (values, other)]
    assert_close(*found)
    assert_close(torch.cat([FFidelity()(LINEAR, attributed(values, inputs)[at]).evidence for at in range(4)]), found[0])
    for few in (0, 1):  # nothing, or nothing else, can be removed
        inputs[:, few:] = 0
        evidence = FFidelity()(LINEAR, attributed(values, inputs)).evidence
        assert_close(evidence[:, 0], evidence[:, 1])


def test_a_model_that_is_trained_on_masked_rows_is_asked_instead():
    seen = []

    def trainer(data, seed=0):
        seen.append(data)
        layer = nn.Linear(10, 2, bias=False)
        layer.weight = nn.Parameter(3 * WEIGHT.T)
        return Model(forward=layer.eval(), space=SPACE)

    metric, found = FFidelity(most=0.2), InputXGradient()(LINEAR, INPUTS[:4])
    data = Dataset(INPUTS, LINEAR.predict(INPUTS), space=SPACE)
    scores = metric.retrained(LINEAR, found, trainer, data)
    assert scores.value == pytest.approx(3 * metric(LINEAR, found).value)
    away = ((seen[0].inputs == 0) & (INPUTS != 0)).sum(1)
    assert set(away.tolist()) == {0, 1, 2}
    assert torch.equal(torch.where(seen[0].inputs == 0, INPUTS, seen[0].inputs), INPUTS)
    assert torch.equal(seen[0].labels, data.labels)
