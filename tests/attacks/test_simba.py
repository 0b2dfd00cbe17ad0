"""On a linear model, one coordinate after another leads to the worst point of the ball."""

import torch

from probe import Model, Space
from probe.attacks import FGSM, Simba

SOURCE = torch.Generator().manual_seed(0)
WEIGHT, X = torch.randn(12, generator=SOURCE), torch.rand(20, 12, generator=SOURCE)


def linear(**space):
    return Model(forward=lambda x: torch.stack([x @ WEIGHT, -(x @ WEIGHT)], 1), space=Space(**space))


def test_on_a_linear_model_it_finds_the_worst_point_of_the_ball_and_its_box():
    model = linear(bounds=(0.0, 1.0), scale=0.5)
    labels = model.predict(X)
    found, worst = (attack(model, X, labels) for attack in (Simba(eps=0.2, max_queries=25), FGSM(eps=0.2)))
    assert torch.equal(found.success, worst.success)
    assert 0 < int(found.success.sum()) < len(X)
    stands = ~found.success
    torch.testing.assert_close(found.perturbed[stands], worst.perturbed[stands])
    assert int(found.queries[stands].min()) > 12  # of some coordinates both ways
    assert int(found.queries.max()) <= 25


def test_a_budget_of_queries_ends_it_and_coordinates_that_stay_cost_none():
    model = linear(bounds=(-9.0, 9.0), mutable=torch.arange(12) < 3)
    labels = model.predict(X)
    found = Simba(eps=0.01)(model, X, labels)
    assert int(found.queries.max()) <= 7  # the input, and 3 coordinates
    assert torch.equal(found.perturbed[:, 3:], X[:, 3:])
    moved = (Simba(eps=0.01, max_queries=2)(model, X, labels).perturbed != X).sum(1)
    assert int(moved.max()) == 1


def test_the_order_is_that_of_the_seed():
    model = linear(bounds=(-9.0, 9.0))
    labels = model.predict(X)
    one, same, other = (Simba(eps=0.01, max_queries=6, seed=seed)(model, X, labels).perturbed for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
