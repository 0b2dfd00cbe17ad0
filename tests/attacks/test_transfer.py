"""NI, DI and TI as published, each beside a plain replica, and the optimum of a linear model."""

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.attacks import MIFGSM, TransferAttack
from probe.attacks.transfer import _smaller

SOURCE = torch.Generator().manual_seed(4)
PLAIN = {"ahead": False, "diversity": 0.0, "blur": 0.0}
UNIT = Space(bounds=(0.0, 1.0))
WIDE = Space(bounds=(-99.0, 99.0))


def network():
    """A network of images, and eight of them."""
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 5 * 6, 3)).double().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=SOURCE) / 3)
    return net, torch.rand(8, 2, 7, 8, generator=SOURCE, dtype=torch.float64)


def slope(net, x, y):
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(nn.functional.cross_entropy(net(leaf), y, reduction="sum"), leaf)[0]


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_worst_point_of_a_linear_model_is_reached(norm):
    weight, x = torch.randn(20, generator=SOURCE), torch.randn(64, 20, generator=SOURCE)
    model = Model(forward=lambda x: torch.stack([-(x @ weight) / 2, (x @ weight) / 2], -1), space=WIDE)
    found = TransferAttack(eps=0.05, norm=norm)(model, x, model.predict(x))
    dual = torch.linalg.vector_norm(weight, ord={"linf": 1, "l2": 2, "l1": torch.inf}[norm])
    worst = (x @ weight).abs() - 0.05 * dual
    assert torch.equal(found.success, worst < 0)
    side = torch.where(x @ weight > 0, 1.0, -1.0)
    torch.testing.assert_close((found.perturbed @ weight) * side, worst, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("given", [{}, {"ahead": True}, {"blur": 0.8}, {"ahead": True, "blur": 1.2}], ids=repr)
def test_steps_are_the_published_ones(given):
    net, x = network()
    model = Model(forward=net, space=UNIT)
    y, eps, settings = model.predict(x), 0.03, PLAIN | given
    found = TransferAttack(eps=eps, steps=4, decay=0.9, **settings)(model, x, y)
    here, total, points = x, torch.zeros_like(x), []
    for _ in range(4):
        ahead = (here + 0.9 * eps / 4 * total).clamp(0, 1) if settings["ahead"] else here
        gradient = slope(net, ahead, y)
        if settings["blur"]:
            steps = torch.arange(-8, 9, dtype=torch.float64)
            bell = (-(steps[:, None].square() + steps.square()) / 2 / settings["blur"] ** 2).exp()
            gradient = nn.functional.conv2d(gradient, bell.expand(2, 1, 17, 17), padding=8, groups=2)
        total = 0.9 * total + gradient / gradient.abs().mean((1, 2, 3), keepdim=True)
        here = (x + (here + eps / 4 * total.sign() - x).clamp(-eps, eps)).clamp(0, 1)
        points.append(here)
    losses = torch.stack([nn.functional.cross_entropy(net(point), y, reduction="none") for point in points])
    broken = torch.stack([net(point).argmax(1) != y for point in points])
    best = torch.stack(points)[(losses + 100 * broken).argmax(0), torch.arange(len(x))]
    torch.testing.assert_close(found.perturbed, best, atol=1e-9, rtol=1e-9)


def test_a_smaller_image_is_the_interpolated_one_among_zeros():
    image = torch.rand(1, 1, 9, 9, generator=SOURCE)
    for share, shift in ((0.0, 0.0), (0.4, 0.5), (0.7, 0.99), (1.0, 0.3)):
        made = _smaller(9, 0.5, torch.tensor([share]), torch.tensor([shift]))
        size = min(9, 4 + int(share * 6))
        first = int(shift * (10 - size))
        small = nn.functional.interpolate(image, size=(size, size), mode="bilinear")
        rest = 9 - size - first
        expected = nn.functional.pad(small, (first, rest, first, rest))
        torch.testing.assert_close(made @ image @ made.mT, expected)


def test_the_gradient_of_a_smaller_image_is_that_through_the_interpolation():
    """One step on a linear model, of which the steps are known once size and place are."""
    weight = torch.rand(1, 12, 12, generator=SOURCE)
    asked = []

    def forward(x):
        asked.append(x.detach())
        score = (x * weight).flatten(1).sum(1)
        return torch.stack([score, 1e3 - score], 1)

    x = torch.full((1, 1, 12, 12), 0.5)
    attack = TransferAttack(eps=0.1, steps=1, norm="l2", **PLAIN | {"diversity": 1.0, "smallest": 0.5})
    found = attack(Model(forward=forward, space=UNIT), x, torch.tensor([1]))
    seen = next(each for each in asked if not torch.equal(each, x) and not torch.equal(each, found.perturbed))
    rows, columns = (seen[0, 0] > 0).any(1).nonzero()[:, 0], (seen[0, 0] > 0).any(0).nonzero()[:, 0]
    assert 6 <= len(rows) == len(columns) < 12
    window = weight[None, :, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    leaf = x.clone().requires_grad_()
    small = nn.functional.interpolate(leaf, size=window.shape[2:], mode="bilinear")
    (expected,) = torch.autograd.grad((small * window).sum(), leaf)
    change = found.perturbed - x
    torch.testing.assert_close(change / change.norm(), expected / expected.norm(), atol=1e-4, rtol=1e-3)


def test_sizes_and_places_depend_on_the_example_alone():
    net, x = network()
    model = Model(forward=net, space=UNIT)
    y, attack = model.predict(x), TransferAttack(eps=0.05, smallest=0.6, steps=3)
    found = attack(model, x, y).perturbed
    order = torch.tensor([5, 2, 7])
    torch.testing.assert_close(attack(model, x[order], y[order]).perturbed, found[order], atol=1e-12, rtol=0)
    assert not torch.equal(TransferAttack(eps=0.05, smallest=0.6, steps=3, seed=1)(model, x, y).perturbed, found)


def test_it_goes_on_after_the_goal_is_reached_and_so_loses_by_more():
    net, x = network()
    model = Model(forward=net, space=UNIT)
    y = model.predict(x)
    short, far = MIFGSM(eps=0.2)(model, x, y), TransferAttack(eps=0.2, **PLAIN)(model, x, y)
    assert short.success.any()
    assert bool((far.success >= short.success).all())
    lost = [nn.functional.cross_entropy(net(each.perturbed), y, reduction="none") for each in (short, far)]
    assert bool((lost[1] >= lost[0] - 1e-9).all())
    assert lost[1].mean() > 1.2 * lost[0].mean()
