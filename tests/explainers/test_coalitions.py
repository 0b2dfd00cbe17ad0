"""The coalitions that KernelShap asks about: how many of each size, how drawn, how weighed."""

from itertools import combinations
from math import comb

import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import RangeError
from probe.explainers import KernelShap, pairs, shapley
from probe.explainers.shapley import shapley_design


@pytest.mark.parametrize("features", [1, 2, 3, 6])
def test_all_coalitions_are_weighed_by_the_shapley_kernel(features):
    masks, weights = shapley_design(features, 2**features - 2, 0)
    assert sorted(masks.tolist()) == sorted(shapley.every_subset(features).tolist())
    for mask, weight in zip(masks.tolist(), weights.tolist(), strict=True):
        size = sum(mask)
        ends = size in (0, features)
        assert weight == pytest.approx(1 if ends else 1 / (comb(features, size) * size * (features - size)))


def linear(features):
    space = Space(reference=torch.zeros(1, features))
    return Model(forward=lambda x: torch.stack([x.sum(1), 0 * x[:, 0]], 1), space=space)


@pytest.mark.parametrize(("features", "needed"), [(4, 8), (9, 18), (15, 30)])
def test_two_coalitions_of_each_feature_are_needed(features, needed):
    assert len(shapley_design(features, needed, 0)[0]) == needed + 2
    with pytest.raises(RangeError, match=f"coalitions = {needed - 1} is too few for {features} features; .* {needed},"):
        KernelShap(coalitions=needed - 1)(linear(features), torch.ones(1, features))


def test_few_features_never_need_more_coalitions_than_there_are():
    masks, _ = shapley_design(3, 6, 0)
    assert len(masks) == 8
    with pytest.raises(RangeError, match="set at least 6"):
        KernelShap(coalitions=5)(linear(3), torch.ones(1, 3))


@pytest.mark.parametrize(("features", "pairs"), [(6, 12), (9, 40), (10, 13), (10, 16), (13, 200), (20, 500), (21, 31)])
def test_pairs_are_spread_over_the_sizes_by_the_root_of_the_kernel(features, pairs):
    """No size is drawn more often than it has coalitions; what is left over goes to the others in proportion."""
    room = [comb(features, s) // (2 if 2 * s == features else 1) for s in range(1, features // 2 + 1)]
    wish = [((0.5 if 2 * s == features else 1) / (s * (features - s))) ** 0.5 for s in range(1, features // 2 + 1)]
    full = {0} if 2 * pairs < 3 * features else set()
    while True:
        left, total = pairs - sum(room[i] for i in full), sum(w for i, w in enumerate(wish) if i not in full)
        share = [room[i] if i in full else left * w / total for i, w in enumerate(wish)]
        over = {i for i in range(len(room)) if share[i] > room[i]}
        if not over:
            break
        full |= over
    found = shapley._allocate(features, pairs)
    assert sum(found) == pairs
    assert all(got <= most for got, most in zip(found, room, strict=True))
    assert all(abs(got - want) <= 1 for got, want in zip(found, share, strict=True))
    for at in full:
        assert found[at] == room[at]


def test_a_budget_of_half_of_all_coalitions_asks_for_every_one_of_them():
    """Six pairs of singles, fifteen of twos, ten of threes: as many as there are."""
    assert shapley._allocate(6, 31) == [6, 15, 10]


@pytest.mark.parametrize(("features", "budget"), [(8, 60), (13, 1000)])
def test_coalitions_of_a_size_share_the_weight_of_all_of_that_size(features, budget):
    masks, weights = shapley_design(features, budget, 3)
    sizes = masks.sum(1)
    assert weights[sizes == 0].tolist() == weights[sizes == features].tolist() == [1]
    for size in range(1, features):
        if bool((sizes == size).any()):
            assert_close(float(weights[sizes == size].sum()), 1 / (size * (features - size)))
            assert len(set(weights[sizes == size].tolist())) == 1
    drawn = [tuple(mask) for mask in masks.tolist()]
    assert all(tuple(not kept for kept in mask) in drawn for mask in drawn)


def test_no_coalition_is_drawn_twice_where_listing_all_costs_little_more():
    for count in (126, 127, 500, 2016):  # of 2016 pairs of 64 features
        drawn = pairs.draw(64, 2, count, torch.Generator().manual_seed(0))
        assert drawn.sum(1).tolist() == [2] * count
        assert len({tuple(mask) for mask in drawn.tolist()}) == count


def test_of_half_of_the_features_a_coalition_or_its_complement_is_drawn():
    assert pairs.pairs_of(6, 3) == 10
    assert pairs.pairs_of(7, 3) == 35
    drawn = {tuple(mask) for mask in pairs.draw(6, 3, 10, torch.Generator().manual_seed(0)).tolist()}
    assert len(drawn) == 10
    assert not drawn & {tuple(not kept for kept in mask) for mask in drawn}


def test_the_seed_moves_the_draw():
    one, same, other = (shapley_design(20, 100, seed)[0] for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_normal_equations_are_solved_in_parts_that_fit_in_memory_with_the_same_values(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    masks, weights = shapley_design(5, 30, 0)
    values = torch.randn(7, len(masks), generator=generator, dtype=torch.float64)
    active = torch.rand(7, 5, generator=generator) < 0.8
    active[0] = False
    together = shapley._regress(masks, weights, values, active)
    sizes, solve = [], shapley._constrained

    def counted(normal, right, total, active):
        sizes.append(len(right))
        return solve(normal, right, total, active)

    monkeypatch.setattr(shapley, "_constrained", counted)
    for entries, parts in ((1, [1] * 7), (2 * 25, [2, 2, 2, 1]), (10**6, [7])):
        monkeypatch.setattr(shapley, "_ENTRIES", entries)
        assert_close(shapley._regress(masks, weights, values, active), together)
        assert sizes == parts
        sizes.clear()
    total = values[:, -1] - values[:, 0]
    assert_close(together.sum(1), torch.where(active.any(1), total, 0))
    assert not together[~active].any()


def test_shapley_values_of_a_random_game_are_those_of_the_definition():
    players = 5
    masks, weights = shapley_design(players, 2**players - 2, 0)
    values = torch.randn(1, len(masks), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    worth = {tuple(mask): float(value) for mask, value in zip(masks.tolist(), values[0], strict=True)}
    found = shapley._regress(masks, weights, values, torch.ones(1, players, dtype=torch.bool))[0]
    for player in range(players):
        others, share = [p for p in range(players) if p != player], 0.0
        for size in range(players):
            for some in combinations(others, size):
                alone = [p in some for p in range(players)]
                beside = [p in some or p == player for p in range(players)]
                share += (worth[tuple(beside)] - worth[tuple(alone)]) / (players * comb(players - 1, size))
        assert float(found[player]) == pytest.approx(share)
