"""Conditional Shapley values: the closed form of normal features, and slow replicas."""

from dataclasses import replace
from itertools import combinations
from math import factorial

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import RangeError, Unsupported
from probe.explainers import ConditionalShap, KernelShap

ONE = torch.tensor([1])


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def related(rows=60, features=4):
    return draw(rows, features) @ draw(features, features, seed=1) + 2


def model_of(reference, forward, **said):
    space = Space(bounds=(-99.0, 99.0), reference=reference, **said)
    return Model(forward=lambda x: torch.stack([0 * x[:, 0], 9 + forward(x)], 1), space=space)


def shapley(value, features):
    """Of a game, by hand."""
    found = np.zeros(features)
    for feature in range(features):
        others = [each for each in range(features) if each != feature]
        for size in range(features):
            weight = factorial(size) * factorial(features - size - 1) / factorial(features)
            for some in combinations(others, size):
                found[feature] += weight * (value({*some, feature}) - value(set(some)))
    return found


def normal(reference, x, present):
    """Mean and covariance of all features given the present ones, by hand."""
    mean, covariance = reference.mean(0).numpy(), np.cov(reference.numpy().T)
    inside, absent = sorted(present), [each for each in range(len(mean)) if each not in present]
    center, spread = x.numpy().copy(), np.zeros_like(covariance)
    gain = covariance[np.ix_(absent, inside)] @ np.linalg.inv(covariance[np.ix_(inside, inside)])
    center[absent] = mean[absent] + gain @ (x.numpy()[inside] - mean[inside])
    spread[np.ix_(absent, absent)] = covariance[np.ix_(absent, absent)] - gain @ covariance[np.ix_(inside, absent)]
    return center, spread


def test_of_a_linear_model_gaussian_values_are_the_closed_form():
    reference, weights, x = related(), draw(4, seed=2), draw(2, 4, seed=3)
    found = ConditionalShap(given="gaussian", draws=4)(model_of(reference, lambda x: x @ weights), x, ONE.repeat(2))
    for at in range(2):
        by_hand = shapley(lambda some, at=at: normal(reference, x[at], some)[0] @ weights.numpy(), 4)
        assert found.values[at].tolist() == pytest.approx(by_hand.tolist(), abs=1e-6)
    marginal = KernelShap()(model_of(reference, lambda x: x @ weights), x, ONE.repeat(2))
    assert float((found.values - marginal.values).abs().max()) > 0.1


def test_draws_have_the_conditional_covariance():
    reference, weights, x = related(200, 3), draw(3, seed=2), draw(1, 3, seed=3)
    model = model_of(reference, lambda x: (x @ weights) ** 2)
    found = ConditionalShap(given="gaussian", draws=40000)(model, x, ONE)

    def value(some):
        if not some:
            return float(((reference @ weights) ** 2).mean())
        center, spread = normal(reference, x[0], some)
        return (center @ weights.numpy()) ** 2 + weights.numpy() @ spread @ weights.numpy()

    by_hand = shapley(value, 3)
    assert found.values[0].tolist() == pytest.approx(by_hand.tolist(), abs=0.03 * np.abs(by_hand).max())


@pytest.mark.parametrize("count", [1, 7, 999])
def test_nearest_values_are_those_of_a_slow_replica(count):
    reference, x = related(), draw(2, 4, seed=3)
    forward = lambda x: torch.sin(x).sum(1) + x[:, 0] * x[:, 3]  # noqa: E731
    found = ConditionalShap(neighbours=count)(model_of(reference, forward), x, ONE.repeat(2))
    spread = reference.std(0, correction=0)
    for at in range(2):

        def value(some, row=x[at]):
            inside = sorted(some)
            far = (((reference - row) / spread)[:, inside] ** 2).sum(1)
            rows = reference[far.argsort()[:count]].clone() if some else reference.clone()
            rows[:, inside] = row[inside]
            return float(forward(rows).mean())

        assert found.values[at].tolist() == pytest.approx(shapley(value, 4).tolist(), abs=1e-9)


