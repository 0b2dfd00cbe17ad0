from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from probe import Attribution, Model, Places, Space
from probe.errors import Unsupported
from probe.explainers import InputXGradient, IntegratedGradients, KernelShap, Saliency
from probe.metrics import Completeness, Deletion, Insertion

CONTRIBUTIONS = torch.tensor([4.0, 3.0, 2.0, 1.0])
FIRST = torch.tensor([0])


@pytest.fixture
def additive():
    """The first logit is 4a + 3b + 2c + d."""
    return Model(
        forward=lambda x: torch.stack([x @ CONTRIBUTIONS, -x @ CONTRIBUTIONS], 1),
        space=Space(reference=torch.zeros(1, 4)),
    )


def attribute(model, inputs, values, targets):
    return Attribution(values, inputs, targets, Saliency(), model.space)


def own(metric, model, values):
    """The area under the curve of the values' own order, for an input of ones, in units of the whole output."""
    attribution = attribute(model, torch.ones(1, 4), torch.tensor([values]), FIRST)
    return float(metric(model, attribution).evidence[0, 0]) / 10


@pytest.mark.parametrize(
    ("values", "deleted", "inserted"),
    [
        # Best: the output falls 10, 6, 3, 1, 0; the trapezoids are (8 + 4.5 + 2 + 0.5) / 4 = 3.75.
        ([4.0, 3.0, 2.0, 1.0], 0.375, 0.625),
        ([1.0, 2.0, 3.0, 4.0], 0.625, 0.375),
        ([-4.0, -3.0, -2.0, -1.0], 0.625, 0.375),  # the sign counts, not the size
        ([7.0, 7.0, 7.0, 7.0], 0.375, 0.625),  # ties go by number
    ],
)
def test_deletion_and_insertion_areas_equal_those_by_hand(additive, values, deleted, inserted):
    assert own(Deletion(output="logit"), additive, values) == pytest.approx(deleted)
    assert own(Insertion(output="logit"), additive, values) == pytest.approx(inserted)


def test_steps_set_how_many_features_are_masked_at_a_time(additive):
    # 10, 3, 0: (6.5 + 1.5) / 2 = 4.
    assert own(Deletion(output="logit", steps=2), additive, [4.0, 3.0, 2.0, 1.0]) == pytest.approx(0.4)
    # 10, 6 (one), 1 (three), 0: widths 1/4, 1/2, 1/4 give 2 + 1.75 + 0.125.
    assert own(Deletion(output="logit", steps=3), additive, [4.0, 3.0, 2.0, 1.0]) == pytest.approx(0.3875)


@pytest.mark.parametrize("metric", [Deletion(output="logit"), Insertion(output="logit")])
def test_the_value_is_the_advantage_over_random_orders(additive, metric):
    best = attribute(additive, torch.ones(1, 4), CONTRIBUTIONS[None], FIRST)
    worst = attribute(additive, torch.ones(1, 4), -CONTRIBUTIONS[None], FIRST)
    # An order and its reverse average to exactly half of an additive output.
    assert metric(additive, best).evidence[0, 1] == pytest.approx(5.0)
    assert metric(additive, best).value == pytest.approx(1.25)
    assert metric(additive, worst).value == pytest.approx(-1.25)


@pytest.fixture
def product(network_rows):
    weight, x = network_rows
    model = Model(
        forward=lambda x: torch.tanh(x) @ weight,
        space=Space(bounds=(-9, 9), reference=torch.zeros(1, 10, dtype=x.dtype)),
    )
    return model, x


@pytest.fixture
def network_rows():
    source = torch.Generator().manual_seed(0)
    weight = torch.randn(10, 3, generator=source, dtype=torch.float64)
    return weight, torch.randn(200, 10, generator=source, dtype=torch.float64)


