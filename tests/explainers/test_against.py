import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.baselines import blurred
from probe.errors import RangeError, Unsupported
from probe.explainers import AgainstBaseline, GradCAM, IntegratedGradients, KernelShap, Lime, Occlusion, Saliency

SHAPE = (2, 3, 4)


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear(shape=SHAPE, bounds=(-1.0, 2.0)):
    weights = draw(torch.Size(shape).numel(), 2) - 0.5
    form = {"form": "series"} if len(shape) == 2 else {}
    space = Space(bounds=bounds, reference=draw(3, *shape, seed=9), **form)
    return Model(forward=lambda x: x.flatten(1) @ weights, space=space), weights[:, 1].view(shape)


def baseline(name, x):
    if name == "black":
        return torch.full_like(x, -1.0)
    if name == "mean":
        return x.mean(tuple(range(2, x.ndim)), keepdim=True).expand_as(x)
    return blurred(x, 4.0)


@pytest.mark.parametrize("shape", [SHAPE, (2, 12)], ids=["images", "series"])
@pytest.mark.parametrize(
    "inside", [IntegratedGradients(), Occlusion(), KernelShap(coalitions=200)], ids=lambda of: of.name()
)
@pytest.mark.parametrize("name", ["black", "mean", "blur"])
def test_of_a_linear_model_each_value_is_the_weight_times_the_change_from_the_baseline(name, inside, shape):
    model, weights = linear(shape)
    x = draw(3, *shape, seed=1)
    found = AgainstBaseline(explainer=inside, baseline=name)(model, x, torch.ones(3, dtype=torch.long))
    assert_close(found.by_feature(), model.space.by_feature(weights * (x - baseline(name, x))), atol=1e-6, rtol=1e-5)
    assert found.cost.forward > 0


def test_random_rows_are_uniform_within_the_bounds_and_shared_by_all_inputs():
    model, weights = linear()
    x, ones = draw(2, *SHAPE, seed=1), torch.ones(2, dtype=torch.long)
    method = AgainstBaseline(baseline="random", draws=2000, seed=3)
    behind = x - method(model, x, ones).values / weights
    assert_close(behind[0], behind[1])
    assert bool(((behind - 0.5).abs() < 5 * 3 / 12**0.5 / 2000**0.5).all())  # the mean from -1 to 2, by 5 errors
    assert not torch.equal(method(model, x, ones).values, AgainstBaseline(baseline="random")(model, x, ones).values)


def test_an_input_is_worth_nothing_against_itself():
    model, _ = linear()
    flat = torch.full((1, *SHAPE), 0.25, dtype=torch.float64)
    for name in ("mean", "blur"):
        assert_close(AgainstBaseline(baseline=name)(model, flat).values, torch.zeros_like(flat), atol=1e-9, rtol=0)


def test_blur_spreads_a_point_as_a_gaussian_and_keeps_its_sum():
    point = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    point[0, 0, 20, 20] = 1.0
    found = blurred(point, 2.0)[0, 0]
    assert float(found.sum()) == pytest.approx(1.0)
    assert float(found[20, 20] / found[20, 22]) == pytest.approx(torch.e**0.5)
    assert_close(found, found.T)


def test_standard_errors_and_fidelity_of_the_explainer_inside_are_kept():
    model = Model(forward=lambda x: torch.stack([x.flatten(1).prod(1), x.flatten(1).sin().sum(1)], 1), space=Space())
    x = draw(2, 1, 4, 5, seed=1)
    found = AgainstBaseline(explainer=Lime(samples=100), baseline="mean")(model, x)
    assert found.errors.shape == x.shape
    assert found.fidelity.shape == (2,)
    assert_close(found[1].values, AgainstBaseline(explainer=Lime(samples=100), baseline="mean")(model, x[1:]).values)


def test_what_has_no_meaning_is_refused_by_name():
    model, _ = linear()
    x = draw(1, *SHAPE)
    for inside in (Saliency(), GradCAM()):
        with pytest.raises(Unsupported, match="replaces none; set explainer to one that does"):
            AgainstBaseline(explainer=inside)(model, x)
    with pytest.raises(Unsupported, match=r"these inputs are .* ask integrated_gradients itself"):
        AgainstBaseline()(linear((5,))[0], draw(1, 5))
    endless = linear(bounds=(-torch.inf, torch.inf))[0]
    for name in ("black", "random"):
        with pytest.raises(Unsupported, match="needs finite bounds"):
            AgainstBaseline(baseline=name)(endless, x)
    with pytest.raises(RangeError, match="of both"):
        AgainstBaseline(explainer=IntegratedGradients(output="probability"))(model, x)