@pytest.mark.parametrize(("bandwidth", "share"), [(0.1, 0.95), (0.4, 0.9), (3.0, 1.0)])
def test_kernel_values_are_those_of_a_slow_replica_of_the_paper(bandwidth, share):
    """Section 3.3 of arXiv:1903.10464: weights by the scaled Mahalanobis distance, of the rows with most of them."""
    reference, x = related(40), draw(2, 4, seed=3) + 2
    forward = lambda x: torch.sin(x).sum(1) + x[:, 0] * x[:, 3]  # noqa: E731
    method = ConditionalShap(given="kernel", bandwidth=bandwidth, share=share)
    found = method(model_of(reference, forward), x, ONE.repeat(2))
    covariance = np.cov(reference.numpy().T, bias=True)
    kept = []
    for at in range(2):

        def value(some, row=x[at]):
            inside = sorted(some)
            if not some:
                return float(forward(reference).mean())
            inverse = np.linalg.inv(covariance[np.ix_(inside, inside)])
            away = (row - reference).numpy()[:, inside]
            weights = np.array([np.exp(-(each @ inverse @ each / len(inside)) / (2 * bandwidth**2)) for each in away])
            order, told, whole = np.argsort(-weights), 0.0, 0.0
            count = next(k for k in range(1, 41) if weights[order[:k]].sum() >= share * weights.sum() * (1 - 1e-12))
            kept.append(count)
            for each in order[:count]:
                shown = reference[each].clone()
                shown[inside] = row[inside]
                told += weights[each] * float(forward(shown[None]))
                whole += weights[each]
            return told / whole

        assert found.values[at].tolist() == pytest.approx(shapley(value, 4).tolist(), abs=1e-8)
    assert (min(kept) < max(kept)) == (share < 1)


def test_a_narrow_kernel_takes_the_nearest_row_however_far_and_a_wide_one_any():
    reference, x = related(), draw(1, 4, seed=3) + 30
    model = model_of(reference, lambda x: torch.sin(x).sum(1) + x[:, 0] * x[:, 3])
    kernel, all_alike = (ConditionalShap(given="kernel", bandwidth=b, share=s) for b, s in ((1e-3, 0.95), (1e6, 1.0)))
    assert_close(all_alike(model, x, ONE).values, KernelShap()(model, x, ONE).values, atol=1e-6, rtol=0)
    found = kernel(model, x, ONE)
    assert bool(found.values.isfinite().all())
    assert found.cost.forward <= 60 + 2**4


def test_columns_that_are_sums_of_others_are_no_error_for_the_kernel(monkeypatch):
    one = draw(80, 2, seed=6)
    reference = torch.cat([one, one.sum(1, keepdim=True), torch.ones(80, 1)], 1)
    x = torch.tensor([[0.5, -0.5, 0.0, 1.0]], dtype=torch.float64)
    model = model_of(reference, lambda x: x[:, 0] * x[:, 1] + x[:, 2])
    method = ConditionalShap(given="kernel", bandwidth=0.3)
    values = method(model, x, ONE).values
    promised = x[:, 0] * x[:, 1] + x[:, 2] - (reference[:, 0] * reference[:, 1] + reference[:, 2]).mean()
    assert_close(values.sum(1), promised, atol=1e-9, rtol=0)
    assert_close(values[:, 3], torch.zeros(1, dtype=torch.float64), atol=1e-9, rtol=0)  # it tells of nothing
    monkeypatch.setattr("probe.explainers.conditional._ENTRIES", 4)  # in the smallest passes
    assert_close(method(model, x, ONE).values, values, atol=1e-12, rtol=0)


def test_of_categories_rows_that_agree_in_the_present_ones_count_alike():
    source = torch.Generator().manual_seed(4)
    kind = torch.randint(0, 3, (300, 2), generator=source)
    kind[:, 1] = torch.where(torch.rand(300, generator=source) < 0.7, kind[:, 0], kind[:, 1])
    reference = torch.cat([nn.functional.one_hot(kind[:, at], 3) for at in (0, 1)], 1).double()
    features = torch.tensor([0, 0, 0, 1, 1, 1])
    weights = draw(6, 6, seed=5)
    forward = lambda x: ((x @ weights) * x).sum(1)  # noqa: E731
    x = torch.tensor([[0, 1, 0, 0, 0, 1]], dtype=torch.float64)
    found = ConditionalShap(neighbours=5)(model_of(reference, forward, features=features), x, ONE).by_feature()

    def value(some):
        kept = torch.isin(features, torch.tensor(sorted(some), dtype=torch.long))
        agree = (reference[:, kept] == x[0, kept]).all(1)
        return float(forward(torch.where(kept, x[0], reference[agree])).mean())

    assert found[0].tolist() == pytest.approx(shapley(value, 2).tolist(), abs=1e-9)


@pytest.mark.parametrize("given", ["nearest", "kernel", "gaussian"])
def test_a_copy_of_a_feature_that_is_not_used_gets_half_and_values_sum_as_promised(given):
    one = draw(200, 1, seed=6)
    reference = torch.cat([one, one, draw(200, 1, seed=7)], 1)
    x = torch.tensor([[1.5, 1.5, 0.3], [-0.5, -0.5, 1.0]], dtype=torch.float64)
    model = model_of(reference, lambda x: 2 * x[:, 0])
    found = ConditionalShap(given=given, neighbours=3)(model, x, ONE.repeat(2))
    assert_close(found.values[:, 0], found.values[:, 1], atol=0.2, rtol=0)
    assert float(found.values[0, 1]) > 1
    promised = 2 * x[:, 0] - 2 * reference[:, 0].mean()
    assert_close(found.values.sum(1), promised, atol=1e-9, rtol=0)
    assert float(KernelShap()(model, x, ONE.repeat(2)).values[:, 1].abs().max()) < 1e-9


