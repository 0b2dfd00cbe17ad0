"""Shapley interactions of pairs: against their definition, against the order of a game, and with their errors."""

from itertools import combinations
from math import factorial

import pytest
import torch
from torch.testing import assert_close

from probe import Dataset, Model, Space, load
from probe.errors import DataError, RangeError, Unsupported
from probe.explainers import KernelShap, Saliency
from probe.surveys import PairInteractions


def played(function, features, rows=1):
    """A game of present features, and inputs in which all are."""
    space = Space(bounds=(0.0, 2.0), reference=torch.zeros(1, features, dtype=torch.float64))
    model = Model(forward=lambda x: torch.stack([function(x), -1 - function(x)], 1), space=space)
    return model, torch.ones(rows, features, dtype=torch.float64)


def random_game(features, order, seed=0):
    """Products of up to so many features, with random coefficients."""
    source = torch.Generator().manual_seed(seed)
    sets = [some for size in range(1, order + 1) for some in combinations(range(features), size)]
    weights = torch.randn(len(sets), generator=source, dtype=torch.float64)
    return lambda x: sum(weight * x[:, list(some)].prod(1) for weight, some in zip(weights, sets, strict=True))


def by_definition(function, features):
    """The mean second difference, over orders, of adding both of a pair after a set."""
    found = torch.zeros(features, features, dtype=torch.float64)

    def value(some):
        row = torch.zeros(1, features, dtype=torch.float64)
        row[0, list(some)] = 1
        return float(function(row))

    for one, two in combinations(range(features), 2):
        others = [at for at in range(features) if at not in (one, two)]
        for size in range(len(others) + 1):
            weight = factorial(size) * factorial(features - size - 2) / factorial(features - 1)
            for some in combinations(others, size):
                change = value((*some, one, two)) - value((*some, one)) - value((*some, two)) + value(some)
                found[one, two] += weight * change
    return found + found.T


def told(model, x, **settings):
    return KernelShap(interactions=True, **settings)(model, x, torch.zeros(len(x), dtype=torch.long))


def test_all_coalitions_give_the_index_of_the_definition_and_the_values_of_before():
    game = random_game(5, 5)
    model, x = played(game, 5)
    found = told(model, x)
    assert_close(found.pairs[0], by_definition(game, 5))
    assert found.pair_errors.abs().max() == 0
    assert_close(found.values, KernelShap()(model, x, torch.tensor([0])).values)


def test_a_pair_that_acts_together_has_its_whole_product_and_others_0():
    model, x = played(lambda x: 3 * x[:, 0] * x[:, 2] + x[:, 1], 4)
    expected = torch.zeros(4, 4, dtype=torch.float64)
    expected[0, 2] = expected[2, 0] = 3
    assert_close(told(model, x).pairs[0], expected)


@pytest.mark.parametrize("order", [3, 5])
def test_sampled_interactions_of_games_of_order_five_are_exact_once_pairs_suffice_and_are_said_to_be(order):
    """The even part of a game of order 5 has products of two and four: 45 and 210 of ten features, of 450 pairs."""
    game = random_game(10, order)
    model, x = played(game, 10)
    exact, drawn = told(model, x), told(model, x, coalitions=900)
    assert_close(drawn.pairs, exact.pairs, atol=1e-5, rtol=1e-5)
    assert drawn.pair_errors.abs().max() == 0


@pytest.mark.slow
def test_a_game_of_order_six_is_not_said_to_be_exact_and_its_errors_are_honest():
    covered, off, spread = [], [], []
    for seed in range(6):
        game = random_game(9, 6, seed)
        model, x = played(game, 9)
        exact, drawn = told(model, x), told(model, x, coalitions=240, seed=seed)
        one, two = torch.triu_indices(9, 9, 1)
        error, wrong = drawn.pair_errors[0, one, two], (drawn.pairs - exact.pairs)[0, one, two]
        assert (error > 0).all()
        covered.append((wrong.abs() <= 1.96 * error).double().mean())
        off.append(wrong.square().mean())
        spread.append(error.square().mean())
    assert torch.stack(covered).mean() > 0.85
    assert 0.4 < (torch.stack(off).mean() / torch.stack(spread).mean()).sqrt() < 1.6


def test_interactions_cost_nothing_more_and_a_feature_at_its_reference_has_none():
    model, x = played(random_game(14, 2), 14, rows=2)
    x[1, 3] = 0
    found, plain = told(model, x), KernelShap()(model, x, torch.tensor([0, 0]))
    assert found.cost == plain.cost
    assert torch.equal(found.values, plain.values)
    assert found.pairs[1, 3].abs().max() == 0
    assert found.pairs[1, 0].abs().max() > 0
    assert torch.equal(found.pairs, found.pairs.mT)
    assert_close(told(model, x[1:]).pairs, found.pairs[1:])


def test_their_table_is_sorted_and_they_are_saved(tmp_path):
    model, x = played(lambda x: 3 * x[:, 0] * x[:, 2] - 5 * x[:, 1] * x[:, 3], 4)
    found = told(model, x)
    table = found.interactions()
    assert table["value"].round(6).tolist()[:3] == [-5, 3, 0]
    assert len(table) == 6
    found.save(tmp_path / "r")
    assert load(tmp_path / "r").interactions().equals(table)
    with pytest.raises(DataError, match=r"told no interactions; write KernelShap\(interactions=True\)"):
        KernelShap()(model, x).interactions()


def test_too_few_coalitions_are_refused_with_how_many_are_needed():
    model, x = played(random_game(14, 2), 14)
    with pytest.raises(RangeError, match="91 interactions of 14 features need 194 coalitions at least") as refused:
        told(model, x, coalitions=100)
    need = int(str(refused.value).split(" need ")[1].split()[0])
    assert told(model, x, coalitions=need).pairs is not None
    with pytest.raises(RangeError, match="set until_top=0"):
        told(model, x, until_top=3)


def test_the_survey_has_the_mean_size_of_each_pair():
    model, x = played(lambda x: 3 * x[:, 0] * x[:, 2] - 5 * x[:, 1], 3, rows=2)
    x[1] *= 2
    found = PairInteractions()(model, Dataset(x, torch.tensor([1, 1]), space=model.space))
    assert dict(zip(found.items, found.to_frame()["value"].round(6), strict=True)) == {
        "feature 0 and feature 1": 0, "feature 0 and feature 2": 7.5, "feature 1 and feature 2": 0,
    }  # fmt: skip
    with pytest.raises(Unsupported, match="needs interactions, and Saliency"):
        PairInteractions(explainer=Saliency())(model, Dataset(x, torch.tensor([1, 1]), space=model.space))
