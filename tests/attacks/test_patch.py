"""Patches: the best square of a linear model by trying all, and what holds for any."""

import pytest
import torch

from probe import Model, Space
from probe.attacks import PatchAttack
from probe.errors import Unsupported

WEIGHT = torch.randn(1, 2, 7, 6, generator=torch.Generator().manual_seed(0))
IMAGES = torch.rand(5, 2, 7, 6, generator=torch.Generator().manual_seed(1))


def linear(offset=-99.0):
    def forward(x):
        score = (x * WEIGHT).flatten(1).sum(1) + offset
        return torch.stack([-score, score], 1)

    return Model(forward=forward, space=Space(bounds=(0.0, 1.0)))


@pytest.mark.parametrize("side", [1, 3])
def test_on_a_linear_model_it_is_the_best_of_all_squares(side):
    model = linear()
    found = PatchAttack(side=side)(model, IMAGES, torch.zeros(5, dtype=torch.long))
    gain = WEIGHT.clamp(min=0) * (1 - IMAGES) + WEIGHT.clamp(max=0) * -IMAGES
    best = gain.sum(1).unfold(1, side, 1).unfold(2, side, 1).sum((3, 4)).flatten(1).amax(1)
    reached = ((found.perturbed - IMAGES) * WEIGHT).flatten(1).sum(1)
    torch.testing.assert_close(reached, best, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_only_a_square_changes_whose_side_is_that_of_each_image_and_pixels_stay_in_bounds():
    model = linear()
    sides = [0, 1, 2, 5, 9]
    found = PatchAttack()(model, IMAGES, torch.zeros(5, dtype=torch.long), eps=sides)
    lengths = found.method.threat.length(model.space, found.perturbed, IMAGES)
    assert lengths.tolist() == [0, 1, 2, 5, 7]
    assert 0 <= found.perturbed.min() <= found.perturbed.max() <= 1


def test_more_squares_find_more_where_the_first_is_a_trap():
    class Trap(torch.nn.Module):
        """The corner with the steepest slope saturates at once; the other does not."""

        def forward(self, x):
            steep, real = x[:, 0, :2, :2].sum((1, 2)), x[:, 0, 4:, 4:].sum((1, 2))
            score = 5 * steep.clamp(max=0.01) + real - 3
            return torch.stack([-score, score], 1)

    model = Model(forward=Trap().eval(), space=Space(bounds=(0.0, 1.0)))
    x, y = torch.zeros(3, 1, 6, 6), torch.zeros(3, dtype=torch.long)
    assert not PatchAttack(side=2, places=1)(model, x, y).success.any()
    found = PatchAttack(side=2, places=2)(model, x, y)
    assert found.success.all()
    assert not found.perturbed[:, 0, :2, :2].any()


def test_images_that_are_done_are_asked_no_further():
    x = IMAGES[:2].clone()
    model = linear(offset=-float((x[0] * WEIGHT[0]).sum()) - 0.01)  # the first is right by a little
    labels = model.predict(x)
    found = PatchAttack(side=3)(model, x, labels)
    assert found.success[0]
    assert found.queries[0] < 10


def test_what_is_no_image_or_has_no_bounds_is_refused():
    table = Model(forward=lambda x: torch.stack([-x.sum(1), x.sum(1)], 1))
    with pytest.raises(Unsupported, match="a patch covers a square of an image"):
        PatchAttack()(table, torch.rand(2, 4), torch.zeros(2, dtype=torch.long))
    free = Model(forward=linear().forward, space=Space(bounds=(-torch.inf, torch.inf)))
    with pytest.raises(Unsupported, match="takes pixels to their bounds, and model has infinite ones"):
        PatchAttack()(free, IMAGES, torch.zeros(5, dtype=torch.long))
