"""What a verdict promises, by drawing samples where the truth is known: it covers, and is seldom wrong."""

from itertools import product

import numpy as np
import pytest

from probe.bias.intervals import largest_gap_interval, smallest_ratio_interval

SIZES = {
    2: (500, 200),
    5: (2000, 800, 300, 100, 40),
    12: (3000, 2000, 1500, 1000, 700, 500, 300, 200, 120, 80, 60, 40),
}
GAPS = (0, 0.05, 0.10, 0.15, 0.25)
THRESHOLD = 0.10
# Rates of all groups, and sizes: groups of a handful beside a large one.
TINY = {
    "11 of 1": (0.02, (5000, *[1] * 11)),
    "19 of 5": (0.02, (5000, *[5] * 19)),
    "19 of 2": (0.01, (5000, *[2] * 19)),
}
DESIGNS = [
    (SIZES[groups], base, gap, at)
    for groups, base, gap, at in product(SIZES, (0.05, 0.3), GAPS, ("smallest", "second"))
    if gap or at == "smallest"
]


def drawn(sizes, rates, draws, seed=0):
    k = np.random.default_rng(seed).binomial(sizes, rates, size=(draws, len(sizes)))
    return k, np.broadcast_to(sizes, k.shape)


def rates_of(sizes, base, gap, at):
    rates = np.full(len(sizes), base)
    rates[-1 if at == "smallest" else 1] += gap
    return rates


def noise(share, draws):
    return 3 * np.sqrt(share * (1 - share) / draws)


def measured(design, draws):
    """Coverage of the largest gap, and how often it is judged to be over, or under, the threshold."""
    sizes, base, gap, at = design
    low, high = largest_gap_interval([drawn(sizes, rates_of(sizes, base, gap, at), draws)], 0.95)
    slack = 1e-12
    return np.mean((low <= gap + slack) & (gap <= high + slack)), np.mean(low > THRESHOLD), np.mean(high <= THRESHOLD)


def check(design, draws):
    covered, failed, passed = measured(design, draws)
    assert covered >= 0.95 - noise(0.05, draws)
    if design[2] <= THRESHOLD:
        assert failed <= 0.025 + noise(0.025, draws)
    if design[2] >= THRESHOLD:
        assert passed <= 0.025 + noise(0.025, draws)


@pytest.mark.parametrize("design", [d for d in DESIGNS if d[2] in (0, THRESHOLD)], ids=str)
def test_verdicts_are_wrong_at_most_at_the_stated_level(design):
    check(design, 2000)


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_verdicts_are_wrong_at_most_at_the_stated_level_over_many_samples(design):
    check(design, 8_000)


@pytest.mark.parametrize(("rate", "sizes"), TINY.values(), ids=TINY)
def test_groups_of_a_few_rows_prove_no_gap_where_rates_are_equal(rate, sizes):
    k, n = drawn(sizes, rate, 4000)
    low, high = largest_gap_interval([(k, n)], 0.95)
    assert np.mean(low == 0) >= 0.95
    assert (high > THRESHOLD).all()  # and never pass
    assert np.mean(smallest_ratio_interval(k, n, 0.95)[1][k.any(-1)] == 1) >= 0.95


@pytest.mark.parametrize("size", [29, 10, 5, 3])
@pytest.mark.parametrize("rate", [0.02, 0.2, 0.5])
def test_small_groups_whose_gap_is_at_the_threshold_seldom_fail(size, rate):
    sizes = (3000, 1000, *[size] * 10)
    k, n = drawn(sizes, [rate, rate, *[rate + THRESHOLD] * 10], 4000)
    low, _ = largest_gap_interval([(k, n)], 0.95)
    assert np.mean(low > THRESHOLD) <= 0.025 + noise(0.025, 4000)


@pytest.mark.parametrize("spread", [(0.2, 0.3), (0.5, 0.6), (0.02, 0.12)], ids=str)
def test_many_pairs_at_the_threshold_seldom_fail_or_pass(spread):
    sizes = np.array([60, 200, 500, 40, 100, 1000] * 2)
    k, n = drawn(sizes, np.repeat(spread, 6), 4000)
    low, high = largest_gap_interval([(k, n)], 0.95)
    assert np.mean(low > THRESHOLD) <= 0.025 + noise(0.025, 4000)
    assert np.mean(high <= THRESHOLD) <= 0.025 + noise(0.025, 4000)


@pytest.mark.parametrize(("groups", "size"), [(2, 500), (5, 800), (12, 1000)])
def test_enough_rows_let_equal_groups_pass(groups, size):
    sizes = (size,) * groups
    _, high = largest_gap_interval([drawn(sizes, 0.3, 2000)], 0.95)
    assert np.mean(high <= THRESHOLD) >= 0.8


@pytest.mark.parametrize(("groups", "size"), [(5, 2000), (12, 2500)])
def test_enough_rows_let_equal_groups_pass_by_their_ratio(groups, size):
    low, _ = smallest_ratio_interval(*drawn((size,) * groups, 0.3, 2000), 0.95)
    assert np.mean(low >= 0.8) >= 0.8


@pytest.mark.slow
def test_two_extremes_among_twelve_are_covered_as_theory_says():
    sizes, rates = (200,) * 12, [0.2, *[0.4] * 10, 0.6]
    low, high = largest_gap_interval([drawn(sizes, rates, 20_000)], 0.95)
    assert np.mean((low <= 0.4) & (high >= 0.4)) == pytest.approx(0.975, abs=0.004)
    assert np.mean(high < 0.4) == pytest.approx(0.0245, abs=0.004)


def test_the_gap_of_two_strata_is_covered():
    sizes = (400, 300, 200, 100, 60)
    strata = [
        drawn(sizes, [*[base] * 4, last], 5000, seed) for seed, (base, last) in enumerate([(0.7, 0.85), (0.2, 0.25)])
    ]
    low, high = largest_gap_interval(strata, 0.95)
    assert np.mean((low <= 0.15) & (high >= 0.15)) >= 0.99
    assert np.mean(high - low) < 0.31


def test_the_smallest_ratio_of_unequal_sizes_is_covered_and_seldom_fails():
    for sizes in SIZES.values():
        k, n = drawn(sizes, [*[0.3] * (len(sizes) - 1), 0.24], 4000)
        low, high = smallest_ratio_interval(k, n, 0.95)
        assert np.mean((low <= 0.8) & (high >= 0.8)) >= 0.95
        assert np.mean(high < 0.8) <= 0.025 + noise(0.025, 4000)
