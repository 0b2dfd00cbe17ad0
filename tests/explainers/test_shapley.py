from fractions import Fraction
from itertools import combinations
from math import factorial

import captum.attr
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import RangeError, Unsupported
from probe.explainers import KernelShap
from probe.explainers.shapley import shapley_design
from probe.metrics import Completeness


def shares(model, presence, **settings):
    """Shapley values of the first logit."""
    x = torch.as_tensor(presence, dtype=torch.float64)[None]
    return KernelShap(**settings)(model, x, torch.tensor([0])).values[0]


def by_hand(worth, players):
    """The definition: a player's contribution, averaged over the orders in which it can arrive."""
    values = np.zeros(players)
    for player in range(players):
        others = [p for p in range(players) if p != player]
        for size in range(players):
            weight = factorial(size) * factorial(players - size - 1) / factorial(players)
            for coalition in combinations(others, size):
                values[player] += weight * (worth({*coalition, player}) - worth(set(coalition)))
    return values


def rms(error):
    return float((error**2).mean().sqrt())


ONES = {n: [1.0] * n for n in range(1, 17)}
GAMES = {
    "glove": (lambda x: torch.minimum(x[:, 0], torch.maximum(x[:, 1], x[:, 2])), [2 / 3, 1 / 6, 1 / 6]),
    "airport": (
        lambda x: (x * torch.arange(1.0, 5, dtype=torch.float64)).amax(1),
        [float(Fraction(n, 12)) for n in (3, 7, 13, 25)],
    ),
    "unanimity of the first three": (lambda x: x[:, :3].prod(1) + 0 * x.sum(1), [1 / 3, 1 / 3, 1 / 3, 0, 0]),
    "second order": (
        lambda x: x[:, 0] * x[:, 2] + x[:, 1] + x[:, 1] * x[:, 2] + x[:, 2] * x[:, 3],
        [0.5, 1.5, 1.5, 0.5],
    ),
}


@pytest.mark.parametrize("name", GAMES)
def test_shapley_values_equal_those_of_games_in_closed_form(game, name):
    worth, expected = GAMES[name]
    found = shares(game(worth, len(expected)), ONES[len(expected)])
    assert_close(found, found.new_tensor(expected), rtol=0, atol=1e-12)


SQUARE = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
TABLES = {
    "and": (lambda x: 80 * x.prod(1), [[-10, -10], [-30, 10], [10, -30], [30, 30]]),
    "xor": (lambda x: (x.sum(1) == 1).double(), [[-0.25, -0.25], [0.25, 0.25], [0.25, 0.25], [-0.25, -0.25]]),
    "or": (lambda x: x.amax(1), [[-0.375, -0.375], [-0.125, 0.375], [0.375, -0.125], [0.125, 0.125]]),
    "a tenth more": (lambda x: 80 * x.prod(1) + 10 * x[:, 1], [[-10, -15], [-30, 15], [10, -35], [30, 35]]),
}


@pytest.mark.parametrize("name", TABLES)
def test_shapley_values_of_logic_functions_are_exact(name):
    worth, expected = TABLES[name]
    model = Model(forward=lambda x: torch.stack([worth(x), -worth(x)], 1), space=Space(reference=SQUARE))
    found = KernelShap()(model, SQUARE, torch.zeros(4, dtype=torch.long)).values
    assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)


def test_shapley_values_of_a_maximum_are_exact():
    model = Model(
        forward=lambda x: torch.stack([x.amax(1), -x.amax(1)], 1),
        space=Space(bounds=(0, 9), reference=torch.zeros(1, 2, dtype=torch.float64)),
    )
    assert_close(shares(model, [3.0, 1.0]), torch.tensor([2.5, 0.5], dtype=torch.float64))


def test_shapley_values_of_the_security_council_are_exact(game):
    def passes(x):
        return ((x[:, :5].sum(1) == 5) & (x.sum(1) >= 9)).double()

    found = shares(game(passes, 15), ONES[15], coalitions=2**15)
    assert_close(found[:5], torch.full((5,), 421 / 2145, dtype=torch.float64))
    assert_close(found[5:], torch.full((10,), 4 / 2145, dtype=torch.float64))


def test_a_single_feature_gets_the_whole_change(game):
    assert_close(shares(game(lambda x: 7 * x[:, 0], 1), [1.0]), torch.tensor([7.0], dtype=torch.float64))


