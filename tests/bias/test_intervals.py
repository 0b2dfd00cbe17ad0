"""Intervals of rates against scipy and slow replicas, pair by pair."""

from functools import cache
from itertools import combinations
from math import inf, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from probe.bias.intervals import (
    FEW,
    alpha_of_a_pair,
    could_show,
    difference_interval,
    difference_of,
    highest_ratio_interval,
    largest_gap,
    largest_gap_interval,
    limits_of,
    possible_gaps,
    possible_ratios,
    ratio_interval,
    ratio_of,
    shown_gaps,
    shown_ratios,
    smallest_ratio_interval,
)
from probe.bias.permutation import permutation_p
from probe.bias.proportions import divide, fisher_p, holm, two_proportions_p

# Successes and trials: none, some, all, and as many trials as part the exact limits from the corrected ones.
CASES = [(k, n) for n in (1, 2, 7, 29, 30, 31, 200) for k in sorted({0, 1, 2, n // 3, n - 1, n}) if k <= n]
COUNTS = [(3, 10), (0, 12), (29, 29), (13, 30), (40, 41), (210, 500), (0, 35)]


@cache
def limits(k, n, alpha, *, exact=False):
    """Clopper and Pearson's for fewer than 30 trials; else those rates that a score test with continuity keeps."""
    if exact or n < 30:
        low = stats.beta.ppf(alpha / 2, k, n - k + 1) if k else 0.0
        return k / n, low, stats.beta.isf(alpha / 2, k + 1, n - k) if k < n else 1.0
    over = stats.norm.isf(alpha / 2) ** 2 / n
    # The roots of (p - seen) ** 2 = over * p * (1 - p), where half a success is taken away from what is seen, or added.
    low, high = (
        (2 * seen + over + side * sqrt((2 * seen + over) ** 2 - 4 * (1 + over) * seen**2)) / (2 * (1 + over))
        for side, seen in ((-1, max(k - 0.5, 0) / n), (1, min(k + 0.5, n) / n))
    )
    return k / n, low if k else 0.0, high if k < n else 1.0


@pytest.mark.parametrize(("k", "n"), [(3, 10), (0, 12), (13, 30), (210, 500)])
def test_the_replica_of_limits_is_scipys(k, n):
    found = stats.binomtest(k, n).proportion_ci(0.95, "exact" if n < 30 else "wilsoncc")
    assert limits(k, n, 0.05)[1:] == pytest.approx((found.low, found.high))


@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.001])
@pytest.mark.parametrize("exact", [False, True])
def test_limits_of_a_rate_are_exact_for_few_trials_and_those_of_a_score_test_for_many(alpha, exact):
    k, n = np.array(CASES).T
    expected = [limits(*case, alpha, exact=exact) for case in CASES]
    assert_allclose(np.transpose(limits_of(k, n, alpha, exact=exact)), expected, rtol=1e-9, atol=1e-12)
    for (k, n), row in zip(CASES, expected, strict=True):
        alone = limits_of(np.array([k]), np.array([n]), alpha, exact=exact)
        assert_allclose(np.ravel(alone), row, rtol=1e-9, atol=1e-12)


def test_a_rate_without_trials_is_undefined_beside_others():
    p, low, high = limits_of([0, 3, 40], [0, 10, 100], 0.05)
    assert np.isnan([p[0], high[0]]).all()
    assert np.isfinite([p[1:], low[1:], high[1:]]).all()
    assert FEW == 30


def difference(one, other):
    (p, low, high), (q, below, above) = one, other
    return p - q - sqrt((p - low) ** 2 + (above - q) ** 2), p - q + sqrt((high - p) ** 2 + (q - below) ** 2)


def ratio(one, other):
    """Donner and Zou's equations (10) and (11); without a bound where both may be 0."""
    (p, low, high), (q, below, above) = one, other
    least = (
        0.0
        if p == 0
        else (p * q - sqrt((p * q) ** 2 - low * above * (2 * p - low) * (2 * q - above))) / (above * (2 * q - above))
    )
    if below == 0:
        return least, inf
    root = sqrt((p * q) ** 2 - high * below * (2 * p - high) * (2 * q - below))
    return least, (p * q + root) / (below * (2 * q - below))


PAIRS = [(one, other) for one in CASES for other in CASES if one[1] < 200 and other[1] in (2, 30)]


def test_differences_and_ratios_of_two_rates_follow_from_the_limits_of_each():
    k1, n1, k2, n2 = np.array([(*one, *other) for one, other in PAIRS]).T
    ends = [(limits(*one, 0.1), limits(*other, 0.1)) for one, other in PAIRS]
    assert_allclose(
        np.transpose(difference_interval(k1, n1, k2, n2, 0.9)), [difference(*two) for two in ends], atol=1e-9
    )
    found = np.transpose(ratio_interval(k1, n1, k2, n2, 0.9))
    assert_allclose(found, [ratio(*two) for two in ends], rtol=1e-6, atol=1e-9)
    assert ratio_interval([0], [9], [0], [9], 0.9) == ([0], [inf])
    assert np.isnan(difference_interval([0], [0], [3], [9], 0.9)).all()


def test_differences_and_ratios_turn_with_the_order_of_the_groups():
    one, other = limits_of([7], [40], 0.05), limits_of([55], [90], 0.05)
    low, high = difference_of(one, other)
    assert_allclose(difference_of(other, one), (-high, -low))
    low, high = ratio_of(one, other)
    assert_allclose(ratio_of(other, one), (1 / high, 1 / low))


def able(n, m, alpha):
    """Whether all of one group, and none of the other, prove a gap of over a tenth."""
    if not n or not m:
        return False
    return difference(limits(n, n, alpha, exact=True), limits(0, m, alpha, exact=True))[0] > 0.1


SIZES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 400]


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.002])
def test_a_pair_could_show_a_gap_where_its_most_extreme_outcome_does(alpha):
    for n in SIZES:
        assert could_show([n] * len(SIZES), SIZES, alpha).tolist() == [able(n, m, alpha) for m in SIZES]


