"""Standard errors of sampled values: intervals of 1.96 of them hold the limit nineteen times in twenty."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Model, Space, load
from probe.contracts import Explainer, Sampled
from probe.errors import ContractError, DataError, RangeError
from probe.explainers import ExpectedGradients, InputXGradient, KernelShap, Lime, Saliency, SmoothGrad, VarGrad
from probe.explainers.coalitions import coalition_values, every_subset
from probe.explainers.surrogate import kernel_weights, ridge_slopes

SPACE = Space(features=torch.tensor([0, 0, 1, 2]), reference=torch.zeros(1, 4))


def curved():
    return Model(forward=lambda x: torch.stack([(2 * x).tanh().prod(1) + (x**3).sum(1), x.sum(1)], 1), space=SPACE)


def held(method, truth, model, x, targets, draws=60):
    found = [method(seed)(model, x, targets) for seed in range(draws)]
    inside = [(each.by_feature() - truth).abs() <= 1.96 * each.errors_by_feature() for each in found]
    return float(torch.stack(inside).double().mean())


@pytest.mark.slow
@pytest.mark.parametrize("samples", [60, 250])
def test_intervals_of_lime_hold_its_limit(network, rows, samples):
    model, x, targets = network(8, 1), rows(12, 8), torch.zeros(12, dtype=torch.long)
    masks, active = every_subset(8), torch.ones(12, 8, dtype=torch.bool)
    values = coalition_values(model, x, targets, masks, "logit")
    weights = kernel_weights(masks, active, 0.25) * (samples / len(masks))
    limit = ridge_slopes(masks, weights, values, 1.0, active)
    share = held(lambda seed: Lime(samples=samples, seed=seed), limit, model, x, targets)
    assert 0.91 <= share <= 0.98


def test_intervals_of_smooth_gradients_hold_their_limit_for_groups_of_coordinates_too():
    model, x, targets = curved(), torch.rand(16, 4), torch.zeros(16, dtype=torch.long)
    limit = SmoothGrad(draws=8000, seed=999)(model, x, targets).by_feature()
    share = held(lambda seed: SmoothGrad(draws=40, seed=seed), limit, model, x, targets, draws=60)
    assert 0.91 <= share <= 0.98


def test_intervals_of_smooth_gradients_hold_their_limit_for_tokens():
    table = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))

    def forward(embedded):
        return torch.stack([(embedded.sum(1) ** 2).sum(1), embedded.sum((1, 2))], 1)

    model = Model(forward=forward, embed=lambda ids: table[ids], space=Space(bounds=(0, 5)))
    ids, targets = torch.tensor([[0, 3, 1], [2, 2, 5]]), torch.zeros(2, dtype=torch.long)
    limit = SmoothGrad(draws=8000, seed=999)(model, ids, targets).values
    found = SmoothGrad(draws=40)(model, ids, targets)
    assert found.errors.shape == ids.shape
    share = held(lambda seed: SmoothGrad(draws=40, seed=seed), limit, model, ids, targets, draws=100)
    assert 0.9 <= share <= 0.99


def test_intervals_of_the_variance_of_gradients_hold_their_limit_for_groups_of_coordinates_too():
    model, x, targets = curved(), torch.rand(8, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(8).long()
    limit = VarGrad(draws=8000, seed=999)(model, x, targets).by_feature()
    share = held(lambda seed: VarGrad(draws=200, seed=seed), limit, model, x, targets, draws=40)
    assert 0.88 <= share <= 0.98


@pytest.mark.parametrize(("draws", "least", "most"), [(200, 0.9, 0.985), (30, 0.93, 1.0)])
def test_intervals_of_expected_gradients_hold_their_limit_and_are_on_the_safe_side_of_few(
    network, rows, draws, least, most
):
    model, x, targets = network(8, 20), rows(4, 8), torch.zeros(4, dtype=torch.long)
    limit = ExpectedGradients(draws=10_000, seed=999)(model, x, targets).by_feature()
    share = held(lambda seed: ExpectedGradients(draws=draws, seed=seed), limit, model, x, targets, draws=40)
    assert least <= share <= most


def test_nothing_was_drawn_where_all_coalitions_are_asked_or_none_are(network, rows):
    for method in (KernelShap(), Lime(), Saliency(), InputXGradient()):
        found = method(network(6), rows(2, 6))
        assert found.errors is None
        assert not found.exact.any()
        assert found.to_frame(errors=True).isna().all(axis=None)
        assert "standard error" not in repr(found)


def test_too_few_coalitions_to_tell_an_error_come_without_one(network, rows):
    assert KernelShap(coalitions=28)(network(14), rows(2, 14)).errors is None
    assert KernelShap(coalitions=42)(network(14), rows(2, 14)).errors is not None


def test_errors_are_told_saved_and_taken_along(network, rows, tmp_path):
    found = KernelShap(coalitions=80)(network(14), rows(3, 14))
    assert found.errors.shape == found.values.shape
    assert "standard errors up to" in repr(found)
    found.save(tmp_path / "r")
    again = load(tmp_path / "r")
    assert torch.equal(again.errors, found.errors)
    assert_close(found[1].errors, found.errors[1:2])
    assert found.to_frame(errors=True).shape == (3, 14)


def test_a_saved_result_of_errors_below_zero_or_unknown_is_refused(network, rows, tmp_path):
    found = KernelShap(coalitions=80)(network(14), rows(3, 14))
    for number, errors in enumerate((-found.errors, found.errors * torch.nan)):
        object.__setattr__(found, "errors", errors)
        found.save(tmp_path / str(number))
        with pytest.raises(DataError, match="standard errors"):
            load(tmp_path / str(number))


def test_rankings_say_how_sure_each_place_is(game):
    model = game(lambda x: x @ torch.arange(1.0, 15, dtype=torch.float64) + x[:, :6].prod(1), 14)
    found = KernelShap(coalitions=80)(model, torch.ones(1, 14, dtype=torch.float64), torch.tensor([0])).rankings()
    assert found.columns.tolist() == ["feature", "value", "error", "above next"]
    assert found["value"].abs().is_monotonic_decreasing
    assert found["above next"][:5].min() > 0.97
    assert found["above next"].isna().tolist() == [False] * 13 + [True]
    alone = Saliency()(Model(forward=nn.Linear(3, 2).eval()), torch.rand(1, 3)).rankings()
    assert alone["above next"].isna().all()


@pytest.mark.slow
def test_a_confidence_of_nine_in_ten_is_right_nine_times_in_ten(network, rows):
    """Whether the first of two neighbours in a ranking is the larger: 40 draws of 12 features of 4 examples."""
    model, x, targets = network(12, 1), rows(4, 12), torch.tensor([0, 1, 2, 0])
    truth = KernelShap()(model, x, targets).by_feature().abs()
    said, right = [], []
    for seed in range(40):
        found = KernelShap(coalitions=150, seed=seed)(model, x, targets)
        for row in range(4):
            ranked = found.rankings(row)
            order = [int(name.split()[-1]) for name in ranked["feature"]]
            said += ranked["above next"][:-1].tolist()
            right += [bool(truth[row, a] > truth[row, b]) for a, b in pairwise(order)]
    said, right = torch.tensor(said), torch.tensor(right).double()
    for low, high in ((0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        some = (said >= low) & (said < high)
        assert some.sum() > 60
        assert abs(float(right[some].mean()) - float(said[some].mean())) < 0.08


@dataclass(frozen=True, kw_only=True)
class Unsure(Explainer):
    """The input, give or take."""

    def attribute(self, model, inputs, targets):
        return Sampled(inputs, inputs - 0.5)


def test_any_method_has_errors_by_returning_them_and_none_below_zero():
    model = Model(forward=lambda x: x)
    found = Unsure()(model, torch.tensor([[0.75, 1.0]]))
    assert found.rankings()["error"].tolist() == [0.5, 0.25]
    with pytest.raises(ContractError, match="standard error below 0"):
        Unsure()(model, torch.tensor([[0.25, 1.0]]))


@pytest.mark.parametrize(
    "few",
    [
        *(lambda seed, n=n: Lime(samples=n, seed=seed) for n in (2, 6, 23, 24)),
        *(lambda seed, n=n: KernelShap(coalitions=n, seed=seed) for n in (14, 18, 24)),
        *(lambda seed, n=n: SmoothGrad(draws=n, seed=seed) for n in (2, 3)),
    ],
)
def test_however_few_the_draws_no_value_that_depends_on_them_is_called_exact(few, network, rows):
    model, x, targets = network(6), rows(3, 6), torch.zeros(3, dtype=torch.long)
    one, other = (few(seed)(model, x, targets) for seed in (0, 1))
    differs = (one.values - other.values).abs() > 1e-6
    assert differs.any()
    assert one.errors is None or bool((one.errors[differs] > 0).all())


def test_bars_of_sampled_values_have_whiskers_of_two_standard_errors(network, rows):
    found = KernelShap(coalitions=80)(network(14), rows(1, 14))
    ax = found.plot()
    values, errors = found.by_feature()[0].double(), found.errors_by_feature()[0].double()
    listed = values.abs().argsort(descending=True, stable=True)[:10]
    ends = torch.tensor([[point[0] for point in line] for line in ax.collections[0].get_segments()])
    expected = torch.stack([values - 1.96 * errors, values + 1.96 * errors], 1)[listed]
    assert_close(ends.double(), expected, rtol=1e-6, atol=1e-9)
    assert not Lime()(network(6), rows(1, 6)).plot().collections


@pytest.mark.slow
def test_coalitions_are_drawn_until_the_largest_features_are_decided_and_no_longer(network, rows):
    model, x, targets = network(12, 1), rows(6, 12), torch.tensor([0, 1, 2, 0, 1, 2])
    truth = KernelShap()(model, x, targets).by_feature().abs()
    decided, wrong, spent = 0, 0, []
    for seed in range(12):
        found = KernelShap(until_top=3, coalitions=48, max_coalitions=800, seed=seed)(model, x, targets)
        sure = torch.from_numpy(found.top_confidence(3)) >= 0.95
        same = [
            set(a.tolist()) == set(b.tolist())
            for a, b in zip(found.by_feature().abs().topk(3)[1], truth.topk(3)[1], strict=True)
        ]
        decided, wrong = decided + int(sure.sum()), wrong + int((sure & ~torch.tensor(same)).sum())
        spent.append(found.cost.forward)
    assert decided > 36
    assert wrong <= 0.05 * decided + 1
    everything = KernelShap(coalitions=800)(model, x, targets).cost.forward
    assert sum(spent) / len(spent) < 0.8 * everything
    assert "the 3 largest features are decided for" in repr(found)


def test_what_decides_an_example_does_not_depend_on_those_beside_it(network, rows):
    model, x = network(16, 2), rows(4, 16)
    together = KernelShap(until_top=2, max_coalitions=400)(model, x)
    for row in range(4):
        alone = KernelShap(until_top=2, max_coalitions=400)(model, x[row : row + 1])
        assert_close(alone.values[0], together.values[row])
        assert_close(alone.errors[0], together.errors[row])


def test_two_equal_features_are_seldom_decided_and_told_so(game):
    worth = game(lambda x: x[:, :2].sum(1) + x[:, :6].prod(1), 14)
    x, decided = torch.ones(1, 14, dtype=torch.float64), []
    for seed in range(10):
        found = KernelShap(until_top=1, max_coalitions=400, seed=seed)(worth, x, torch.tensor([0]))
        decided.append(bool(found.top_confidence(1)[0] >= 0.95))
        assert f"the 1 largest features are decided for {int(decided[-1])} of 1" in repr(found)
    assert sum(decided) <= 3


def test_all_coalitions_of_few_features_decide_for_good(game):
    found = KernelShap(until_top=2, max_coalitions=10**6)(
        game(lambda x: x[:, :7].prod(1) + x[:, 0] + 0.5 * x[:, 1] + 0.01 * x[:, 2:].sum(1), 8),
        torch.ones(1, 8, dtype=torch.float64),
        torch.tensor([0]),
    )
    assert found.top_confidence(2)[0] >= 0.95
    expected = torch.tensor([1 + 1 / 7, 0.5 + 1 / 7] + [0.01 + 1 / 7] * 5 + [0.01], dtype=torch.float64)
    assert bool(((found.values[0] - expected).abs() <= 4 * found.errors[0] + 1e-9).all())


def test_a_cap_below_three_coalitions_of_each_feature_is_refused(network, rows):
    with pytest.raises(RangeError, match="max_coalitions = 20 is too few for 14 features; set at least 42"):
        KernelShap(until_top=2, max_coalitions=20)(network(14), rows(1, 14))
