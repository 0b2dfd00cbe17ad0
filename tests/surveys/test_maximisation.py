"""Activation maximisation: of linear units the corner of the box, or what a cost leaves of it; maxima in between."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Dataset, Model, Regression, Space, zoo
from probe.errors import RangeError, Unsupported
from probe.surveys import ActivationMaximisation, LayerActivation

WEIGHTS = torch.randn(3, 6, generator=torch.Generator().manual_seed(3))
BOX = Space(bounds=(-2.0, 5.0))


def linear(space=BOX, **given):
    return Model(forward=lambda x: x.flatten(1) @ WEIGHTS.T + 1, space=space, **given)


def test_of_a_linear_unit_the_corner_of_the_box_is_found():
    found = ActivationMaximisation().maximised(linear(), torch.zeros(1, 6))
    corner = torch.where(WEIGHTS > 0, 5.0, -2.0)
    assert found.inputs.shape == (3, 3, 6)
    assert_close(found.inputs, corner[:, None].expand(3, 3, 6))
    assert_close(found.values, ((corner * WEIGHTS).sum(1) + 1)[:, None].expand(3, 3))


def test_a_cost_of_squared_distance_leaves_the_closed_form():
    space = Space(
        bounds=(torch.tensor([-2.0] * 5 + [-4.0]), torch.tensor([5.0] * 5 + [4.0])), reference=torch.ones(2, 6)
    )
    found = ActivationMaximisation(l2=9.0, steps=600).maximised(linear(space), torch.zeros(1, 6))
    span = torch.tensor([7.0] * 5 + [8.0])
    best = (1 + WEIGHTS * span**2 / (2 * 9)).clamp(*space.bounds)
    assert bool(((best > space.bounds[0]) & (best < space.bounds[1])).any())
    assert_close(found.inputs, best[:, None].expand(3, 3, 6), atol=0.02, rtol=0)


@pytest.mark.slow
def test_of_an_image_costs_of_differences_leave_one_shade_and_the_filter_a_smooth_one():
    space = Space(bounds=(0.0, 1.0))
    weights = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(1)) + torch.tensor([0.3, -0.3]).view(
        2, 1, 1, 1
    )
    model = Model(forward=lambda x: (x[:, None] * weights).flatten(2).sum(2), space=space)
    x = torch.zeros(1, 1, 6, 6)
    flat = ActivationMaximisation(tv=3.0, steps=1000, rate=0.1, starts=1, blur=0.0).maximised(model, x).inputs[:, 0]
    assert_close(flat, torch.tensor([1.0, 0.0]).view(2, 1, 1, 1).expand_as(flat), atol=0.03, rtol=0)
    rough, smooth = (
        ActivationMaximisation(steps=12, rate=0.01, starts=1, blur=blur).maximised(model, x).inputs
        for blur in (0.0, 2.0)
    )
    sizes = [each.diff(dim=-1).abs().sum().item() for each in (rough, smooth)]
    assert sizes[1] < 0.9 * sizes[0]
    found = ActivationMaximisation(steps=200).maximised(model, x).inputs[0, 0]
    assert_close(found, (weights[0] > 0).float())  # left out in the end


PEAKS = torch.tensor([[0.3, 0.3], [0.9, 0.8]])


def hills(x):
    """A low hill near the middle and a high one in a corner, which climbing from the middle misses."""
    far = ((x[:, None] - PEAKS) ** 2).sum(2)
    return (torch.tensor([1.0, 3.0]) * torch.exp(-20 * far)).sum(1, keepdim=True)


def test_the_best_of_several_starts_is_first():
    model = Model(forward=hills, space=Space(bounds=(0.0, 1.0), reference=torch.full((1, 2), 0.35)), task=Regression())
    one, many = (ActivationMaximisation(starts=n).maximised(model, torch.zeros(1, 2)) for n in (1, 20))
    assert_close(one.inputs[0, 0], PEAKS[0], atol=0.05, rtol=0)
    assert_close(many.inputs[0, 0], PEAKS[1], atol=0.02, rtol=0)
    assert many.values[0].tolist() == sorted(many.values[0].tolist(), reverse=True)
    assert_close(many.values[0], hills(many.inputs[0])[:, 0])
    assert float(many.values[0, 0]) == pytest.approx(3.0, abs=0.02)


def photos():
    layers = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 2)).eval()
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source))
    x = torch.rand(5, 1, 4, 4, generator=source)
    return Model(forward=layers, space=Space(bounds=(0.0, 1.0))), x


@pytest.mark.slow
def test_the_units_of_a_layer_are_maximised_in_the_mean_over_their_places(monkeypatch):
    model, x = photos()
    method = ActivationMaximisation(layer="0", units=(2, 0))
    found = method.maximised(model, x)
    for at, unit in enumerate((2, 0)):
        y = torch.zeros(1, 1, 4, 4).requires_grad_()
        model.forward[0](y)[:, unit].mean().backward()
        best = (y.grad > 0).float()
        assert_close(found.inputs[at, 0], best[0])
        assert_close(found.values[at, 0], model.forward[0](best)[0, unit].mean().detach())
    data = Dataset(x, torch.zeros(5, dtype=torch.long), space=model.space)
    seen = method(model, data)
    own = LayerActivation(layer="0")(model, data).evidence[:, [2, 0]]
    assert seen.items == ("0 unit 2", "0 unit 0")
    assert_close(seen.evidence, found.values[:, 0] - own)
    assert seen.cost.backward >= 2 * 3 * 100
    monkeypatch.setattr("probe.tensors.COORDINATES", {"cpu": 16 * 2})
    assert_close(method.maximised(model, x).inputs, found.inputs)


def test_evidence_is_how_far_the_best_input_is_above_each_row_and_all_of_it_is_as_announced():
    model = linear(classes=("a", "b", "c"))
    x = torch.rand(4, 6, generator=torch.Generator().manual_seed(2))
    found = ActivationMaximisation(units=(1,))(model, Dataset(x, torch.zeros(4, dtype=torch.long), space=BOX))
    assert found.items == ("b",)
    best = (torch.where(WEIGHTS[1] > 0, 5.0, -2.0) * WEIGHTS[1]).sum()
    assert_close(found.evidence[:, 0], best - x @ WEIGHTS[1])


def test_what_may_not_change_stays_and_whole_numbers_are_whole():
    mutable = torch.tensor([True] * 5 + [False])
    kinds = ("integer",) + ("continuous",) * 5
    space = Space(bounds=(-2.4, 5.4), mutable=mutable, kinds=kinds, names=tuple("abcdef"), reference=torch.ones(1, 6))
    found = ActivationMaximisation().maximised(linear(space), torch.ones(1, 6)).inputs
    assert torch.equal(found[..., 5], torch.ones(3, 3))
    assert torch.equal(found[..., 0], found[..., 0].round())
    assert_close(found[..., 1:5], torch.where(WEIGHTS[:, 1:5] > 0, 5.4, -2.4)[:, None].expand(3, 3, 4))


def test_what_may_not_change_stays_on_the_way_too():
    space = Space(bounds=(-5.0, 5.0), mutable=torch.tensor([True, False]), reference=torch.tensor([[2.0, -1.0]]))
    model = Model(forward=lambda x: (x[:, 0] * (x[:, 1] + 0.5))[:, None], space=space, task=Regression())
    found = ActivationMaximisation(starts=1).maximised(model, torch.zeros(1, 2))
    assert_close(found.inputs[0, 0], torch.tensor([-5.0, -1.0]))  # to -5 * -.5, as the second cannot become 5


def test_clothes_are_made_that_are_surer_than_any_that_there_are():
    model, test = zoo.load("fashion-cnn"), zoo.data("fashion-mnist")[:200]
    method = ActivationMaximisation(steps=40, starts=1, tv=0.1, units=(1, 9))
    found = method.maximised(model, test.inputs[:1])
    made = found.inputs[:, 0]
    assert model.predict(made).tolist() == [1, 9]
    assert bool((found.values[:, 0] > model.logits(test.inputs).amax(0)[[1, 9]]).all())
    assert 0 <= float(made.min()) <= float(made.max()) <= 1


def test_what_is_no_number_or_no_unit_is_refused():
    data = Dataset(torch.zeros(2, 6), torch.zeros(2, dtype=torch.long), space=BOX)
    with pytest.raises(RangeError, match=r"ActivationMaximisation.units has 3, and model has 3; name some of 0 to 2"):
        ActivationMaximisation(units=(0, 3))(linear(), data)
    model, x = photos()
    with pytest.raises(RangeError, match="the layer '0' has 3; name some of 0 to 2"):
        ActivationMaximisation(layer="0", units=(7,)).maximised(model, x)
    embed = nn.Embedding(4, 3).eval()
    words = Space(words=tuple("-abc"), bounds=(0, 3))
    ids = torch.tensor([[1, 2]])
    texts = Model(forward=lambda e: e.sum(1), embed=embed, space=words)
    with pytest.raises(Unsupported, match=r"changes numbers, and model reads .*; for texts ask model.over_embeddings"):
        ActivationMaximisation().maximised(texts, ids)
    beyond = texts.over_embeddings()
    assert ActivationMaximisation().maximised(beyond, texts.points(ids)).inputs.shape == (3, 3, 2, 3)
    missing = replace(BOX, reference=torch.full((1, 6), torch.nan), missing=(True,) * 6)
    with pytest.raises(Unsupported, match="missing in some rows"):
        ActivationMaximisation().maximised(linear(missing), torch.zeros(1, 6))
