"""Randomized smoothing, where the vote and its radius are known in closed form."""

import pytest
import torch
from scipy import stats
from torch import nn

from probe import Model, Space
from probe.certificates import RandomizedSmoothing
from probe.errors import Unsupported
from probe.statistics import clopper_pearson_low


def linear(weight, **space):
    weight = torch.tensor(weight)

    def forward(x):
        score = x.flatten(1) @ weight
        return torch.stack([-score, score], 1)

    return Model(forward=forward, space=Space(bounds=(-99.0, 99.0), **space), classes=("no", "yes"))


def test_the_radius_of_a_linear_model_is_the_distance_to_its_boundary():
    model, x = linear([3.0, 4.0]), torch.tensor([[0.3, 0.1], [-0.2, -0.2], [0.06, 0.03]])
    distance = (x @ torch.tensor([3.0, 4.0])).abs() / 5
    proof = RandomizedSmoothing(sigma=0.5, draws=20_000)(model, x, torch.tensor([1, 0, 1]))
    assert proof.predicted.tolist() == [1, 0, 1]
    assert bool((proof.radius <= distance).all()), "a bound that is too large is none"
    torch.testing.assert_close(proof.radius, distance, atol=0.03, rtol=0)
    assert proof.level == 0.999


@pytest.mark.slow
def test_certified_radii_hold_with_the_stated_probability():
    """Near the boundary every draw is a coin: the bound is above the truth in no more than alpha of the runs."""
    model, x = linear([1.0, 0.0]), torch.tensor([[0.1, 0.0]])
    runs = [RandomizedSmoothing(sigma=0.5, draws=100, alpha=0.2, seed=seed)(model, x, torch.tensor([1]))
            for seed in range(200)]  # fmt: skip
    wrong = sum(bool(run.radius > 0.1) or run.predicted.tolist() == [0] for run in runs)
    assert 0 < wrong < stats.binom.ppf(0.999, 200, 0.2)


def test_the_radius_is_measured_in_the_unit_of_the_scale_and_fixed_coordinates_get_no_noise():
    x, y = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
    plain = RandomizedSmoothing()(linear([1.0, 1.0]), x / 10, y)
    scaled = RandomizedSmoothing()(linear([1.0, 1.0], scale=torch.tensor([10.0, 10.0])), x, y)
    torch.testing.assert_close(plain.radius, scaled.radius)
    one = RandomizedSmoothing()(linear([1.0, 1.0], mutable=torch.tensor([True, False])), x / 10, y)
    alone = RandomizedSmoothing(draws=1000)(linear([1.0]), x[:, :1] / 10, y)
    assert one.radius > plain.radius
    assert abs(float(one.radius - alone.radius)) < 0.02


def test_smoothing_abstains_if_the_vote_is_even():
    proof = RandomizedSmoothing()(linear([1.0, 0.0]), torch.zeros(1, 2), torch.tensor([1]))
    assert proof.predicted.tolist() == [-1]
    assert proof.radius.tolist() == [0]
    assert proof.to_frame()["predicted"].tolist() == [None]
    assert not proof.certified().any()


def test_certified_needs_the_right_class_and_a_longer_radius():
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    proof = RandomizedSmoothing(sigma=0.25)(linear([1.0, 0.0]), x, torch.tensor([1, 0]))
    radius = float(proof.radius[0])
    assert proof.certified(radius * 0.99).tolist() == [True, False]
    assert proof.certified(radius).tolist() == [False, False]


@pytest.mark.parametrize(("hits", "draws", "alpha"), [(10, 10, 0.05), (7, 10, 0.05), (0, 10, 0.1), (990, 1000, 0.001)])
def test_the_clopper_pearson_bound_equals_that_of_the_binomial_test(hits, draws, alpha):
    low = float(clopper_pearson_low(hits, draws, alpha))
    if hits == 0:
        assert low == 0
        return
    # At the bound, so many hits or more have exactly the probability alpha.
    assert stats.binom.sf(hits - 1, draws, low) == pytest.approx(alpha, rel=1e-6)


def test_smoothing_refuses_tokens_and_immutable_inputs():
    fixed = linear([1.0, 1.0], mutable=torch.tensor([False, False]))
    with pytest.raises(Unsupported, match="no coordinate of model's inputs may move"):
        RandomizedSmoothing()(fixed, torch.ones(1, 2), torch.tensor([1]))
    words = Model(
        forward=lambda e: e.flatten(1)[:, :2],
        embed=nn.Embedding(5, 3).eval(),
        space=Space(words=tuple("-?abc"), bounds=(0, 4)),
    )
    with pytest.raises(Unsupported, match="certifies against changes of numbers, and model reads tokens"):
        RandomizedSmoothing()(words, torch.tensor([[2, 3]]), torch.tensor([1]))
