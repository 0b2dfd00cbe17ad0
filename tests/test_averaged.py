"""The mean over random draws (EOT): its answers, its gradient and what attacks of it find."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import dropout

from probe import Model, Regression, Space, averaged, check_model
from probe.attacks import PGD
from probe.errors import DataError, RangeError

SOURCE = torch.Generator().manual_seed(0)
WEIGHT, SIDE = torch.randn(10, generator=SOURCE), torch.randn(10, generator=SOURCE)
X = torch.rand(80, 10, generator=SOURCE)
DRAWS = 400


def linear(x):
    score = (x - 0.5) @ WEIGHT
    return torch.stack([score, -score], 1)


def scaled(source):
    by = torch.randn(10, generator=source)
    return lambda x: x * (1 + 0.5 * by)


def drawn(seed, draws=DRAWS):
    """The numbers of `scaled`, in the order of the draws."""
    source = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randn(10, generator=source) for _ in range(draws)])


@pytest.mark.parametrize("seed", [0, 7])
def test_the_mean_of_a_scaled_linear_model_is_linear_with_the_mean_weights(seed):
    mean = averaged(Model(forward=linear), scaled, draws=DRAWS, seed=seed)
    by = 1 + 0.5 * drawn(seed).mean(0)
    score = X @ (by * WEIGHT) - 0.5 * WEIGHT.sum()
    torch.testing.assert_close(mean.logits(X), torch.stack([score, -score], 1), rtol=1e-4, atol=1e-5)
    _, gradient = mean.gradient(X, lambda logits: logits[:, 0])
    torch.testing.assert_close(gradient, (by * WEIGHT).expand_as(X), rtol=1e-4, atol=1e-5)
    # The law of large numbers: four standard errors of the expectation, in each coordinate.
    assert ((gradient[0] - WEIGHT).abs() <= 4 * 0.5 * WEIGHT.abs() / DRAWS**0.5).all()
    assert not torch.equal(gradient[0], WEIGHT)


class Chance(nn.Module):
    """Each answer leans along another direction, by chance, as strongly as to hide the gradient of the mean."""

    def __init__(self):
        super().__init__()
        self.lean = nn.Parameter(SIDE)

    def forward(self, x):
        by = torch.randn(len(x), 10)
        score = (x - 0.5) @ WEIGHT + (by * (x - 0.5) * self.lean).sum(1)
        return torch.stack([score, -score], 1)


@pytest.mark.slow
@pytest.mark.parametrize("forward", [Chance().eval(), Chance().eval().forward], ids=["module", "function"])
def test_an_attack_through_the_mean_takes_the_accuracy_to_that_of_the_expectation(forward):
    honest, eps = Model(forward=linear), 0.1
    labels = honest.predict(X)
    way = torch.where((labels == 0)[:, None], -1, 1) * WEIGHT.sign()
    expected = honest.predict((X + eps * way).clamp(0, 1)) != labels  # the closed form of a linear model
    assert 15 < expected.sum() < 70
    broken = {}
    for draws in (1, 200):
        mean = averaged(Model(forward=forward), draws=draws, seed=3)
        found = PGD(eps=eps, steps=5)(mean, X, labels).perturbed
        broken[draws] = (honest.predict(found) != labels) & expected
    share = broken[200].sum() / expected.sum()
    assert share >= 0.9
    assert broken[1].sum() < 0.9 * broken[200].sum()


@pytest.mark.slow
def test_a_model_that_draws_itself_is_the_same_in_each_batch_and_leaves_global_numbers_alone():
    def forward(x):
        return dropout(linear(x), 0.5, training=True) + torch.as_tensor(np.random.rand(len(x), 1), dtype=x.dtype)  # noqa: NPY002

    mean = averaged(Model(forward=forward), draws=50)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    whole = mean.logits(X)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002
    assert torch.equal(mean.logits(X), whole)
    torch.testing.assert_close(mean.logits(X.flip(0)).flip(0), whole)
    torch.testing.assert_close(mean.logits(X[3:4]), whole[3:4])
    assert not torch.allclose(averaged(Model(forward=forward), draws=50, seed=1).logits(X), whole)
    check_model(mean, X[:10])
    # Dropout keeps the mean, the noise adds 1/2: within five standard errors.
    assert ((whole - linear(X) - 0.5).abs() <= 5 * (linear(X).abs() + 0.3) / 50**0.5).all()


def test_a_mean_keeps_task_part_weights_and_the_model_as_it_was():
    network = nn.Linear(10, 1).eval()
    model = Model(forward=network, space=Space(bounds=(0.0, 1.0)), task=Regression(("price",)), name="linear")
    mean, other = (averaged(model, scaled, draws=5, seed=seed) for seed in (0, 1))
    assert mean.task == model.task
    assert mean.name == "linear, mean of 5 draws"
    assert mean.notices == ("answers are means over 5 random draws, seed 0",)
    assert mean.digest() not in (None, model.digest(), other.digest())
    assert averaged(Model(forward=linear), scaled).digest() is None, "of a function no weights are seen"
    assert model.forward is network
    assert not network.training
    before = mean.usage.forward
    mean.logits(X)
    assert mean.usage.forward - before == len(X)
    pair = Model(forward=lambda x: {"aside": 0, "logits": linear(x)}, part="logits")
    torch.testing.assert_close(averaged(pair, lambda source: lambda x: x, draws=3).logits(X), linear(X))


def test_a_draw_that_works_in_place_spoils_no_other():
    def darker(source, by):
        return lambda x: x.mul_(by)

    model = Model(forward=linear)
    once, again = (averaged(model, partial(darker, by=0.5), draws=draws).logits(X) for draws in (1, 4))
    torch.testing.assert_close(once, linear(X / 2))
    torch.testing.assert_close(again, once)


def test_what_makes_no_draws_is_refused():
    model = Model(forward=linear)
    for given, message in (
        (3, "draw is an int, expected a function of a generator"),
        (lambda source: 0.5, "draw made a float, expected a function of inputs; write lambda"),
    ):
        with pytest.raises(DataError, match=message):
            averaged(model, given)
    for settings in ({"draws": 0}, {"draws": 2.5}, {"draws": True}, {"seed": -1}):
        with pytest.raises(RangeError, match=r"= .*, expected a whole number of at least"):
            averaged(model, scaled, **settings)
    with pytest.raises(DataError, match="model"):
        averaged(linear, scaled)
