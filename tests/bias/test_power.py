"""The gap that a sample could have shown, against the power of the very test that looks for it, summed out."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from probe.bias.power import detectable_gap
from probe.bias.proportions import rejected, two_proportions_p

SMALL = [
    (0, 13, 0, 21), (0, 19, 40, 400), (2, 4, 0, 30), (7, 17, 215, 412), (9, 10, 150, 160), (3, 12, 5, 12),
    (1, 30, 12, 40), (20, 40, 100, 200), (6, 40, 40, 40), (5, 60, 8, 100), (0, 90, 2, 95), (30, 50, 30, 50),
]  # fmt: skip


CASES = list(product([(5, 5), (12, 30), (40, 40)], [0.05, 0.001]))


def reference(k1, n1, k2, n2):
    """The rate of the larger group, of two of one size that nearer a half; then the sizes of both."""
    (n, _, k), m = max((n1, -abs(2 * k1 - n1), k1), (n2, -abs(2 * k2 - n2), k2)), min(n1, n2)
    return (k / n if 0 < k < n else (k + 1) / (n + 2)), n, m


def all_outcomes(m, n):
    return (side.ravel() for side in np.meshgrid(np.arange(m + 1), np.arange(n + 1), indexing="ij"))


def power_in_each_direction(k1, n1, k2, n2, alpha=0.05):
    """A function of the gap: power at each rate that it leads to, over every outcome of both groups."""
    p, n, m = reference(k1, n1, k2, n2)
    first, second = all_outcomes(m, n)
    found = two_proportions_p(first, np.full_like(first, m), second, np.full_like(second, n)) <= alpha
    weight = (found * stats.binom.pmf(second, n, p)).reshape(m + 1, n + 1).sum(1)
    return lambda gap: [
        stats.binom.pmf(np.arange(m + 1), m, rate) @ weight for rate in (p - gap, p + gap) if 0 < rate < 1
    ]


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_the_gap_is_the_least_that_would_have_been_shown(case):
    gap, power = float(detectable_gap(*case)), power_in_each_direction(*case)
    if np.isnan(gap):
        return
    for at in np.linspace(gap, 1, 30, endpoint=False):
        assert all(found >= 0.79 for found in power(at + 1e-9))
    assert min(power(0.9 * gap)) < 0.8


@pytest.mark.parametrize(("case", "pooled"), [((0, 13, 0, 21), 0.16), ((0, 19, 40, 400), 0.19)], ids=str)
def test_a_small_sample_or_a_rare_rate_shows_less_than_its_pooled_rate_promises(case, pooled):
    assert max(power_in_each_direction(*case)(pooled)) < 0.7
    assert detectable_gap(*case) > pooled + 0.05


def test_a_rare_rate_has_no_room_to_fall():
    gap = float(detectable_gap(0, 30, 8, 400))
    assert gap > 0.02
    assert len(power_in_each_direction(0, 30, 8, 400)(gap)) == 1


@pytest.mark.parametrize("case", [(1, 1, 200, 400), (1, 2, 200, 400), (0, 2, 2, 2)], ids=str)
def test_hardly_any_rows_could_show_nothing(case):
    assert max(power_in_each_direction(*case)(0.499)) < 0.8
    assert np.isnan(detectable_gap(*case))


@pytest.mark.parametrize("sizes", [(45, 45), (45, 300), (100, 120)], ids=str)
@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_the_normal_formula_promises_no_more_than_its_test_keeps(sizes, share):
    case = (0, sizes[0], int(share * sizes[1]), sizes[1])
    power = power_in_each_direction(*case)
    assert min(power(float(detectable_gap(*case)) + 1e-9)) >= 0.79


def test_neither_order_nor_naming_of_success_matters():
    for k1, n1, k2, n2 in SMALL:
        gap = detectable_gap(k1, n1, k2, n2)
        assert detectable_gap(k2, n2, k1, n1) == pytest.approx(gap, nan_ok=True)
        assert detectable_gap(n1 - k1, n1, n2 - k2, n2) == pytest.approx(gap, nan_ok=True)


@pytest.mark.parametrize(("sizes", "alpha"), CASES, ids=str)
def test_outcomes_are_rejected_when_their_p_value_says_so(sizes, alpha):
    m, n = sizes
    first, second = all_outcomes(m, n)
    p = two_proportions_p(first, np.full_like(first, m), second, np.full_like(second, n))
    assert_array_equal(rejected(np.arange(m + 1), m, np.arange(n + 1), n, alpha).ravel(), p <= alpha)
