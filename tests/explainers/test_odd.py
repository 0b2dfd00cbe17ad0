"""Shapley values from the odd part of a game: exact for games of order 4, and closer for others."""

from itertools import combinations

import pytest
import torch
from torch.testing import assert_close

from probe.explainers import KernelShap, shapley
from probe.explainers.odd import Pairs, odd_fit

SOURCE = 5


def games(players, order, count=3):
    """Random games with all interactions of up to so many players: a function of presence, and its Shapley values."""
    source = torch.Generator().manual_seed(SOURCE)
    groups = [torch.tensor(group) for size in range(1, order + 1) for group in combinations(range(players), size)]
    weights = torch.randn(count, len(groups), generator=source, dtype=torch.float64)
    truth = torch.zeros(count, players, dtype=torch.float64)
    for column, group in enumerate(groups):
        truth[:, group] += weights[:, column, None] / len(group)

    def worth(present):
        return torch.stack([present.double()[:, group].prod(1) for group in groups], 1) @ weights.T

    return worth, truth


def fitted(worth, players, pairs, seed=0, active=None):
    """The fit of games from so many drawn pairs."""
    masks, _ = shapley.shapley_design(players, 2 * pairs, seed)
    values = worth(masks).T
    active = torch.ones(len(values), players, dtype=torch.bool) if active is None else active
    return shapley._odd_regression(players, pairs, seed, values, active)


def singles(worth, players, pairs, seed=0):
    """What a regression on single features finds from the same draw."""
    masks, weights = shapley.shapley_design(players, 2 * pairs, seed)
    values = worth(masks).T
    return shapley._regress(masks, weights, values, torch.ones(len(values), players, dtype=torch.bool))


def test_a_game_of_order_four_is_exact_from_seventy_pairs_of_eight_players_and_marked_so():
    worth, truth = games(8, 4)
    found = fitted(worth, 8, 70)
    assert_close(found.values, truth, rtol=0, atol=1e-13)
    assert not found.errors.any()
    assert (singles(worth, 8, 70) - truth).abs().max() > 0.1


def test_a_game_of_order_five_is_not_marked_exact():
    worth, truth = games(8, 4)

    def more(present):
        return worth(present) + 0.05 * present.double()[:, :5].prod(1, keepdim=True)

    found = fitted(more, 8, 70)
    truth[:, :5] += 0.01
    assert bool((found.errors > 0).all())
    assert bool(((found.values - truth).abs() <= 5 * found.errors).all())


def test_games_of_order_two_are_exact_from_any_draw_and_marked_so_where_pairs_are_left_over():
    worth, truth = games(20, 2)
    few, more = fitted(worth, 20, 20), fitted(worth, 20, 60)
    for found in (few, more):
        assert_close(found.values, truth, rtol=0, atol=1e-11)
    assert not more.errors.any()


def test_values_add_up_to_the_change_and_an_idle_player_gets_nothing(network, rows):
    model, x = network(14, 3), rows(3, 14)
    x[1, 4] = model.space.reference[0, 4]
    model.space.reference[:, 4] = x[1, 4]
    found = KernelShap(coalitions=120)(model, x)
    assert found.values[1, 4] == found.errors[1, 4] == 0
    full, empty = model.logits(x), model.logits(model.space.reference).mean(0)
    change = (full - empty).gather(1, found.targets[:, None])[:, 0]
    assert_close(found.values.sum(1), change)


def small_networks(count, players=10):
    """Games that a hidden layer plays: functions of presence, and their Shapley values by the definition."""
    source = torch.Generator().manual_seed(1)
    first = torch.randn(count, players, 16, generator=source, dtype=torch.float64) / 2
    second = torch.randn(count, 16, 1, generator=source, dtype=torch.float64)

    def worth(present):
        return ((present.double() @ first).tanh() @ second)[..., 0].T

    design = shapley.shapley_design(players, 2**players, 0)
    every = torch.ones(count, players, dtype=torch.bool)
    return worth, shapley._regress(*design, worth(design[0]).T, every)


@pytest.mark.parametrize(("pairs", "times"), [(20, 1.05), (60, 1.15), (160, 1.6)])
def test_products_of_three_features_bring_the_values_closer_at_no_further_coalition(pairs, times):
    worth, truth = small_networks(12)
    off = [
        sum(float(((find(worth, 10, pairs, seed) - truth) ** 2).sum()) for seed in range(4))
        for find in (singles, lambda *asked: fitted(*asked).values)
    ]
    assert (off[0] / off[1]) ** 0.5 > times


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [20, 40, 120])
def test_nineteen_of_twenty_intervals_of_two_standard_errors_hold_the_value(pairs):
    """24 games of ten players, 40 draws each: 9,600 intervals."""
    worth, truth = small_networks(24)
    found = [fitted(worth, 10, pairs, seed) for seed in range(40)]
    held = torch.stack([(each.values - truth).abs() <= 1.96 * each.errors for each in found])
    assert 0.91 <= float(held.double().mean()) <= 0.99


def test_where_every_pair_of_the_few_features_that_matter_was_drawn_the_values_are_exact():
    table = torch.randn(2**5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def worth(present):
        return table[(present[:, :5].long() * 2 ** torch.arange(5)).sum(1)][:, None]

    active = (torch.arange(20) < 5)[None]
    found = fitted(worth, 20, 300, active=active)
    design = shapley.shapley_design(5, 2**5, 0)
    expected = shapley._regress(*design, worth(design[0]).T, torch.ones(1, 5, dtype=torch.bool))
    assert_close(found.values[:, :5], expected)
    assert not found.errors.any()
    assert not found.values[:, 5:].any()


def test_two_games_that_are_played_together_add_up_where_both_are_exact():
    one, other = games(8, 3), games(8, 4)
    together = fitted(lambda present: one[0](present) + other[0](present), 8, 80)
    assert_close(together.values, one[1] + other[1])


def test_a_game_does_not_depend_on_those_that_are_fitted_beside_it():
    worth, _ = games(20, 3, count=5)
    active = torch.ones(5, 20, dtype=torch.bool)
    together = fitted(worth, 20, 100, active=active)
    for row in range(5):
        alone = fitted(lambda present, row=row: worth(present)[:, row : row + 1], 20, 100)
        assert_close(alone.values[0], together.values[row])
        assert_close(alone.errors[0], together.errors[row])


def test_more_products_than_columns_are_spanned_by_their_kernel(monkeypatch):
    worth, _ = games(9, 5)
    pairs, _ = shapley._drawn_pairs(9, 60, 0)
    values = worth(shapley.shapley_design(9, 120, 0)[0]).T
    _, where = shapley._drawn_pairs(9, 60, 0)
    odd, total = (values[:, where[0]] - values[:, where[1]]) / 2, (values[:, -1] - values[:, 0]) / 2
    active = torch.ones(3, 9, dtype=torch.bool)
    by_products = odd_fit(Pairs(**vars(pairs)), odd, total, active)
    monkeypatch.setattr("probe.explainers.odd._PRODUCTS", 83)  # of 84 products at 60 pairs
    by_kernel = odd_fit(Pairs(**vars(pairs)), odd, total, active)
    assert_close(by_kernel.values, by_products.values, rtol=1e-4, atol=1e-4)
    assert_close(by_kernel.errors, by_products.errors, rtol=1e-2, atol=1e-4)
