"""Rotations and translations: what they do to an image, and the worst of the grid."""

from itertools import product

import pytest
import torch

from probe import Model
from probe.attacks import RotationTranslation
from probe.attacks.spatial import turned
from probe.errors import Unsupported

IMAGES = torch.rand(6, 2, 7, 7, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_anticlockwise_and_shifts_go_down_and_across(turns):
    angle = torch.full((6,), 90.0 * turns)
    none = 0 * angle
    torch.testing.assert_close(turned(IMAGES, angle, none, none), IMAGES.rot90(turns, (2, 3)), atol=1e-5, rtol=0)
    moved = turned(IMAGES, none, none + 1, none - 2)
    torch.testing.assert_close(moved[:, :, 1:, :5], IMAGES[:, :, :6, 2:], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[:, :, 0, :5], IMAGES[:, :, 0, 2:], atol=1e-5, rtol=0)  # the edge again


def test_the_point_with_the_highest_loss_of_the_grid_is_found():
    weight = torch.randn(2, 7, 7, generator=torch.Generator().manual_seed(5))
    model = Model(forward=lambda x: torch.stack([(x * weight).sum((1, 2, 3)) + 9, 0 * x[:, 0, 0, 0] - 9], 1))
    labels = torch.zeros(6, dtype=torch.int64)
    found = RotationTranslation(degrees=40, pixels=2, angles=5, shifts=3)(model, IMAGES, labels)
    grid = product((-40.0, -20.0, 0.0, 20.0, 40.0), (-2.0, 0.0, 2.0), (-2.0, 0.0, 2.0))
    every = torch.stack([
        (turned(IMAGES, *torch.tensor(each).expand(6, 3).T) * weight).sum((1, 2, 3)) for each in grid
    ])  # fmt: skip
    assert not found.success.any()
    torch.testing.assert_close((found.perturbed * weight).sum((1, 2, 3)), every.min(0).values, atol=1e-4, rtol=0)
    assert (found.queries == 45).all()
    # The smallest change that reaches the goal is taken, and what has reached it is asked no further.
    near = Model(forward=lambda x: torch.stack([-(x - IMAGES[:1]).abs().amax((1, 2, 3)), 0 * x[:, 0, 0, 0] - 1e-4], 1))
    least = RotationTranslation(degrees=40, pixels=2, angles=5, shifts=3)(near, IMAGES[:1], labels[:1])
    assert least.queries.tolist() == [2.0]


def test_each_image_has_its_own_share_of_the_largest_change_and_rows_of_tables_are_refused():
    model = Model(forward=lambda x: torch.stack([x[:, 0, 0, 0] + 9, 0 * x[:, 0, 0, 0]], 1))
    labels = torch.zeros(6, dtype=torch.int64)
    attack = RotationTranslation(pixels=2, angles=3, shifts=3)
    found = attack(model, IMAGES, labels, eps=torch.tensor([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]))
    assert torch.equal(found.perturbed[0], IMAGES[0])
    for at in (2, 5):
        alone = attack.at(0.2 * at)(model, IMAGES[at : at + 1], labels[:1])
        torch.testing.assert_close(found.perturbed[at : at + 1], alone.perturbed)
    with pytest.raises(Unsupported, match="turns images"):
        attack(Model(forward=lambda x: x), torch.rand(2, 3), labels[:2])
