from itertools import pairwise, permutations

import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import RangeError
from probe.explainers import KernelShap, OwenShap

GROUPS = (0, 1, 0, 1, 1)


def network(features, references=1):
    source = torch.Generator().manual_seed(0)
    first = torch.randn(features, 16, generator=source, dtype=torch.float64)
    second = torch.randn(16, 2, generator=source, dtype=torch.float64)
    reference = torch.rand(references, features, generator=source, dtype=torch.float64)
    return Model(forward=lambda x: (3 * x @ first).tanh() @ second, space=Space(reference=reference))


def rows(count, features):
    return torch.rand(count, features, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_hand(model, x, groups):
    """The mean gain over all orders in which no feature stands between two of another group."""
    target, reference = model.predict(x), model.space.reference
    total, count = torch.zeros(len(groups), dtype=torch.float64), 0
    for order in permutations(range(len(groups))):
        joins = [groups[feature] for feature in order]
        if sum(a != b for a, b in pairwise(joins)) >= len(set(groups)):
            continue
        shown, before, count = reference.clone(), None, count + 1
        for feature in (None, *order):
            if feature is not None:
                shown[:, feature] = x[:, feature]
            now = model.forward(shown)[:, target].mean()
            if feature is not None:
                total[feature] += now - before
            before = now
    return total / count


def test_values_are_mean_gains_over_all_orders_that_keep_groups_together():
    model, x = network(5, references=2), rows(1, 5)
    found = OwenShap(groups=GROUPS)(model, x)
    assert_close(found.values[0], by_hand(model, x, GROUPS))
    assert found.errors is None


@pytest.mark.parametrize("groups", [(0,) * 6, tuple(range(6))], ids=["one group", "each its own"])
def test_without_a_second_level_they_are_shapley_values(groups):
    model, x = network(6), rows(3, 6)
    assert_close(OwenShap(groups=groups)(model, x).values, KernelShap()(model, x).values)


def test_a_group_gets_the_shapley_value_that_it_has_as_one_feature():
    model, x, groups = network(6), rows(3, 6), (4, 4, 9, 9, 9, 0)
    found = OwenShap(groups=groups)(model, x).values
    space = Space(reference=model.space.reference, features=torch.tensor([1, 1, 2, 2, 2, 0]))
    whole = KernelShap()(Model(forward=model.forward, space=space), x, model.predict(x)).by_feature()
    assert_close(torch.stack([found[:, 5], found[:, :2].sum(1), found[:, 2:5].sum(1)], 1), whole)


def test_drawn_values_are_as_far_from_the_exact_as_their_errors_say_and_sum_alike():
    model, x = network(9), rows(4, 9)
    exact = OwenShap()(model, x).values
    drawn = OwenShap(coalitions=0, draws=100)(model, x)
    assert bool(((drawn.values - exact).abs() <= 4 * drawn.errors).all())
    assert float((drawn.values - exact).abs().max()) > 0
    assert_close(drawn.values.sum(1), exact.sum(1))
    orders = OwenShap(coalitions=0).orders(9) // 3
    assert bool((orders.diff(dim=1) != 0).sum(1).eq(2).all())  # groups of three follow one another
    assert len(orders.unique(dim=0)) > 3


def test_a_feature_that_does_nothing_gets_nothing_and_equal_ones_of_a_group_as_much():
    model = Model(
        forward=lambda x: torch.stack([(x[:, 0] + x[:, 1]) * x[:, 2], 0 * x[:, 0]], 1),
        space=Space(reference=torch.zeros(1, 4)),
    )
    found = OwenShap(groups=(0, 0, 1, 0))(model, torch.ones(1, 4), torch.tensor([0])).values
    assert_close(found, torch.tensor([[0.5, 0.5, 1.0, 0.0]]))


def test_groups_for_other_features_are_refused():
    with pytest.raises(RangeError, match="has 2 numbers, expected one for each of the 5 features; leave it empty"):
        OwenShap(groups=(0, 1))(network(5), rows(1, 5))
