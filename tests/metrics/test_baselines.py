"""Metrics that replace features by those of a named baseline: black, the input's mean, its blur, or random values."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from probe import Attribution, Model, Space
from probe.errors import Unsupported
from probe.explainers import IntegratedGradients, Saliency
from probe.metrics import (
    Deletion,
    FaithfulnessCorrelation,
    FFidelity,
    Infidelity,
    Insertion,
    Monotonicity,
    NullPlayer,
    SensitivityN,
    Sufficiency,
)
from probe.metrics.masked import Memory

EVERY = (
    Deletion(), Insertion(), Sufficiency(), FaithfulnessCorrelation(), Infidelity(), SensitivityN(), FFidelity(),
    Monotonicity(), NullPlayer(),
)  # fmt: skip
NAMES = ("black", "mean", "blur", "random")
SHAPES = {"images": (2, 4, 4), "series": (2, 8)}


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def model_of(shape=SHAPES["images"], **said):
    weights = draw(torch.Size(shape).numel(), 2) - 0.5
    form = {"form": "series"} if len(shape) == 2 else {}
    space = Space(bounds=(-1.0, 2.0), **form, **said)
    return Model(forward=lambda x: 2 + torch.sin(3 * x.flatten(1)) @ weights, space=space, classes=("a", "b"))


def attributed(model, x, method=None):
    values = draw(*x.shape, seed=5) - 0.5
    return Attribution(values, x, torch.arange(len(x)) % 2, method or Saliency(output="probability"), model.space)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("metric", EVERY, ids=lambda metric: metric.name())
@pytest.mark.parametrize("name", NAMES)
def test_evidence_is_that_of_the_same_rows_as_reference_of_one_input_after_another(metric, name, shape):
    model, x = model_of(shape), draw(3, *shape, seed=1)
    named = replace(metric, baseline=name, sigma=1.5, seed=3)
    found = named(model, attributed(model, x)).evidence
    behind = named.behind(model, x).expand_as(x)
    for at in range(len(x)):
        there = replace(model, space=replace(model.space, reference=behind[at : at + 1]))
        alone = replace(metric, seed=3)(there, attributed(there, x)[at])
        assert_close(found[at], alone.evidence[0], rtol=1e-9, atol=1e-9)


def test_the_curve_of_deletion_ends_at_the_baseline_by_hand():
    weights = torch.tensor([[4.0, 3.0, 2.0, 1.0]], dtype=torch.float64)
    forward = lambda x: torch.cat([x.flatten(1) @ weights.T, 0 * x.flatten(1)[:, :1]], 1)  # noqa: E731
    model = Model(forward=forward, space=Space(bounds=(-1.0, 1.0)))
    image = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]], dtype=torch.float64)
    found = Attribution(weights.view(1, 1, 2, 2), image, torch.tensor([0]), Saliency(), model.space)
    # Black takes 8, 3, 2 and 2 from 5 in this order; the mean, .5, takes 2, -1.5, -1 and .5.
    for name, curve in (("black", [5, -3, -6, -8, -10]), ("mean", [5, 3, 4.5, 5.5, 5])):
        own, _, share = Deletion(baseline=name, output="logit").curves(model, found)[0]
        assert own[:5].tolist() == pytest.approx(curve)
        assert share.tolist() == pytest.approx([0, 0.25, 0.5, 0.75, *[1] * 13])


def test_a_random_row_is_shared_and_depends_on_the_seed_alone():
    model, x = model_of(), draw(3, *SHAPES["images"], seed=1)
    one = Deletion(baseline="random", seed=1).behind(model, x)
    assert torch.equal(one, Insertion(baseline="random", seed=1).behind(model, x[:1]))
    assert not torch.equal(one, Deletion(baseline="random", seed=2).behind(model, x))
    assert len(one) == 1
    assert float(one.min()) >= -1
    assert float(one.max()) <= 2


def test_what_a_baseline_was_asked_is_remembered_beside_that_of_others():
    model, x = model_of(reference=draw(2, *SHAPES["images"], seed=9)), draw(3, *SHAPES["images"], seed=1)
    found, memory = attributed(model, x), Memory()
    metrics = [replace(kind, baseline=name) for kind in (Deletion(), Insertion()) for name in ("reference", *NAMES)]
    for metric in metrics:
        assert torch.equal(metric.measure(model, found, memory), metric(model, found).evidence)
    kept = Memory()
    kept.take(memory.state)
    for held in (memory, kept):
        before = model.usage.forward
        for metric in metrics:
            assert torch.equal(metric.measure(model, found, held), metric(model, found[:]).evidence)
        asked = model.usage.forward - before
        before = model.usage.forward
        for metric in metrics:
            metric(model, found)
        assert asked == model.usage.forward - before  # those of `metric(model, found[:])` alone


def test_a_state_that_does_not_fit_together_is_refused():
    model, x = model_of(), draw(2, *SHAPES["images"], seed=1)
    memory = Memory()
    Deletion(baseline="blur").measure(model, attributed(model, x), memory)
    with pytest.raises(ValueError, match="as many keys"):
        Memory().take(memory.state | {"answers-0": memory.state["answers-0"][:-1]})


def test_a_gradient_is_multiplied_by_the_change_from_the_named_baseline():
    weights = draw(32, 2) - 0.5
    model = Model(forward=lambda x: x.flatten(1) @ weights, space=Space(bounds=(-1.0, 2.0)))
    x = draw(3, *SHAPES["images"], seed=1)
    for name in NAMES:
        metric = Infidelity(baseline=name, rescaled=False)
        assert metric(model, Saliency()(model, x)).evidence[:, 0].tolist() == pytest.approx([0] * 3, abs=1e-12)


def test_a_baseline_needs_images_or_series_and_finite_bounds_but_no_reference():
    table = Model(forward=lambda x: 2 + x[:, :2], space=Space(reference=torch.zeros(1, 3)))
    rows = IntegratedGradients()(table, torch.ones(1, 3))
    for metric in EVERY:
        with pytest.raises(Unsupported, match='leave it at baseline="reference"'):
            replace(metric, baseline="blur")(table, rows)
    endless = replace(model_of(), space=Space(bounds=(-torch.inf, torch.inf)))
    x = draw(1, *SHAPES["images"])
    for name in ("black", "random"):
        with pytest.raises(Unsupported, match="finite bounds"):
            Deletion(baseline=name)(endless, attributed(endless, x))
    assert Deletion(baseline="blur")(endless, attributed(endless, x)).value > -1
