import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import RangeError, Unsupported
from probe.explainers import Rise
from probe.explainers.coalitions import coalition_values, every_subset

FIRST = torch.tensor([0])


@pytest.fixture
def smooth() -> Model:
    source = torch.Generator().manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(90, 3)).double().eval()
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.3)
    space = Space(
        reference=torch.rand(1, 2, 6, 5, generator=source, dtype=torch.float64),
        features=torch.arange(60).view(2, 6, 5) // 20,
    )
    return Model(forward=layers, space=space)


def linear(weights):
    weights = torch.stack([weights, -weights], 1)
    return Model(
        forward=lambda x: x.flatten(1) @ weights,
        space=Space(reference=torch.zeros(1, len(weights)).double(), bounds=(-9, 9)),
    )


@pytest.mark.parametrize("keep", [0.5, 0.2])
def test_of_a_linear_model_a_value_is_the_contribution_times_the_chance_to_be_hidden(keep):
    weights, x = torch.tensor([1.0, -2.0, 3.0]).double(), torch.tensor([[2.0, 1.0, 0.0]]).double()
    found = Rise(keep=keep)(linear(weights), x, FIRST)
    assert_close(found.values, (1 - keep) * weights * x)
    assert found.errors is None


@pytest.mark.parametrize("keep", [0.5, 0.3])
def test_all_coalitions_give_the_papers_mean_output_where_a_feature_is_shown_less_the_mean(network, rows, keep):
    model, x = network(6, 3), rows(2, 6)
    masks = every_subset(6)
    values = coalition_values(model, x, torch.tensor([0, 2]), masks, "logit")
    chances = keep ** masks.sum(1).double() * (1 - keep) ** (~masks).sum(1).double()
    shown = (values * chances) @ masks.double() / keep
    expected = shown - (values * chances).sum(1, keepdim=True)
    assert_close(Rise(keep=keep)(model, x, torch.tensor([0, 2])).values, expected)


@pytest.mark.parametrize("keep", [0.5, 0.3])
def test_intervals_hold_the_limit(network, rows, keep):
    model, x, targets = network(8, 1), rows(6, 8), torch.zeros(6, dtype=torch.long)
    limit = Rise(keep=keep)(model, x, targets).values
    found = [Rise(keep=keep, samples=100, seed=seed)(model, x, targets) for seed in range(40)]
    inside = torch.stack([(each.values - limit).abs() <= 1.96 * each.errors for each in found])
    assert 0.91 <= inside.double().mean() <= 0.98


def test_smooth_masks_weigh_the_outputs_of_the_blended_images(smooth):
    """A slow replica, from the method's own masks."""
    x = torch.rand(2, 2, 6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    targets, method = torch.tensor([0, 2]), Rise(cells=3, samples=40, keep=0.4)
    masks, behind = method._smooth(smooth, x).double(), smooth.space.reference
    found = method(smooth, x, targets)
    for row in range(2):
        answers = torch.stack([smooth.logits(behind + m * (x[row] - behind))[0, targets[row]] for m in masks])
        expected = sum((a - answers.mean()) * (m - masks.mean(0)) for a, m in zip(answers, masks, strict=True))
        expected = expected / (0.4 * 39) / 2
        assert_close(found.values[row], expected.expand(2, 6, 5))


def test_a_smooth_mask_shows_each_place_with_the_same_chance_and_is_finer_than_its_cells():
    space = Space(reference=torch.zeros(1, 1, 9, 7))
    masks = Rise(cells=3, samples=4000, keep=0.3)._smooth(Model(forward=nn.Flatten().eval(), space=space), torch.zeros(1, 1, 9, 7))  # fmt: skip # noqa: E501
    assert masks.shape == (4000, 1, 9, 7)
    assert 0 <= masks.min() <= masks.max() <= 1
    assert_close(masks.mean(0), torch.full((1, 9, 7), 0.3), atol=0.03, rtol=0)
    assert ((masks > 0) & (masks < 1)).float().mean() > 0.5


@pytest.mark.slow
def test_intervals_of_smooth_masks_hold_their_limit_for_features_too(smooth):
    x, targets = torch.rand(3, 2, 6, 5, generator=torch.Generator().manual_seed(2)).double(), torch.tensor([0, 1, 2])
    limit = Rise(cells=3, samples=20000, seed=99)(smooth, x, targets).by_feature()
    found = [Rise(cells=3, samples=60, seed=seed)(smooth, x, targets) for seed in range(60)]
    inside = [(each.by_feature() - limit).abs() <= 1.96 * each.errors_by_feature() for each in found]
    assert 0.9 <= torch.stack(inside).double().mean() <= 0.99


def test_a_feature_that_equals_the_reference_has_exactly_0(network, rows):
    model, x = network(12, 1), rows(2, 12)
    x[0, 3] = model.space.reference[0, 3]
    found = Rise(samples=50)(model, x)
    assert found.values[0, 3] == found.errors[0, 3] == 0
    assert (found.values[1] != 0).all()


def test_cells_are_refused_where_nothing_is_near_and_where_they_are_finer_than_pixels(network, rows, smooth):
    with pytest.raises(Unsupported, match=r"cells need images or series, but these inputs are .* set cells=0"):
        Rise(cells=3)(network(), rows(2, 8))
    with pytest.raises(RangeError, match=r"Rise.cells = 6, expected at most 5, the side of the input"):
        Rise(cells=6)(smooth, torch.rand(1, 2, 6, 5).double())


def test_a_series_is_masked_in_stretches():
    space = Space(form="series", reference=torch.zeros(1, 2, 8))
    layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).eval()
    found = Rise(cells=4, samples=50)(Model(forward=layers, space=space), torch.ones(2, 2, 8))
    assert_close(found.values[:, 0], found.values[:, 1])
    assert found.values.abs().max() > 0
