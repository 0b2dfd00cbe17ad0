"""On a linear model the minimum of the elastic net is a soft threshold of the gradient."""

import pytest
import torch

from probe import Model, Space
from probe.attacks import EAD

SOURCE = torch.Generator().manual_seed(0)
WEIGHT, X = torch.randn(20, generator=SOURCE), torch.rand(30, 20, generator=SOURCE)
MODEL = Model(forward=lambda x: torch.stack([x @ WEIGHT, -(x @ WEIGHT)], 1), space=Space(bounds=(-9.0, 9.0)))
LABELS = MODEL.predict(X)


def elastic(beta):
    """The changes that minimise |d|_2^2 + beta |d|_1 on the boundary: (t |w| - beta / 2)+, by bisection of t."""
    low, high = torch.zeros(len(X)), torch.full((len(X),), 1e3)
    for _ in range(60):
        times = (low + high) / 2
        change = (times[:, None] * WEIGHT.abs() - beta / 2).clamp(min=0)
        over = (change * WEIGHT.abs()).sum(1) > (X @ WEIGHT).abs()
        low, high = torch.where(over, low, times), torch.where(over, times, high)
    return change


@pytest.mark.slow
@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_the_change_is_a_soft_threshold_of_the_gradient_of_a_linear_model(beta):
    found, expected = EAD(beta=beta)(MODEL, X, LABELS), elastic(beta)
    assert found.success.all()
    ratio = found.length / expected.sum(1)
    assert bool((ratio > 0.999).all())
    assert bool((ratio < 1.03).all())
    change = found.perturbed - X
    assert bool((change * WEIGHT * torch.where(LABELS == 0, -1, 1)[:, None] >= 0).all())
    assert ((change != 0).sum(1) - (expected > 0).sum(1)).abs().max() <= 3


def test_of_two_coordinates_the_steeper_moves_alone_where_the_other_does_not_pay():
    """The change is t |w| - beta / 2: of a coordinate with a quarter of the slope, nothing at a small distance."""
    weight = torch.tensor([1.0, 4.0])
    model = Model(forward=lambda x: torch.stack([x @ weight, -(x @ weight)], 1), space=Space(bounds=(-9.0, 9.0)))
    x = torch.tensor([[0.2, 0.1], [0.1, 0.3]])
    found = EAD(steps=40, rounds=3)(model, x, torch.tensor([0, 0]))
    assert found.success.all()
    assert torch.equal(found.perturbed[:, 0], x[:, 0])
    torch.testing.assert_close(found.length, (x @ weight).to(found.length) / 4, rtol=0.02, atol=0)


@pytest.mark.slow
def test_the_larger_beta_the_shorter_in_l1_and_never_below_the_bound_of_one_coordinate():
    least = (X @ WEIGHT).abs() / WEIGHT.abs().max()
    plain, sparse = (EAD(beta=beta, rounds=4)(MODEL, X, LABELS).length for beta in (0.0, 10.0))
    assert bool((sparse >= 0.999 * least).all())
    assert bool((sparse < plain).all())
    assert sparse.sum() < 1.1 * least.sum() < plain.sum()