@pytest.mark.parametrize(
    "sizes", [[[9]], [[4, 5, 6, 7, 8, 9, 300]], [[1, 1, 2], [8, 7, 5, 9]], [[60] * 4], [[2, 2]]], ids=str
)
def test_the_alpha_of_a_pair_is_tarones(sizes):
    every = [pair for groups in sizes for pair in combinations(groups, 2)]
    tests = next(m for m in range(1, 99) if sum(able(*pair, 0.05 / m) for pair in every) <= m)
    assert alpha_of_a_pair(sizes, 0.95) == pytest.approx(0.05 / tests, rel=1e-12)


def test_gaps_of_all_pairs_combine_as_said():
    k, n = np.array(COUNTS).T
    alpha = alpha_of_a_pair([n], 0.95)
    assert alpha == pytest.approx(0.05 / 21)
    sure = [difference(*(limits(*group, alpha, exact=True) for group in two)) for two in combinations(COUNTS, 2)]
    own = [difference(*(limits(*group, 0.05) for group in two)) for two in combinations(COUNTS, 2)]
    shown, most = [max(0, low, -high) for low, high in sure], [max(-low, high) for low, high in own]
    assert_allclose(shown_gaps(k, n, alpha, 0.95), shown, atol=1e-9)
    assert_allclose(possible_gaps(k, n, 0.95), most, atol=1e-9)
    assert_allclose(largest_gap_interval([(k, n)], 0.95), (max(shown), max(most)), atol=1e-9)
    assert largest_gap([(k, n)]) == 1
    # Two groups are one pair, whose limits need not be exact.
    low, high = difference(*(limits(*group, 0.05) for group in COUNTS[3:5]))
    assert_allclose(shown_gaps(k[3:5], n[3:5], 1 - 0.95, 0.95), [max(0, low, -high)])


def test_ratios_of_all_pairs_combine_as_said():
    some = COUNTS[:1] + COUNTS[3:6]
    k, n = np.array(some).T
    alpha = alpha_of_a_pair([n], 0.95)
    sure = [ratio(*(limits(*group, alpha, exact=True) for group in two)) for two in combinations(some, 2)]
    own = [ratio(*(limits(*group, 0.05) for group in two)) for two in combinations(some, 2)]
    shown, least = [min(1, high, 1 / low) for low, high in sure], [min(low, 1 / high) for low, high in own]
    assert_allclose(shown_ratios(k, n, alpha, 0.95), shown, rtol=1e-6)
    assert_allclose(possible_ratios(k, n, 0.95), least, rtol=1e-6)
    assert_allclose(smallest_ratio_interval(k, n, 0.95), (min(least), min(shown)), rtol=1e-6)
    assert shown_ratios([0, 0], [50, 50], 0.05, 0.95).tolist() == [1]
    assert shown_ratios([2, 0], [2, 2], 0.05, 0.95).tolist() == [1]  # too small to show anything
    assert np.isnan(smallest_ratio_interval([0, 0], [50, 50], 0.95)).all()
    assert np.isfinite(smallest_ratio_interval([0, 9], [50, 50], 0.95)).all()


def test_a_batch_of_samples_has_the_intervals_of_each():
    sizes = np.array([40, 12, 90])
    first, second = np.array([[10, 3, 60], [0, 0, 0]]), np.array([[20, 12, 1], [30, 6, 50]])
    strata = [(first, np.broadcast_to(sizes, (2, 3))), (second, np.broadcast_to(sizes, (2, 3)))]
    low, high = largest_gap_interval(strata, 0.95)
    for at in range(2):
        alone = largest_gap_interval([(first[at], sizes), (second[at], sizes)], 0.95)
        assert_allclose((low[at], high[at]), alone)
        assert largest_gap(strata)[at] == pytest.approx(max(np.ptp(k[at] / sizes) for k in (first, second)))
    ratios = np.transpose(smallest_ratio_interval(first, strata[0][1], 0.95))
    assert_allclose(ratios, [smallest_ratio_interval(k, sizes, 0.95) for k in first])
    both = [ends[0] for ends in (largest_gap_interval([stratum], 0.95) for stratum in strata)]
    assert (low <= np.max(both, axis=0) + 1e-12).all()


