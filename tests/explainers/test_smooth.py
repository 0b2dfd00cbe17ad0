from dataclasses import replace

import captum.attr
import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import RangeError, Unsupported
from probe.explainers import InputXGradient, IntegratedGradients, KernelShap, Saliency, SmoothGrad, VarGrad
from probe.registry import build, discover
from probe.tensors import generator

FIRST = torch.tensor([0])


@pytest.fixture
def square() -> Model:
    """The squares of two numbers, the second in units of 10: the gradient is twice the number."""
    space = Space(bounds=(-99.0, 99.0), scale=torch.tensor([1.0, 10.0]), reference=torch.zeros(1, 2))
    return Model(forward=lambda x: torch.stack([(x**2).sum(1), x.sum(1)], 1), space=space)


def test_noise_leaves_the_gradient_of_a_linear_model_as_it_is(linear, inputs, labels):
    expected = Saliency()(linear, inputs, labels).values
    assert_close(SmoothGrad(sigma=3.0)(linear, inputs, labels).values, expected)
    assert VarGrad(sigma=3.0)(linear, inputs, labels).values.abs().max() < 1e-10


def test_mean_and_variance_of_the_gradient_of_a_square_are_known(square):
    x = torch.tensor([[3.0, -2.0]])
    mean = SmoothGrad(sigma=0.5, draws=20_000)(square, x, FIRST).values
    variance = VarGrad(sigma=0.5, draws=20_000)(square, x, FIRST).values
    assert_close(mean, 2 * x, rtol=0, atol=0.3)  # the standard error of the second is 10 / sqrt(20,000)
    assert_close(variance, torch.tensor([[1.0, 100.0]]), rtol=0.04, atol=0)


@pytest.mark.parametrize("inside", [Saliency(), InputXGradient(), IntegratedGradients(steps=3, pieces=1)], ids=str)
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_smoothing_is_the_mean_and_variance_over_copies_asked_one_by_one(network, rows, inside, output):
    model, x, targets = network(), rows(3, 8), torch.tensor([0, 1, 2])
    source, inside = generator(7, torch.device("cpu")), replace(inside, output=output)
    found = []
    for _ in range(9):
        noisy = x + 0.2 * torch.randn(8, generator=source).double()
        found.append(inside.attribute(model, noisy, targets))
    settings = {"around": inside, "draws": 9, "sigma": 0.2, "seed": 7, "output": output}
    expected = torch.stack(found)
    assert_close(SmoothGrad(**settings)(model, x, targets).values, expected.mean(0), rtol=1e-9, atol=1e-12)
    spread = expected.var(0, unbiased=False)
    assert_close(VarGrad(**settings)(model, x, targets).values, spread, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("kind", "theirs"), [(SmoothGrad, "smoothgrad"), (VarGrad, "vargrad")])
def test_captum_agrees_up_to_the_draws(network, rows, kind, theirs):
    model, x, targets = network(), rows(2, 8), torch.tensor([0, 1])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        expected = captum.attr.NoiseTunnel(captum.attr.Saliency(model.forward)).attribute(
            x, nt_type=theirs, nt_samples=4000, stdevs=0.3, target=targets, abs=False
        )
    found = kind(sigma=0.3, draws=4000)(model, x, targets).values
    assert_close(found, expected, rtol=0.1, atol=0.15)


def test_noise_does_not_depend_on_the_pass(network, rows, monkeypatch):
    model, x = network(), rows(3, 8)
    expected = SmoothGrad(draws=20)(model, x).values
    monkeypatch.setattr("probe.tensors.COORDINATES", {"cpu": 8 * 7})
    assert_close(SmoothGrad(draws=20)(model, x).values, expected, rtol=1e-12, atol=1e-12)
    assert not torch.equal(SmoothGrad(draws=20, seed=1)(model, x).values, expected)


def test_categories_and_fixed_columns_get_no_noise():
    kinds, features = ("category", "continuous", "continuous"), torch.tensor([0, 0, 1, 2])
    space = Space(features=features, kinds=kinds, mutable=torch.tensor([True, True, True, False]))
    model = Model(forward=lambda x: torch.stack([(x**2).sum(1), x.sum(1)], 1), space=space)
    found = VarGrad(around=InputXGradient())(model, torch.tensor([[1.0, 0.0, 0.5, 0.5]]), FIRST).values[0]
    assert found[[0, 1, 3]].tolist() == [0, 0, 0]
    assert found[2] > 0


def test_words_are_smoothed_over_their_embeddings():
    table = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    model = Model(forward=lambda e: e.sum(1), embed=lambda ids: table[ids], space=Space(bounds=(0, 8)))
    ids = torch.tensor([[1, 5, 2]])
    assert_close(SmoothGrad()(model, ids, FIRST).values, Saliency()(model, ids, FIRST).values)


def test_each_noisy_copy_is_counted(network, rows):
    cost = SmoothGrad(draws=20)(network(), rows(3, 8), torch.tensor([0, 1, 2])).cost
    assert (cost.forward, cost.backward) == (60, 60)


def test_the_explainer_inside_is_a_setting_that_travels_as_json():
    method = SmoothGrad(around=IntegratedGradients(steps=5), draws=3)
    assert build(discover("explainer"), method.config()) == method
    assert build(discover("explainer"), {"method": "smooth_grad", "around": "input_x_gradient"}).around == (
        InputXGradient()
    )


def test_what_follows_no_gradient_is_not_smoothed(network, rows):
    with pytest.raises(Unsupported, match="kernel_shap uses none; set around to one that does, such as Saliency"):
        SmoothGrad(around=KernelShap())(network(), rows(1, 8))
    table = Model(forward=lambda x: x * 2, space=Space(features=torch.tensor([0, 0]), kinds=("category",)))
    with pytest.raises(Unsupported, match="a small step along a coordinate"):
        SmoothGrad()(table, torch.tensor([[1.0, 0.0]]))


def test_two_different_outputs_are_refused(network, rows):
    with pytest.raises(RangeError, match=r"output = 'logit' and around.output = 'probability'; set output='probab"):
        SmoothGrad(around=Saliency(output="probability"))(network(), rows(1, 8))
