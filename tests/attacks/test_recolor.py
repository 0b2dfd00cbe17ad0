"""Changes of colours: the worst of them on linear models, and pixels of one colour that stay of one colour."""

import pytest
import torch

from probe import Model, Space
from probe.attacks import PGD, Recolor
from probe.attacks.recolor import knots
from probe.errors import Unsupported

SOURCE = torch.Generator().manual_seed(6)
X = torch.rand(5, 3, 6, 6, generator=SOURCE)
LABELS = torch.zeros(5, dtype=torch.int64)
SPACE = Space(bounds=(-9.0, 9.0))
BY_COLOUR = torch.tensor([0.5, -1.0, 0.25])
BY_PIXEL = torch.randn(3, 6, 6, generator=SOURCE)


def test_a_model_of_the_mean_colour_is_moved_as_far_as_the_radius_allows():
    model = Model(forward=lambda x: torch.stack([x.mean((2, 3)) @ BY_COLOUR + 9, 0 * x[:, 0, 0, 0]], 1), space=SPACE)
    budget = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.5])
    found = Recolor(steps=2)(model, X, LABELS, eps=budget)
    wanted = -budget[:, None] * BY_COLOUR.sign()
    torch.testing.assert_close(found.perturbed - X, wanted[:, :, None, None].expand(X.shape), atol=1e-5, rtol=0)
    assert found.forwards.tolist() == [2 + 2 + 1] * 5
    near = Model(forward=lambda x: torch.stack([(x - X[:1]).mean((2, 3)) @ BY_COLOUR, 0 * x[:, 0, 0, 0] - 0.35], 1),
                 space=SPACE)  # fmt: skip
    # Of the sum of 1.75 radii it takes 0.2.
    assert [bool(Recolor(eps=eps)(near, X[:1], LABELS[:1]).success) for eps in (0.199, 0.201)] == [False, True]


def test_the_worst_change_of_colours_is_found_where_pixels_matter_differently():
    """Of an image of four colours at the ends of the grid each knot has its own pixels, and its own best move."""
    corner = torch.randint(4, (5, 6, 6), generator=SOURCE)
    images = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1]])[corner].movedim(3, 1)
    model = Model(
        forward=lambda x: torch.stack([(x * BY_PIXEL).sum((1, 2, 3)) + 99, 0 * x[:, 0, 0, 0]], 1), space=SPACE
    )
    found = Recolor(eps=0.2, colours=4, steps=2)(model, images, LABELS)
    for row in range(5):
        for colour in range(4):
            own = corner[row] == colour
            wanted = -0.2 * BY_PIXEL[:, own].sum(1).sign()
            change = (found.perturbed - images)[row][:, own]
            torch.testing.assert_close(change, wanted[:, None].expand(change.shape), atol=1e-5, rtol=0)


def test_similar_colours_move_alike_and_an_example_the_same_in_any_batch():
    images = X.clone()
    images[:, :, 2, 3], images[:, :, 0, 0] = images[:, :, 4, 1], images[:, :, 5, 5] + 0.01
    model = Model(
        forward=lambda x: torch.stack([(x.tanh() * BY_PIXEL).sum((1, 2, 3)), 0 * x[:, 0, 0, 0]], 1), space=SPACE
    )
    labels = model.predict(images)
    attack = Recolor(eps=0.1, colours=3, steps=4, restarts=3)
    found = attack(model, images, labels)
    change = found.perturbed - images
    torch.testing.assert_close(change[:, :, 2, 3], change[:, :, 4, 1])
    # A step of 0.01 in each channel is at most 0.03 knots of this grid, each of which differs by two radii at most.
    span = images.amax((2, 3)) - images.amin((2, 3))
    assert bool(((change[:, :, 0, 0] - change[:, :, 5, 5]).abs() <= (2 * 0.01 / span).sum(1, keepdim=True) * 0.2).all())
    assert 0 < float(change.abs().max()) <= 0.1 + 1e-6
    assert float(PGD(eps=0.1, steps=4)(model, images, labels).perturbed.sub(images)[:, :, 2, 3].sub(
        (found.perturbed - images)[:, :, 4, 1]).abs().max()) > 0.05  # fmt: skip
    order = torch.tensor([3, 0])
    torch.testing.assert_close(attack(model, images[order], labels[order]).perturbed, found.perturbed[order])
    weights = knots(images, 3)
    torch.testing.assert_close(weights.sum(3), torch.ones(5, 3, 36))


@pytest.mark.parametrize("shape", [(1, 6, 6), (4, 6, 6), (3,), (3, 6)])
def test_images_without_three_channels_are_refused(shape):
    with pytest.raises(Unsupported, match=r"changes the colours of images \(3, height, width\)"):
        Recolor()(Model(forward=lambda x: x.flatten(1)), torch.rand(2, *shape), LABELS[:2])
