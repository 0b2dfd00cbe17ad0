import numpy as np
import pytest
import torch

from probe import Model, Space, plots
from probe.explainers import KernelShap
from probe.features import squares
from probe.formatting import MINUS

NOISE = np.random.default_rng(0).normal(size=(1, 100, 100))
RED = np.zeros((100, 100, 3)) + np.array([1.0, 0.0, 0.0])


def labels(ax):
    return [label.get_text() for label in ax.child_axes[0].get_xticklabels()]


def test_one_extreme_pixel_does_not_wash_out_a_heat_map():
    glaring = NOISE.copy()
    glaring[0, 3, 4] = 1e4
    limit = plots.heatmap(glaring).images[0].get_clim()[1]
    assert limit == pytest.approx(np.quantile(np.abs(NOISE), 0.99), rel=0.05)
    assert labels(plots.heatmap(glaring)) == [f"≤ {MINUS}{limit:.2g}", "0", f"≥ +{limit:.2g}"]


def test_the_scale_of_a_heat_map_of_few_values_ends_at_the_largest():
    ax = plots.heatmap([[0.5, -2.0], [0.0, 1.0]])
    assert ax.images[0].get_clim() == (-2.0, 2.0)
    assert labels(ax) == [f"{MINUS}2", "0", "+2"]


def test_the_pixels_that_are_zero_do_not_shrink_the_scale_of_a_heat_map():
    sparse = np.zeros((1, 200, 200))
    sparse[0, :12, :12] = np.linspace(1, 2, 144).reshape(12, 12)
    assert plots.reach(plots.pixel_map(sparse)) == pytest.approx(np.quantile(np.linspace(1, 2, 144), 0.99))


def test_groups_of_a_heat_map_are_coloured_by_their_value_whatever_their_size():
    features = np.zeros((3, 4, 4), dtype=int)
    features[:, 0, 0] = 1  # one pixel of three channels; the other group owns fifteen
    shared = np.where(features == 1, 5.0 / 3, 10.0 / 45)
    shown = plots.pixel_map(shared, features)
    assert shown[0, 0] == pytest.approx(5.0)
    assert shown[1:] == pytest.approx(10.0)


def test_pixels_with_values_of_their_own_are_shown_as_they_are_within_groups():
    features = np.repeat(np.arange(2), 8).reshape(1, 4, 4)
    values = np.arange(16.0).reshape(1, 4, 4)
    assert plots.pixel_map(values, features) == pytest.approx(values[0])


def test_groups_of_one_channel_each_add_up_in_a_pixel():
    features = np.arange(3)[:, None, None] * np.ones((3, 2, 2), dtype=int)
    shared = np.array([4.0, 8.0, -4.0])[:, None, None] * np.ones((3, 2, 2)) / 4
    assert plots.pixel_map(shared, features) == pytest.approx(8.0)


def test_a_photo_is_drawn_in_grey_below_its_heat_map_and_a_small_image_as_an_outline():
    photo, overlay = plots.heatmap(NOISE, RED).images
    assert photo.get_array().ndim == 2
    assert overlay.get_array().shape == (100, 100, 4)
    clear = plots.heatmap(np.zeros((100, 100)), RED).images[1].get_array()
    assert (clear[..., 3] == 0).all()
    assert len(plots.heatmap(NOISE[:, :28, :28], RED[:28, :28]).images) == 1


def test_changes_of_channels_that_cancel_are_seen():
    before = np.full((2, 2, 3), 0.5)
    ax = plots.before_and_after(before, before + np.array([0.1, -0.1, 0.0]), gain=1)
    assert np.abs(np.asarray(ax.images[2].get_array())) == pytest.approx(0.1)
    assert ax.images[0].get_array().shape == (2, 2, 3)


def test_shap_of_squares_is_drawn_in_the_unit_of_the_output():
    space = Space(features=squares(8, 8, 4).expand(3, 8, 8), reference=torch.zeros(1, 3, 8, 8))

    def forward(images):
        corner = images[:, :, :4, :4].sum((1, 2, 3))
        return torch.stack([-corner, corner], 1)

    images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = KernelShap()(Model(forward=forward, space=space, classes=("no", "yes")), images, torch.tensor([1]))
    ax = found.plot()
    assert ax.images[0].get_array()[0, 0] == pytest.approx(float(images[:, :, :4, :4].sum()), rel=1e-5)
    assert "class yes" in ax.get_title(loc="left")