@pytest.mark.parametrize("metric", [Deletion(), Insertion(), Deletion(output="logit"), Insertion(output="logit")])
def test_true_attributions_beat_random_orders_and_noise_does_not(product, metric):
    model, x = product
    truth = metric(model, KernelShap(coalitions=200)(model, x))
    noise_values = torch.randn(x.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    noise = metric(model, attribute(model, x, noise_values, model.predict(x)))
    low, high = noise.interval(level=0.999)
    assert low < 0 < high
    assert truth.interval(level=0.999)[0] > 0.05
    assert truth.value > high


@pytest.mark.parametrize("metric", [Deletion(), Insertion(), Deletion(output="logit", steps=3), Completeness()])
def test_evidence_depends_neither_on_the_batch_nor_on_the_pass(product, monkeypatch, metric):
    model, x = product
    attribution = KernelShap(coalitions=50)(model, x[:6])
    together = metric(model, attribution).evidence
    apart = torch.cat([metric(model, attribution[i]).evidence for i in range(6)])
    assert_close(apart, together, rtol=1e-9, atol=1e-12)
    monkeypatch.setattr("probe.tensors.COORDINATES", {"cpu": 25})
    assert_close(metric(model, attribution).evidence, together, rtol=1e-9, atol=1e-12)


def test_global_random_state_is_left_alone(product):
    model, x = product
    attribution = InputXGradient()(model, x[:2])
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for metric in (Deletion(), Insertion()):
        metric(model, attribution)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002


def test_features_of_several_columns_are_masked_together(additive):
    grouped = Space(reference=torch.zeros(1, 4), features=torch.tensor([0, 0, 1, 1]))
    model = Model(forward=additive.forward, space=grouped)
    attribution = attribute(model, torch.ones(1, 4), torch.tensor([[0.0, 1.0, 5.0, 0.0]]), FIRST)
    # The second pair goes first: 10, 7, 0.
    assert Deletion(output="logit")(model, attribution).evidence[0, 0] == pytest.approx(6.0)


def test_features_that_equal_the_reference_are_in_no_deletion_order(additive):
    """Else a method would beat chance by knowing where nothing is."""
    here = torch.tensor([[1.0, 0.0, 1.0, 0.0]])  # the output falls 6, 2, 0 or 6, 4, 0
    for values, area in (([4.0, 0.0, 2.0, 0.0], 2.5), ([2.0, 9.0, 4.0, -9.0], 3.5)):
        attribution = attribute(additive, here, torch.tensor([values]), FIRST)
        own, random = Deletion(output="logit")(additive, attribution).evidence[0].tolist()
        assert (own, random) == (pytest.approx(area), pytest.approx(3.0))
    nothing = attribute(additive, torch.zeros(1, 4), CONTRIBUTIONS[None], FIRST)
    assert Deletion(output="logit")(additive, nothing).value == 0


def test_masked_features_take_the_mean_reference(additive):
    space = Space(reference=torch.tensor([[0.0] * 4, [0.5] * 4]))
    model = Model(forward=additive.forward, space=space)
    attribution = attribute(model, torch.ones(1, 4), CONTRIBUTIONS[None], FIRST)
    # A quarter of each contribution remains: 2.5 + 0.75 * 3.75.
    assert Deletion(output="logit")(model, attribution).evidence[0, 0] == pytest.approx(5.3125)


def test_tokens_are_deleted_by_their_embeddings():
    table = torch.tensor([0.0, 4.0, 3.0, 2.0, 1.0])
    model = Model(
        forward=lambda e: torch.stack([e.sum((1, 2)), -e.sum((1, 2))], 1),
        embed=lambda ids: table[ids][..., None],
        space=Space(bounds=(0, 4), reference=torch.tensor([[0, 0, 0, 0], [4, 4, 4, 4]])),
    )
    attribution = IntegratedGradients()(model, torch.tensor([[1, 2, 3, 4]]), FIRST)
    # Halves stand for nothing: contributions 3.5, 2.5, 1.5, 0.5 above a floor of 2.
    falls = [10.0, 6.5, 4.0, 2.5, 2.0]
    area = sum((a + b) / 2 for a, b in pairwise(falls)) / 4
    assert Deletion(output="logit")(model, attribution).evidence[0, 0] == pytest.approx(area)


@pytest.mark.parametrize("method", [IntegratedGradients(steps=100), KernelShap()])
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_completeness_measures_the_residual_of_the_sum(product, method, output):
    model, x = product
    references = Space(bounds=(-9, 9), reference=x[100:110] / 2)
    model = Model(forward=model.forward, space=references)
    method = type(method)(**{k: v for k, v in method.config().items() if k != "method"} | {"output": output})
    attribution = method(model, x[:4])
    assert Completeness()(model, attribution).value < 1e-5
    short = Attribution(attribution.values + 0.1, attribution.inputs, attribution.targets, method, model.space)
    assert_close(Completeness()(model, short).evidence[:, 0], torch.ones(4, dtype=x.dtype), rtol=0, atol=1e-5)


def test_completeness_does_not_apply_to_methods_without_a_fixed_sum(product):
    model, x = product
    with pytest.raises(Unsupported, match="saliency"):
        Completeness()(model, Saliency()(model, x[:1]))


def test_attributions_at_a_position_sum_to_the_output_minus_that_of_the_references():
    weights = torch.linspace(-1, 1, 18, dtype=torch.float64).view(3, 6)
    space = Space(reference=torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.5, 0.0]], dtype=torch.float64))
    model = Model(forward=lambda x: (x @ weights).view(-1, 3, 2), space=space, task=Places(("name", "other")))
    x = torch.tensor([[0.2, 0.4, 0.9]], dtype=torch.float64)
    attribution = KernelShap()(model, x, torch.tensor([model.task.index((1, "other"))]))
    residual, promised = Completeness()(model, attribution).evidence[0].tolist()
    assert promised == pytest.approx(float(((x - space.reference.mean(0)) @ weights)[0, 3]))
    assert residual < 1e-9


@pytest.mark.parametrize("metric", [Deletion(steps=3), Insertion(steps=3), Deletion(steps=20)])
def test_curves_have_the_whole_input_at_one_end_and_the_evidence_is_the_area_under_them(metric):
    weights = torch.tensor([4.0, 3.0, 2.0, 1.0])
    model = Model(
        forward=lambda x: torch.stack([x @ weights, 0 * x[:, 0]], 1), space=Space(reference=torch.zeros(1, 4))
    )
    found = InputXGradient()(model, torch.ones(2, 4), torch.tensor([0, 0]))
    curves = metric.curves(model, found)
    assert curves.shape == (2, 3, metric.steps + 1)
    first, last = (10.0, 0.0) if metric.whole == "start" else (0.0, 10.0)
    assert torch.equal(curves[:, :2, 0], torch.full((2, 2), first))
    assert torch.equal(curves[:, :2, -1], torch.full((2, 2), last))
    assert torch.allclose(torch.trapezoid(curves[:, :2], curves[:, 2:], dim=2), metric(model, found).evidence)
