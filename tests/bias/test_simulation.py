"""What the intervals and p-values promise, checked by drawing samples where the truth is known."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from probe.bias.intervals import (
    difference_interval,
    highest_ratio_interval,
    largest_gap,
    largest_gap_interval,
    ratio_interval,
    smallest_ratio_interval,
)
from probe.bias.permutation import permutation_p

SAMPLES = 20_000
NOISE = 3 * np.sqrt(0.05 * 0.95 / SAMPLES)  # of a simulated coverage near 0.95

CASES = {
    "two equal": ([0.5, 0.5], [100, 100]),
    "four equal, one small": ([0.3] * 4, [400, 200, 100, 30]),
    "six equal and rare": ([0.05] * 6, [200] * 6),
    "twelve equal": ([0.4] * 12, [60] * 12),
    "one apart": ([0.3, 0.3, 0.3, 0.6], [300, 200, 100, 50]),
    "two equal and small": ([0.8, 0.8], [30, 30]),
    "two near one": ([0.92, 0.98], [30, 100]),
    "two far apart": ([0.98, 0.02], [40, 40]),
    "spread": ([0.2, 0.35, 0.5, 0.7], [100] * 4),
    "almost all selected": ([0.9, 0.95, 0.98], [60, 80, 100]),
    "seldom selected": ([0.02, 0.06, 0.1], [100, 100, 60]),
}


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("rates", "sizes"), CASES.values(), ids=CASES)
def test_the_largest_gap_is_covered(rates, sizes, generator):
    k = generator.binomial(sizes, rates, size=(SAMPLES, len(sizes)))
    low, high = largest_gap_interval([(k, np.broadcast_to(sizes, k.shape))], 0.95)
    truth = max(rates) - min(rates)
    assert np.mean((low <= truth) & (truth <= high)) >= 0.95 - NOISE


@pytest.mark.parametrize(("rates", "sizes"), CASES.values(), ids=CASES)
def test_the_smallest_ratio_is_covered(rates, sizes, generator):
    k = generator.binomial(sizes, rates, size=(SAMPLES, len(sizes)))
    low, high = smallest_ratio_interval(k, np.broadcast_to(sizes, k.shape), 0.95)
    truth, defined = min(rates) / max(rates), k.any(axis=-1)
    assert np.mean(((low <= truth) & (truth <= high))[defined]) >= 0.95 - NOISE


EQUAL = {f"{groups} of {size}": ([0.4] * groups, [size] * groups) for groups, size in [(5, 100), (10, 200)]}


@pytest.mark.parametrize(("rates", "sizes"), (CASES | EQUAL).values(), ids=CASES | EQUAL)
def test_ratios_to_the_truly_highest_rate_are_all_covered_at_once(rates, sizes, generator):
    """Groups under 60, unless all are, are too small to be the reference, and may exceed it."""
    eligible = np.array(sizes) >= min(60, max(sizes))
    k = generator.binomial(sizes, rates, size=(SAMPLES // 4, len(sizes)))
    k = k[k[:, eligible].any(axis=-1)]
    low, high = highest_ratio_interval(k, np.broadcast_to(sizes, k.shape), eligible, 0.95)
    truth = np.array(rates) / np.array(rates)[eligible].max()
    assert np.mean(((low <= truth) & (truth <= high)).all(axis=-1)) >= 0.95 - 2 * NOISE
    assert (high[:, eligible] <= 1).all()
    observed = k / np.array(sizes)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = observed / observed[:, eligible].max(-1, keepdims=True)
    assert ((low <= ratio + 1e-12) & (ratio <= high + 1e-12)).all()


def test_the_largest_of_two_strata_is_covered(generator):
    tpr, fpr, sizes = [0.6, 0.6, 0.7], [0.2, 0.3, 0.25], [80, 60, 120]
    shape = (SAMPLES, 3)
    strata = [(generator.binomial(sizes, rates, shape), np.broadcast_to(sizes, shape)) for rates in (tpr, fpr)]
    low, high = largest_gap_interval(strata, 0.95)
    assert np.mean((low <= 0.1) & (high >= 0.1)) >= 0.95 - NOISE


@pytest.mark.parametrize("sizes", [(30, 30), (30, 100), (100, 30)], ids=str)
def test_intervals_of_two_groups_cover_at_all_rates(sizes):
    """Summed over every possible sample, not drawn."""
    n1, n2 = sizes
    k1, k2 = np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij")
    gap, ratio = difference_interval(k1, n1, k2, n2, 0.95), ratio_interval(k1, n1, k2, n2, 0.95)
    for p1, p2 in product(np.linspace(0.02, 0.98, 9), repeat=2):
        weight = stats.binom.pmf(k1, n1, p1) * stats.binom.pmf(k2, n2, p2)
        assert weight[(gap[0] <= p1 - p2) & (p1 - p2 <= gap[1])].sum() >= 0.95
        assert weight[(ratio[0] <= p1 / p2) & (p1 / p2 <= ratio[1])].sum() >= 0.95


def test_the_interval_brackets_the_estimate(generator):
    k = generator.binomial([50, 40, 30], [0.0, 0.5, 1.0], size=(500, 3))
    n = np.broadcast_to([50, 40, 30], k.shape)
    low, high = largest_gap_interval([(k, n)], 0.95)
    assert np.all((low <= largest_gap([(k, n)]) + 1e-12) & (largest_gap([(k, n)]) <= high + 1e-12))
    low, high = smallest_ratio_interval(k, n, 0.95)
    assert np.all(low == 0)
    assert np.all((high > 0) & (high < 1))


@pytest.mark.parametrize(("groups", "expected"), [(2, 0.056), (3, 0.085), (4, 0.103), (5, 0.116), (6, 0.127)])
def test_equal_groups_look_unequal_by_the_range_of_noise(groups, expected, generator):
    k = generator.binomial(100, 0.5, size=(SAMPLES, groups))
    found = largest_gap([(k, np.full_like(k, 100))]).mean()
    assert found == pytest.approx(expected, abs=0.002)


def null_p_values(strata_of_rates, sizes, generator, repeats=600):
    values = []
    for seed in range(repeats):
        strata = [(generator.binomial(sizes, rate), np.array(sizes)) for rate in strata_of_rates]
        values.append(permutation_p(strata, draws=199, seed=seed))
    return np.array(values)


@pytest.mark.parametrize("rates", [(0.4,), (0.7, 0.2)], ids=["selection", "odds"])
@pytest.mark.parametrize("sizes", [[150, 50], [200, 100, 60, 30]], ids=["two", "four"])
def test_p_values_are_not_too_small_when_groups_are_equal(rates, sizes, generator):
    p = null_p_values(rates, sizes, generator)
    for alpha in (0.05, 0.2, 0.5):
        assert np.mean(p <= alpha) <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / len(p))
    assert np.mean(p <= 0.2) >= 0.1  # and not so large that nothing could ever be found


def test_p_values_are_small_when_groups_differ():
    assert permutation_p([(np.array([30, 60]), np.array([100, 100]))], draws=999, seed=0) <= 0.005


def test_permuting_counts_is_permuting_rows(generator):
    sizes, k = np.array([20, 15, 10]), np.array([12, 4, 3])
    member, selected = (
        np.repeat(np.arange(3), sizes),
        np.concatenate([np.arange(n) < s for n, s in zip(sizes, k, strict=True)]),
    )
    shuffled = np.array([np.bincount(generator.permutation(member), selected, minlength=3) for _ in range(8000)])
    gap = largest_gap([(shuffled, np.broadcast_to(sizes, shuffled.shape))])
    by_rows = np.mean(gap >= largest_gap([(k, sizes)]) - 1e-12)
    assert permutation_p([(k, sizes)], draws=20_000, seed=1) == pytest.approx(by_rows, abs=0.015)
