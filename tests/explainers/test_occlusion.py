import captum.attr
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import RangeError, Unsupported
from probe.explainers import Occlusion

FIRST = torch.tensor([0])


@pytest.fixture
def network() -> Model:
    """Two channels of 6 by 5 pixels, whose reference rows are two images."""
    source = torch.Generator().manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(90, 3)).double().eval()
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.3)
    reference = torch.rand(2, 2, 6, 5, generator=source, dtype=torch.float64)
    return Model(forward=layers, space=Space(reference=reference))


@pytest.fixture
def images():
    return torch.rand(3, 2, 6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize(
    ("x", "features", "expected"),
    [
        ([20.0, 50.0, 30.0], None, [80.0, 200.0, 120.0]),
        ([2.0, 10.0, 3.0], None, [8.0, 35.0, 12.0]),
        ([20.0, 50.0, 30.0], [0, 0, 1], [280.0, 120.0]),
    ],
)
def test_occlusion_has_the_known_values_of_captums_network(multilayer, x, features, expected):
    space = Space(bounds=(-1000.0, 1000.0), reference=multilayer.space.reference, features=features)
    model = Model(forward=multilayer.forward, space=space)
    found = Occlusion()(model, torch.tensor([x], dtype=torch.float64), FIRST).by_feature()
    assert_close(found, found.new_tensor([expected]), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 1), (2, 1), (4, 3), (5, 5), (1, 0)])
def test_a_sliding_window_gives_each_pixel_the_mean_loss_of_the_windows_that_cover_it(network, images, window, stride):
    targets, step = torch.tensor([0, 2, 1]), stride or window
    whole, total, times = network.logits(images).gather(1, targets[:, None]), torch.zeros_like(images), 0
    for top in range(0, 6 - window + step, step):
        for left in range(0, 5 - window + step, step):
            where = torch.zeros(2, 6, 5, dtype=torch.float64)
            where[:, top : top + window, left : left + window] = 1
            rest = [
                network.logits(torch.where(where > 0, behind, images)).gather(1, targets[:, None])
                for behind in network.space.reference
            ]
            total = total + ((whole - sum(rest) / 2) / where.sum())[:, :, None, None] * where
            times = times + where
    found = Occlusion(window=window, stride=stride)(network, images, targets).values
    assert_close(found, total / times, rtol=1e-9, atol=1e-12)


def test_captum_agrees_where_no_window_is_cut_off(network, images):
    targets, reference = torch.tensor([0, 2, 1]), network.space.reference[:1]
    model = Model(forward=network.forward, space=Space(reference=reference))
    expected = captum.attr.Occlusion(network.forward).attribute(
        images, sliding_window_shapes=(2, 3, 3), strides=(2, 1, 1), baselines=reference, target=targets
    )
    found = Occlusion(window=3, stride=1)(model, images, targets).values
    assert_close((found * 18).float(), expected.float())  # captum adds up in float32


def test_a_window_asks_nothing_of_the_names_of_features(network, images):
    features = torch.tensor([0, 0, 0, 1, 1, 1])[None, :, None].expand(2, 6, 5)
    space = Space(reference=network.space.reference, features=features, names=("top", "bottom"), form="image")
    found = Occlusion(window=3)(Model(forward=network.forward, space=space), images)
    assert_close(found.values, Occlusion(window=3)(network, images).values)
    assert list(found.to_frame()) == ["top", "bottom"]


def test_a_window_covers_what_is_missing():
    space = Space(form="series", missing=(True,) * 4, bounds=(-9.0, 9.0), reference=torch.full((1, 1, 4), torch.nan))
    model = Model(forward=lambda x: torch.stack([x.nan_to_num().sum((1, 2))] * 2, 1), space=space)
    series = torch.tensor([[[1.0, 2.0, torch.nan, 4.0]]])
    assert Occlusion(window=2)(model, series, FIRST).values.tolist() == [[[1.5, 1.5, 2.0, 2.0]]]


def test_occlusion_of_a_linear_model_is_weight_times_difference_from_the_mean_reference(linear, inputs, labels):
    model = Model(forward=linear.forward, space=Space(reference=torch.full((2, 3, 2, 2), 0.25)))
    weights = linear.logits(torch.eye(12).view(12, 3, 2, 2)) - linear.logits(torch.zeros(1, 3, 2, 2))
    expected = weights.T[labels].view(-1, 3, 2, 2) * (inputs - 0.25)
    assert_close(Occlusion()(model, inputs, labels).values, expected, rtol=1e-4, atol=1e-5)


def test_a_window_slides_over_a_series_and_through_all_its_channels():
    space = Space(form="series", bounds=(-9.0, 9.0), reference=torch.zeros(1, 2, 5))
    model = Model(forward=lambda x: torch.stack([x.sum((1, 2)), x[:, 0].sum(1)], 1), space=space)
    found = Occlusion(window=2)(model, torch.arange(10.0).view(1, 2, 5), FIRST).values
    assert_close(found, torch.tensor([[3.0, 3.0, 5.0, 5.0, 6.5]]).expand(1, 2, 5))


def test_windows_that_change_nothing_are_not_asked(network):
    black = Model(forward=network.forward, space=Space(reference=torch.zeros(1, 2, 6, 5)))
    image = torch.zeros(1, 2, 6, 5, dtype=torch.float64)
    image[0, 0, 2, 2] = 1.0
    found = Occlusion(window=2, stride=1)(black, image, FIRST)
    assert found.cost.forward <= 4  # whole, without its one bright pixel, and once again for each
    assert found.values[0, :, [0, 4, 5]].abs().max() == 0
    assert found.values[0, :, 2, 2].abs().min() > 0


def test_windows_evaluated_in_parts_give_the_same_values(network, images, monkeypatch):
    method, targets = Occlusion(window=2, stride=1), torch.tensor([0, 2, 1])
    expected = method(network, images, targets).values
    monkeypatch.setattr("probe.explainers.occlusion._FLAGS", 60)
    assert_close(method(network, images, targets).values, expected, rtol=1e-12, atol=1e-12)


def test_occlusion_replaces_one_word_at_a_time():
    table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0], [2.0, 2.0]])
    space = Space(bounds=(0, 3), reference=torch.zeros(1, 3, dtype=torch.long))
    model = Model(forward=lambda e: e.sum(1), embed=lambda ids: table[ids], space=space)
    found = Occlusion()(model, torch.tensor([[1, 0, 3]]), FIRST)
    assert found.values.tolist() == [[1.0, 0.0, 2.0]]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"window": 6}, RangeError, "window = 6, expected at most 5, the side of the input"),
        ({"window": 2, "stride": 3}, RangeError, "stride = 3 is wider than its window of 2"),
        ({"stride": 1}, RangeError, "stride = 1 is wider than its window of 0"),
    ],
)
def test_windows_that_cannot_cover_an_image_are_refused(network, images, settings, error, message):
    with pytest.raises(error, match=message):
        Occlusion(**settings)(network, images)


def test_a_window_over_rows_of_a_table_is_refused(multilayer):
    with pytest.raises(Unsupported, match=r"a window needs images or series, but these inputs are .*set window=0"):
        Occlusion(window=2)(multilayer, torch.ones(1, 3, dtype=torch.float64))