@pytest.mark.parametrize("eligible", [[True] * 4, [True, False, True, False], [False, True, False, False]])
def test_the_ratio_to_the_truly_highest_rate_is_bounded_by_every_group_that_may_be_it(eligible):
    groups = [(30, 100), (70, 200), (9, 60), (80, 90)]
    trusted = [at for at in range(4) if eligible[at]]
    compared = sum(eligible[a] or eligible[b] for a, b in combinations(range(4), 2))
    ends = [limits(*group, 0.05 / compared) for group in groups]
    between = {(a, b): (1, 1) if a == b else ratio(ends[a], ends[b]) for a in range(4) for b in range(4)}
    most = [min(between[a, b][1] for b in trusted) for a in range(4)]
    perhaps = [b for b in trusted if most[b] >= 1]
    least = [min(between[a, b][0] for b in perhaps) for a in range(4)]
    k, n = np.array(groups).T
    low, high = highest_ratio_interval(k, n, eligible, 0.95)
    assert_allclose(low, least, rtol=1e-6)
    assert_allclose(high, most, rtol=1e-6)


def hypergeometric(x, n, successes, total):
    return stats.hypergeom.pmf(x, total, successes, n)


@pytest.mark.parametrize(
    "pair", [(1, 9, 3, 14), (0, 5, 0, 7), (9, 9, 14, 14), (2, 300, 30, 900), (60, 60, 300, 310)], ids=str
)
def test_fishers_p_value_is_the_sum_of_the_outcomes_that_are_no_likelier(pair):
    k1, n1, k2, n2 = pair
    chances = [hypergeometric(x, n1, k1 + k2, n1 + n2) for x in range(n1 + 1)]
    expected = sum(chance for chance in chances if chance <= chances[k1] * (1 + 1e-7))
    for given in (pair, (k2, n2, k1, n1), (n1 - k1, n1, n2 - k2, n2)):
        assert fisher_p(*(np.array([part]) for part in given))[0] == pytest.approx(expected, rel=1e-9)


def test_two_proportions_are_tested_by_the_pooled_z_where_five_cases_are_expected():
    k1, n1, k2, n2 = (
        np.array(part) for part in ([20, 5, 4, 3, 95], [100, 50, 50, 0, 100], [35, 5, 5, 0, 97], [90, 50, 50, 4, 100])
    )
    expected = []
    for a, n, b, m in zip(k1, n1, k2, n2, strict=True):
        pooled = (a + b) / (n + m)
        if not n or not m:
            expected.append(np.nan)
        elif min(pooled, 1 - pooled) * min(n, m) < 5:
            expected.append(stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue)
        else:
            z = (a / n - b / m) / sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
            expected.append(2 * stats.norm.sf(abs(z)))
    assert_allclose(two_proportions_p(k1, n1, k2, n2), expected, rtol=1e-9)
    assert_allclose(divide(np.array([1, 1, 0, 0]), np.array([4, 1, 1, 0])), [0.25, 1, 0, np.nan])


def test_holms_adjustment_is_that_of_its_definition():
    p = np.array([0.04, np.nan, 0.01, 0.03, 0.5, 0.01, 0.9])
    tested = sorted((value, at) for at, value in enumerate(p) if not np.isnan(value))
    expected, highest = np.full(7, np.nan), 0.0
    for step, (value, at) in enumerate(tested):
        highest = max(highest, value * (len(tested) - step))
        expected[at] = min(1.0, highest)
    assert_allclose(holm(p), expected)


def test_the_permutation_p_of_rates_is_the_share_of_tables_that_differ_as_much():
    k, n = np.array([5, 1]), np.array([5, 5])
    chances = [hypergeometric(x, 5, 6, 10) for x in range(6)]
    exact = sum(chance for x, chance in enumerate(chances) if abs(x - (6 - x)) >= 4)
    assert permutation_p([(k, n)], 4000, 0) == pytest.approx(exact, abs=4 * sqrt(exact / 4000))
    one = permutation_p([(k, n)], 99, 0)
    assert one * 100 == pytest.approx(round(one * 100))
    assert permutation_p([(np.array([3, 3]), n)], 99, 0) == 1
    two = permutation_p([(np.array([3, 3]), n), (k, n)], 4000, 0)
    assert two == pytest.approx(1 - (1 - exact) ** 2, abs=4 * sqrt(2 * exact / 4000))
