"""Deletion and Insertion ask each masked input once, for as many explanations as share a memory."""

import pytest
import torch

from probe import Attribution, Model, Space
from probe.explainers import InputXGradient, Saliency
from probe.metrics import Deletion, Insertion, MaxSensitivity, RankStability
from probe.metrics.masked import Masked, Memory

FEATURES, METRICS = 20, (Deletion(), Insertion())


@pytest.fixture
def asked():
    return []


@pytest.fixture
def model(asked):
    weight = torch.randn(FEATURES, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def forward(x):
        asked.append(x)
        return torch.tanh(x) @ weight

    space = Space(bounds=(-9, 9), reference=torch.zeros(1, FEATURES, dtype=torch.float64))
    return Model(forward=forward, space=space, classes=("no", "yes"))


def attributions(model, count, features=FEATURES):
    source = torch.Generator().manual_seed(1)
    inputs = torch.randn(4, features, generator=source, dtype=torch.float64)
    inputs[0, :7] = 0  # equals its reference there
    targets = torch.tensor([0, 1, 0, 1])
    values = torch.randn(count, 4, features, generator=source, dtype=torch.float64)
    return [Attribution(of, inputs, targets, Saliency(), model.space) for of in values]


def test_the_cache_of_masked_inputs_changes_no_value(model):
    memory = Memory()
    for attribution in attributions(model, 3):
        for metric in METRICS:
            assert torch.equal(metric.measure(model, attribution, memory), metric(model, attribution).evidence)


def test_explanations_and_metrics_share_the_answers_of_equal_rows(model, asked):
    memory = Memory()
    found = attributions(model, 5)
    for attribution in found:
        for metric in METRICS:
            metric.measure(model, attribution, memory)
    rows = torch.cat(asked)
    # Also the row in which nothing is left of any input.
    assert len(rows) == len(rows.unique(dim=0))
    # 17 points of 9 orders each: today's rows for one explanation after another.
    assert len(rows) < 0.2 * 5 * 2 * 4 * 9 * 17


def test_insertion_finds_the_random_rows_of_deletion(model):
    attribution, memory = attributions(model, 1)[0], Memory()
    before = model.usage.forward
    Deletion().measure(model, attribution, memory)
    first = model.usage.forward - before
    Insertion().measure(model, attribution, memory)
    # Only its own order is new: 15 points of 4 inputs between nothing and all.
    assert model.usage.forward - before - first <= 4 * 15 + 8


def test_the_cache_is_not_used_for_other_inputs_targets_outputs_or_models(model):
    attribution, memory = attributions(model, 1)[0], Memory()
    inputs, targets = attribution.inputs, attribution.targets
    held = memory.masked(model, inputs, targets, "logit")
    assert memory.masked(model, inputs.clone(), targets.clone(), "logit") is held
    other = Model(forward=lambda x: model.forward(x), space=model.space, classes=model.classes)
    for changed in (
        (model, inputs + 1, targets, "logit"),
        (model, inputs, 1 - targets, "logit"),
        (model, inputs, targets, "probability"),
        (other, inputs, targets, "logit"),
    ):
        assert memory.masked(*changed) is not held
        held = memory.masked(model, inputs, targets, "logit")


def test_masks_of_many_features_have_different_keys():
    """Of more than 128 features a digest stands for the mask."""
    space = Space(bounds=(-9, 9), reference=torch.zeros(1, 300))
    model = Model(forward=lambda x: torch.stack([x.sum(1), -x.sum(1)], 1), space=space, classes=("no", "yes"))
    masked = Masked(model, torch.ones(2, 300), torch.tensor([0, 0]), "logit")
    kept = torch.arange(300).expand(2, 301, 300) < torch.arange(301)[:, None]
    assert torch.equal(masked(slice(0, 2), kept), torch.arange(301.0).expand(2, 301))
    assert model.usage.forward == 2 * 300 + 1
    assert torch.equal(masked(slice(1, 2), kept[1:]), torch.arange(301.0)[None])
    assert model.usage.forward == 2 * 300 + 1


def test_metrics_of_noisy_copies_share_them(model, asked):
    inputs = attributions(model, 1)[0].inputs
    found, other, memory = Saliency()(model, inputs), InputXGradient()(model, inputs), Memory()
    steady = MaxSensitivity(), RankStability(), MaxSensitivity(radius=0.03)
    alone = [metric(model, each).evidence for each in (found, other) for metric in steady]
    asked.clear()
    together = [metric.measure(model, each, memory) for each in (found, other) for metric in steady]
    assert len(torch.cat(asked)) == 4 * 10 * 4  # ten copies of four rows for each explanation and radius
    assert all(torch.equal(one, two) for one, two in zip(alone, together, strict=True))