@pytest.mark.parametrize("given", ["nearest", "kernel", "gaussian"])
def test_drawn_coalitions_have_standard_errors_and_the_budget_is_kept(given):
    reference = related(50, 14)
    model = model_of(reference, lambda x: torch.sin(x).sum(1))
    method = ConditionalShap(given=given, coalitions=200, draws=4, neighbours=3)
    found = method(model, draw(1, 14, seed=3), ONE)
    assert bool((found.errors > 0).any())
    assert found.cost.forward <= 200 * (50 if given == "kernel" else 4) + 50 + 2
    few = "ConditionalShap.coalitions = 20 is too few for 14 features; set at least 28"
    with pytest.raises(RangeError, match=few):
        replace(method, coalitions=20)(model, draw(1, 14, seed=3), ONE)
    with pytest.raises(RangeError, match=r"ConditionalShap.max_coalitions = 9 is too few for 14 features"):
        replace(method, until_top=2, max_coalitions=9)(model, draw(1, 14, seed=3), ONE)


def test_with_one_reference_row_values_are_those_of_kernel_shap():
    x = draw(2, 4, seed=3)
    model = model_of(draw(1, 4, seed=8), lambda x: torch.sin(x).prod(1))
    for given in ("nearest", "kernel", "gaussian"):
        found = ConditionalShap(given=given)(model, x, ONE.repeat(2)).values
        assert_close(found, KernelShap()(model, x, ONE.repeat(2)).values, atol=1e-9, rtol=0)


def test_missing_numbers_are_alike_for_neighbours():
    reference = torch.tensor([[torch.nan, 1.0], [torch.nan, 2.0], [0.0, 5.0], [1.0, 6.0]], dtype=torch.float64)
    space = Space(bounds=(-99.0, 99.0), reference=reference, names=("pay", "age"), missing=(True, False))
    model = Model(forward=lambda x: torch.stack([0 * x[:, 1], 9 + x[:, 1]], 1), space=space)
    x = torch.tensor([[torch.nan, 1.0]], dtype=torch.float64)
    # Given that pay is missing age is 1.5, and 3.5 if nothing is known; given age all is known.
    found = ConditionalShap(neighbours=2)(model, x, ONE)
    assert found.values[0].tolist() == pytest.approx([(-2 + 0) / 2, (-0.5 - 2.5) / 2])
    for given in ("kernel", "gaussian"):
        with pytest.raises(Unsupported, match="missing in some rows"):
            ConditionalShap(given=given)(model, x, ONE)


def test_of_texts_neighbours_are_those_with_the_same_words():
    texts = torch.tensor([[1, 1], [1, 1], [2, 2], [2, 0]])
    words = Space(words=("-", "a", "b"), bounds=(0, 2), reference=texts)
    embed = nn.Embedding.from_pretrained(torch.tensor([[0.0], [4.0], [2.0]])).eval()
    model = Model(forward=lambda e: torch.stack([0 * e.sum((1, 2)), 9 + e[:, 1, 0]], 1), embed=embed, space=words)
    # The second word is worth 4; given the first it is 4 too, and 2.5 (4, 4, 2, 0) if neither is known.
    found = ConditionalShap(neighbours=1)(model, texts[:1], ONE).values[0]
    assert found.tolist() == pytest.approx([0.75, 0.75])


@pytest.mark.parametrize("given", ["kernel", "gaussian"])
def test_tokens_and_categories_are_refused_where_covariances_are_asked(given):
    words = Space(words=("-", "a"), bounds=(0, 1), reference=torch.zeros(1, 2, dtype=torch.long))
    model = Model(forward=lambda e: e.sum(1), embed=nn.Embedding(2, 2).eval(), space=words)
    with pytest.raises(Unsupported, match=r"covariances of numbers, and model reads .*; set given"):
        ConditionalShap(given=given)(model, torch.tensor([[1, 0]]))
    table = model_of(related(), lambda x: x.sum(1), names=tuple("abcd"), kinds=("continuous",) * 3 + ("category",))
    with pytest.raises(Unsupported, match="'d' is a category; set given=\"nearest\""):
        ConditionalShap(given=given)(table, draw(1, 4), ONE)
    assert replace(ConditionalShap(given=given), given="nearest")(table, draw(1, 4), ONE).values.shape == (1, 4)
