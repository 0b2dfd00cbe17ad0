"""Coalitions of features that several explainers of an audit ask about are asked once, and change no value."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from probe import Dataset, Model, Space
from probe.audit import plan_from, run
from probe.explainers import KernelShap, Lime, Occlusion, PermutationShap, Rise
from probe.explainers.coalitions import coalition_values, every_subset
from probe.recall import Recall

FEATURES, ROWS = 7, 12
METHODS = [KernelShap(), Lime(), Occlusion(), Rise(), PermutationShap()]
SOURCE = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(FEATURES, 2, generator=SOURCE, dtype=torch.float64)
INPUTS = torch.randn(ROWS, FEATURES, generator=SOURCE, dtype=torch.float64)
INPUTS[0, :3] = 0  # equals the first reference there
BACKGROUND = torch.cat([torch.zeros(1, FEATURES, dtype=torch.float64), INPUTS[3:5] / 2])


def model_of(references):
    space = Space(bounds=(-9, 9), reference=BACKGROUND[:references])
    return Model(forward=lambda x: torch.tanh(x @ WEIGHT) * 3, space=space, classes=("no", "yes"))


def target(model, inputs):
    return torch.zeros(len(inputs), dtype=torch.long)


@pytest.mark.parametrize("references", [1, 3])
def test_the_explainers_of_an_audit_ask_each_masked_row_once_and_give_the_values_that_they_give_alone(
    references, tmp_path
):
    model = model_of(references)
    data = Dataset(INPUTS, torch.arange(ROWS) % 2, space=model.space, classes=model.classes)
    plan = plan_from(
        {
            "name": "p",
            "explain": {"methods": [each.name() for each in METHODS], "metrics": ["deletion"]},
            "attack": {"methods": []},
        },
        sources=False,
    )
    bundle = run(plan, model, data, tmp_path / "p")
    for method in METHODS:
        alone = method(model_of(references), INPUTS).by_feature()
        assert np.allclose(bundle.arrays(f"explain-{method.name()}")["by_feature"], alone, atol=1e-6), method
    first, *others = [step.forward for step in bundle.manifest.steps if step.kind == "explainer"]
    # All coalitions of each row; the rest is asked of each again, such as for the mean reference by `deletion`.
    assert first > 100 * ROWS
    assert max(others) < (first / 100 if references == 1 else first / 20), (first, others)


def test_a_recall_knows_one_model_and_its_examples_and_no_more_than_it_may_keep():
    model = model_of(3)
    masks = every_subset(FEATURES)
    targets = target(model, INPUTS)
    recall = Recall(model, INPUTS, targets, 10**5)
    keeps = replace(model, recall=recall)

    def count(asking, *args, **kwargs):
        before = model.usage.forward
        values = coalition_values(asking, *args, **kwargs)
        spent = model.usage.forward - before
        assert torch.allclose(
            values, coalition_values(replace(asking, recall=None), *args, **kwargs), atol=1e-12, rtol=0
        )
        return spent

    few = masks[torch.arange(0, len(masks), 3)]
    assert count(keeps, INPUTS[:6], targets[:6], few, "logit") > 0
    assert count(keeps, INPUTS[2:5], targets[2:5], few.flip(0), "logit") == 0
    whole = count(model, INPUTS[:6], targets[:6], masks, "logit")
    assert 0 < count(keeps, INPUTS[:6], targets[:6], masks, "logit") < whole
    assert count(keeps, INPUTS[:6], targets[:6], masks, "logit") == 0
    for other in (
        (INPUTS[:6] + 1, targets[:6], few, "logit"),
        (INPUTS[:6], 1 - targets[:6], few, "logit"),
        (INPUTS[:6], targets[:6], few, "probability"),
    ):
        assert count(keeps, *other) > 0
    assert count(keeps, INPUTS[:6] + 1, targets[:6], few, "logit") > 0  # is none of its examples
    assert not recall.fits(replace(model, forward=lambda x: x @ WEIGHT))
    assert not recall.fits(replace(model, space=replace(model.space, reference=BACKGROUND[:2])))
    grouped = replace(model.space, features=torch.tensor([0, 0, 1, 2, 3, 4, 5]))
    assert count(replace(keeps, space=grouped), INPUTS[:6], targets[:6], few[:, :6], "logit") > 0
    small = replace(model, recall=Recall(model, INPUTS, targets, 5))
    assert count(small, INPUTS[:1], targets[:1], masks[:9], "logit") > 0
    assert count(small, INPUTS[:1], targets[:1], masks[:9], "logit") > 0


def test_a_feature_that_equals_its_reference_gets_exactly_0_whoever_was_asked_before():
    model = model_of(1)
    keeps = replace(model, recall=Recall(model, INPUTS, target(model, INPUTS), 10**5))
    KernelShap()(keeps, INPUTS[:1], target(model, INPUTS[:1]))
    for method in METHODS:
        assert not method(keeps, INPUTS[:1], target(model, INPUTS[:1])).values[0, :3].any(), method
