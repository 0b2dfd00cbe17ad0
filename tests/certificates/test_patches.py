"""Certificates against patches: exact on linear models, and no content of a certified square changes a decision."""

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.attacks import PatchAttack
from probe.certificates import Crown, IntervalBounds, PatchBounds
from probe.certificates.bounded import Search
from probe.certificates.patches import _region, squares
from probe.errors import Unsupported
from tests.certificates.test_bounds import lead, rows, seeded


def linear(mutable=None):
    net = seeded(nn.Sequential(nn.Flatten(), nn.Linear(50, 3)))
    net[1].bias.data.copy_(torch.tensor([12.0, 4.0, 0.0]))
    return Model(forward=net, space=Space(bounds=(-0.5, 1.5), mutable=mutable))


def test_on_a_linear_model_the_side_is_exact():
    model, images = linear(), 2 * rows(24, 2, 5, 5) - 0.5
    labels = model.predict(images)
    weight = model.forward[1].weight.detach()
    drop = weight[labels][:, None] - weight  # of each lead, for each pixel
    ends = images.flatten(1)[:, None]
    most = torch.maximum(drop * (ends + 0.5), drop * (ends - 1.5)).view(24, 3, 2, 5, 5).sum(2)
    expected = torch.zeros(24)
    for side in range(1, 5):
        worst = torch.einsum("rcyx,pyx->rpc", most, squares(images, side).float()).amax(1)
        lost = torch.stack([worst[at, torch.arange(3) != label] for at, label in enumerate(labels)])
        expected[(lead(model.logits(images), labels) > lost).all(1) & (expected == side - 1)] = side
    assert len(expected.unique()) > 2
    proof = PatchBounds(most=4)(model, images, labels)
    assert torch.equal(proof.radius, torch.where(expected > 0, expected + 0.5, 0.0))
    assert torch.equal(proof.certified(2), expected >= 2)
    assert not PatchAttack()(model, images, labels, eps=expected).success.any()


@pytest.mark.parametrize("method", [IntervalBounds(), Crown()], ids=["intervals", "crown"])
def test_bounds_hold_for_every_content_of_a_square(method):
    net = seeded(nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(16, 3)))
    model, images, source = Model(forward=net), rows(3, 2, 5, 5), torch.Generator().manual_seed(2)
    search, masks = Search.of(method, model, images), squares(images, 3)
    each = torch.arange(3).repeat_interleave(len(masks))
    chosen = masks.repeat(3, 1, 1)
    low = search.within(_region(search, each, chosen), each, method)
    for content in (0.0, 1.0, *torch.rand(60, 27, 2, 5, 5, generator=source).round(decimals=0)):
        moved = torch.where(chosen[:, None], torch.as_tensor(content), images[each])
        assert bool((lead(model.logits(moved), search.labels[each]) >= low - 1e-4).all())
    assert bool((lead(model.logits(images[each]), search.labels[each]) > low).any())


def test_lines_certify_what_intervals_do_not_and_never_less():
    net = seeded(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 3))
    )
    model, images = Model(forward=net), rows(16, 1, 5, 5)
    labels = model.predict(images)
    rough, fine = (PatchBounds(inner=inner)(model, images, labels).radius for inner in ("intervals", "crown"))
    assert bool((fine >= rough).all())
    assert bool((fine > rough).any())


def test_squares_are_all_places_and_pixels_that_stay_are_in_none():
    assert squares(torch.zeros(1, 3, 4, 6), 3).shape == (8, 4, 6)
    assert squares(torch.zeros(1, 3, 4, 6), 3).sum((1, 2)).tolist() == [9] * 8
    assert squares(torch.zeros(1, 1, 2, 4), 3).sum((1, 2)).tolist() == [6, 6]  # as high as the image
    stays = torch.zeros(2, 5, 5, dtype=torch.bool)
    model, images = linear(mutable=stays), rows(4, 2, 5, 5)
    assert PatchBounds(most=9)(model, images, model.predict(images)).radius.tolist() == [5.5] * 4  # the whole image


def test_what_has_no_squares_or_no_ends_is_refused():
    flat = Model(forward=seeded(nn.Sequential(nn.Linear(4, 2))))
    with pytest.raises(Unsupported, match="square of an image"):
        PatchBounds()(flat, rows(2, 4), torch.zeros(2, dtype=torch.long))
    net = seeded(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))
    open_ended = Model(forward=net, space=Space(bounds=(-torch.inf, torch.inf)))
    with pytest.raises(Unsupported, match="infinite ones; set Space"):
        PatchBounds()(open_ended, rows(2, 1, 2, 2), torch.zeros(2, dtype=torch.long))
