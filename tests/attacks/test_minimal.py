"""On a linear model the distance to the boundary is known in closed form."""

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.attacks import DDN, PGD
from probe.errors import RangeError
from probe.goals import Targeted
from probe.metrics import RobustAccuracy

WIDE = Space(bounds=(-100.0, 100.0))


def linear(classes: int = 2, features: int = 20, space: Space = WIDE) -> tuple[Model, torch.Tensor]:
    weight = torch.randn(features, classes, generator=torch.Generator().manual_seed(3))
    return Model(forward=lambda x: x @ weight, space=space), weight


def rows(count: int = 64, features: int = 20) -> torch.Tensor:
    return torch.randn(count, features, generator=torch.Generator().manual_seed(4)) / 2


def distances(model: Model, weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """From each row to where each other class has a higher logit, (rows, classes)."""
    z = model(x)
    own = z.argmax(1)
    gap = z.gather(1, own[:, None]) - z
    slope = (weight[:, own].T[:, :, None] - weight).norm(dim=1)
    return torch.where(slope > 0, gap / slope, torch.inf)


def test_ddn_finds_the_distance_to_the_boundary_within_gamma():
    model, weight = linear()
    x = rows()
    result = DDN()(model, x, model.predict(x))
    nearest = distances(model, weight, x).amin(1)
    assert bool(result.success.all())
    assert (result.length >= nearest * (1 - 1e-5)).all()
    within_reach = nearest > 0.95**100
    assert within_reach.sum() == 63
    assert (result.length <= nearest * 1.06)[within_reach].all()


@pytest.mark.slow
def test_among_several_classes_the_nearest_boundary_is_found():
    model, weight = linear(classes=5)
    x = rows()
    result = DDN(steps=200)(model, x, model.predict(x))
    nearest = distances(model, weight, x).amin(1)
    assert bool(result.success.all())
    assert (result.length >= nearest * (1 - 1e-5)).all()
    assert (result.length <= nearest * 1.1).float().mean() > 0.8


def test_a_target_is_reached_no_nearer_than_its_boundary():
    model, weight = linear(classes=3)
    x = rows()
    labels = model.predict(x)
    targets = (labels + 1) % 3
    result = DDN(goal=Targeted())(model, x, labels, targets=targets)
    assert torch.equal(model.predict(result.perturbed), targets)
    assert (result.length >= distances(model, weight, x).gather(1, targets[:, None])[:, 0] * (1 - 1e-5)).all()
    assert torch.equal(result.targets, targets)


@pytest.mark.slow
def test_one_run_of_ddn_gives_the_result_at_every_budget():
    model, weight = linear()
    x = rows(200)
    labels = model.predict(x)
    result, nearest = DDN()(model, x, labels), distances(model, weight, x).amin(1)
    for eps in (0.05, 0.2, 0.5):
        part = result.within(eps)
        assert torch.equal(part.success, result.length <= eps)
        assert (part.success <= (nearest <= eps)).all()
        assert torch.equal(part.perturbed[~part.success], x[~part.success])
        assert torch.equal(model.predict(part.perturbed) != labels, part.success)
        again = DDN()(model, x, labels, eps=eps)
        assert torch.equal(again.perturbed, part.perturbed)
        bounded = PGD(norm="l2", eps=eps, steps=30)(model, x, labels)
        gap = RobustAccuracy()(model, part).value - RobustAccuracy()(model, bounded).value
        assert 0 <= gap <= 0.03


@pytest.mark.slow
def test_ddn_respects_the_budget_of_each_example():
    model, _ = linear()
    x = rows()
    labels = model.predict(x)
    budgets = torch.linspace(0, 1, len(x))
    result = DDN()(model, x, labels, eps=budgets)
    assert (result.length <= budgets).all()
    assert torch.equal(result.success, DDN()(model, x, labels).length <= budgets)
    with pytest.raises(RangeError, match=r"eps = -1.0, expected a number of at least 0"):
        DDN()(model, x, labels, eps=-1.0)


def test_examples_that_do_not_reach_the_goal_are_unchanged():
    model = Model(forward=lambda x: torch.cat([x[:, :1] * 0 + 2, x * 0], 1), space=WIDE)
    x = rows(4)
    result = DDN(steps=5)(model, x, model.predict(x))
    assert torch.equal(result.perturbed, x)
    assert not result.success.any()
    assert torch.equal(result.attacked.logits, result.clean.logits)


@pytest.mark.slow
def test_scale_bounds_and_whole_numbers_are_kept():
    space = Space(
        bounds=(0.0, 100.0),
        kinds=("integer", "continuous", "continuous"),
        mutable=torch.tensor([True, True, False]),
        scale=torch.tensor([10.0, 5.0, 1.0]),
    )
    weight = torch.tensor([[1.0, -1.0], [1.0, -1.0], [9.0, -9.0]])
    model = Model(forward=lambda x: (x - 40) @ weight, space=space)
    x = torch.tensor([[50.0, 41.0, 41.0]])
    result = DDN(steps=300)(model, x, model.predict(x))
    moved = result.perturbed[0]
    assert bool(result.success.all())
    assert float(moved[0]) == round(float(moved[0]))
    assert float(moved[2]) == 41.0
    # In units of the scale 10 a + 5 b is to be 20: the nearest is (1.6, .8), and whole numbers need a little more.
    assert (5 * 0.8**2) ** 0.5 <= float(result.length) <= 1.12 * (5 * 0.8**2) ** 0.5


@pytest.mark.slow
def test_ddn_moves_no_further_than_the_smallest_radius_of_pgd():
    source = torch.Generator().manual_seed(5)
    net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 4)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) / 2)
    model = Model(forward=net, space=WIDE)
    x = torch.randn(50, 8, generator=source)
    labels = model.predict(x)
    shortest = DDN()(model, x, labels).length
    for eps in (0.1, 0.2, 0.4, 0.8):
        broken = PGD(norm="l2", eps=eps, steps=50)(model, x, labels).success
        assert (shortest[broken] <= eps * 1.1).float().mean() >= 0.9