def test_shapley_values_of_a_random_game_equal_the_definition(game):
    table = torch.randn(2**6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    power = 2 ** torch.arange(6)
    found = shares(game(lambda x: table[(x.long() * power).sum(1)], 6), ONES[6])
    expected = by_hand(lambda coalition: float(table[sum(2**p for p in coalition)]), 6)
    assert_close(found, torch.from_numpy(expected), rtol=0, atol=1e-12)


def test_kernel_shap_has_the_known_values_of_captums_network(multilayer):
    x = torch.tensor([[20.0, 50.0, 30.0], [2.0, 10.0, 3.0]], dtype=torch.float64)
    found = KernelShap()(multilayer, x, torch.tensor([0, 0])).values
    expected = x.new_tensor([[230 / 3, 590 / 3, 350 / 3], [7.0, 32.5, 10.5]])
    assert_close(found, expected, rtol=1e-12, atol=0)


def test_a_group_of_columns_is_one_player(multilayer):
    space = Space(bounds=(-1000.0, 1000.0), reference=multilayer.space.reference, features=torch.tensor([0, 0, 1]))
    grouped = Model(forward=multilayer.forward, space=space)
    attribution = KernelShap()(grouped, torch.tensor([[20.0, 50.0, 30.0]], dtype=torch.float64), torch.tensor([0]))
    assert_close(attribution.by_feature(), torch.tensor([[275.0, 115.0]], dtype=torch.float64))
    assert_close(attribution.values, torch.tensor([[137.5, 137.5, 115.0]], dtype=torch.float64))


def test_shapley_values_of_a_linear_model_use_all_reference_rows():
    # 101 rows from 0 to 100 have mean 50; an explainer that quietly keeps 100 of them does not find it.
    reference = torch.arange(101.0, dtype=torch.float64)[:, None].repeat(1, 2)
    weight = torch.tensor([[1.0, 2.0], [0.0, 0.0]], dtype=torch.float64)
    model = Model(forward=lambda x: x @ weight.T, space=Space(bounds=(0.0, 100.0), reference=reference))
    x = torch.tensor([[0.0, 0.0], [50.0, 70.0]], dtype=torch.float64)
    expected = torch.tensor([[-50.0, -100.0], [0.0, 40.0]], dtype=torch.float64)
    assert_close(KernelShap()(model, x, torch.tensor([0, 0])).values, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("coalitions", [60, 1000])
def test_shapley_values_sum_to_the_change_in_output(network, rows, output, coalitions):
    model = network()
    attribution = KernelShap(output=output, coalitions=coalitions)(model, rows(5, 8))
    assert Completeness()(model, attribution).evidence[:, 0].max() < 1e-12


@pytest.mark.parametrize("coalitions", [100, 100_000])
def test_a_feature_that_is_ignored_or_equals_its_reference_gets_zero(game, coalitions):
    x = [*ONES[9], 0.0]
    found = shares(game(lambda x: x[:, :8].prod(1) + x[:, 1] * x[:, 9], 10), x, coalitions=coalitions)
    assert found[9] == 0
    if coalitions == 100_000:
        assert abs(found[8]) < 1e-12


def test_an_input_that_equals_its_reference_gets_zero_attributions(game):
    assert shares(game(lambda x: x.sum(1) + 3, 4), [0.0] * 4).abs().max() == 0


@pytest.mark.slow
def test_kernel_shap_agrees_with_the_shap_package(network, rows):
    shap = pytest.importorskip("shap")
    model, x = network(), rows(3, 8)
    reference, targets = model.space.reference.numpy(), torch.tensor([0, 2, 1])

    def answer(batch):
        return model.logits(torch.as_tensor(batch)).numpy()

    ours = KernelShap()(model, x, targets).values.numpy()
    kernel = shap.KernelExplainer(answer, reference).shap_values(x.numpy(), nsamples=1000, l1_reg=False, silent=True)
    # Its 1,000 samples are all subsets of 8 features; its exact explainer takes a minute to compile.
    np.testing.assert_allclose(ours, np.asarray(kernel)[np.arange(3), :, targets.numpy()], rtol=1e-6, atol=1e-9)


def test_the_error_of_kernel_shap_falls_with_the_square_root_of_its_budget(network, rows):
    model, x, targets = network(14, 1), rows(3, 14), torch.tensor([0, 1, 2])
    exact = KernelShap(coalitions=2**14)(model, x, targets).values

    def error(coalitions):
        draws = [KernelShap(coalitions=coalitions, seed=seed)(model, x, targets).values for seed in range(6)]
        return rms(torch.stack(draws) - exact)

    few, more = error(200), error(800)
    assert 1.6 < few / more < 3.5
    assert more < 0.1 * rms(exact)


@pytest.mark.slow
def test_the_estimate_is_closer_than_captums_at_the_same_budget(network, rows):
    model, x, targets = network(12, 1), rows(2, 12), torch.tensor([0, 1])
    exact = KernelShap(coalitions=2**12)(model, x, targets).values
    settings = {"baselines": model.space.reference, "n_samples": 300, "perturbations_per_eval": 300}

    def ask(row):  # captum warns where it is given more than one
        return captum.attr.KernelShap(model).attribute(x[row : row + 1], target=int(targets[row]), **settings)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = [torch.cat([ask(row) for row in (0, 1)]) for _ in range(4)]
    ours = [KernelShap(coalitions=298, seed=seed)(model, x, targets).values for seed in range(4)]
    assert rms(torch.stack(ours) - exact) < 0.75 * rms(torch.stack(theirs) - exact)


@pytest.mark.parametrize(("features", "budget"), [(12, 24), (12, 35), (12, 301), (13, 1000), (49, 98), (49, 1000)])
def test_a_draw_is_paired_within_budget_and_determines_the_fit(features, budget):
    masks, weights = shapley_design(features, budget, 0)
    assert not masks[0].any()
    assert masks[-1].all()
    assert budget - 2 <= len(masks) - 2 <= budget
    coalitions = {tuple(m) for m in masks.tolist()}
    assert all(tuple(not kept for kept in m) in coalitions for m in coalitions)
    assert bool((weights > 0).all())
    present = masks.double()
    assert torch.linalg.matrix_rank(present) == features


def test_coalitions_of_a_complete_size_have_the_weight_of_the_shapley_kernel():
    masks, weights = shapley_design(12, 1000, 0)
    sizes = masks.sum(1)
    for size in (1, 2, 10, 11):
        assert_close(weights[sizes == size].sum(), torch.tensor(1 / (size * (12 - size)), dtype=torch.float64))
    assert len({tuple(m) for m in masks[sizes == 2].tolist()}) == 66


def test_too_few_coalitions_are_refused_with_a_remedy(game):
    with pytest.raises(RangeError, match="at least 30"):
        shares(game(lambda x: x.sum(1), 15), ONES[15], coalitions=29)


def test_an_absent_feature_needs_a_reference():
    model = Model(forward=lambda x: torch.stack([x.sum(1), -x.sum(1)], 1))
    with pytest.raises(Unsupported, match="Space"):
        KernelShap()(model, torch.zeros(1, 3))


def test_kernel_shap_treats_words_as_features():
    table = torch.tensor([0.0, 1.0, 2.0, 5.0])
    model = Model(
        forward=lambda e: torch.stack([e.sum((1, 2)), -e.sum((1, 2))], 1),
        embed=lambda ids: table[ids][..., None],
        space=Space(bounds=(0, 3), reference=torch.zeros(1, 4, dtype=torch.long)),
    )
    values = KernelShap()(model, torch.tensor([[1, 3, 0, 2]]), torch.tensor([0])).values
    assert_close(values, torch.tensor([[1.0, 5.0, 0.0, 2.0]]))


@pytest.mark.slow
def test_memory_holds_one_pass_of_masked_inputs(network, rows, monkeypatch):
    model, x, sizes = network(), rows(3, 8), []
    expected, answers = KernelShap()(model, x).values, Model.target_outputs

    def watched(self, inputs, targets, kind):
        sizes.append(len(inputs))
        return answers(self, inputs, targets, kind)

    monkeypatch.setattr("probe.tensors.COORDINATES", {"cpu": 8 * 13})
    monkeypatch.setattr(Model, "target_outputs", watched)
    assert_close(KernelShap()(model, x).values, expected)
    assert max(sizes) == 13


def test_the_default_is_exact_for_up_to_twelve_features(network, rows):
    model, x, targets = network(12, 3), rows(2, 12), torch.tensor([0, 1])
    default, every = (KernelShap(**s)(model, x, targets).values for s in ({}, {"coalitions": 2**12 - 2}))
    assert torch.equal(default, every)
    model, x = network(13, 3), rows(1, 13)
    assert torch.equal(*(KernelShap(**s)(model, x).values for s in ({}, {"coalitions": 1000})))
