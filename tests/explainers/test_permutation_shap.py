import pytest
import torch
from torch.testing import assert_close

from probe.explainers import KernelShap, PermutationShap

FIRST = torch.tensor([0])


def ones(players):
    return torch.ones(1, players, dtype=torch.float64)


@pytest.mark.parametrize("seed", range(3))
def test_one_order_and_its_reverse_are_exact_for_a_game_of_order_2(game, seed):
    model = game(lambda x: x[:, 0] * x[:, 2] + x[:, 1] + x[:, 2] + 3 * x[:, 2] * x[:, 3], 4)
    found = PermutationShap(draws=1, seed=seed)(model, ones(4), FIRST)
    assert_close(found.values, torch.tensor([[0.5, 1.0, 3.0, 1.5]]).double())
    assert found.errors is None


def test_values_sum_to_the_change_with_any_number_of_orders_and_known_ones_are_told_exact(network, rows):
    model, x, targets = network(8, 3), rows(4, 8), torch.tensor([0, 1, 2, 0])
    change = model.target_outputs(x, targets, "logit")
    base = torch.stack([model.target_outputs(model.space.reference, t.expand(3), "logit").mean() for t in targets])
    assert_close(PermutationShap(draws=2)(model, x, targets).values.sum(1), change - base)


def test_many_orders_come_to_the_exact_values_with_errors_that_hold_them(network, rows):
    model, x, targets = network(8, 2), rows(6, 8), torch.tensor([0, 1, 2, 0, 1, 2])
    exact = KernelShap()(model, x, targets).values
    found = [PermutationShap(draws=12, seed=seed)(model, x, targets) for seed in range(30)]
    inside = torch.stack([(each.values - exact).abs() <= 2.2 * each.errors for each in found])  # 11 degrees of freedom
    assert 0.91 <= inside.double().mean() <= 0.985
    mean = torch.stack([each.values for each in found]).mean(0)
    spread = torch.stack([each.values for each in found]).std(0) / 30**0.5
    assert ((mean - exact).abs() <= 5 * spread).all()


def test_exact_values_have_no_error_and_a_feature_like_the_reference_has_0(game):
    model = game(lambda x: x[:, 0] * x[:, 1] + x[:, 2], 4)
    found = PermutationShap(draws=5)(model, torch.tensor([[1.0, 1, 1, 0]]).double(), FIRST)
    assert_close(found.values, torch.tensor([[0.5, 0.5, 1, 0]]).double())
    assert found.exact.all()
