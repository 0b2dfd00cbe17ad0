"""What would have failed and could have passed, against every outcome of both groups, or many draws."""

import numpy as np
import pytest
from scipy import stats

from probe.bias.intervals import alpha_of_a_pair, largest_gap_interval, possible_ratios, shown_gaps, shown_ratios
from probe.bias.power import Question, chance_of_pass, failing, failing_small
from probe.bias.proportions import fisher_p, two_proportions_p

TWO = [(300, 1000, 60), (30, 100, 30), (12, 30, 12), (160, 200, 45), (5, 100, 80), (50, 100, 100)]


def question(*, ratio=False, threshold=0.1, tests=1):
    return Question(0.8 if ratio else threshold, ratio=ratio, alpha=0.05 / tests, level=0.95)


def verdicts(sizes, *, ratio=False):
    """Whether each outcome of two groups fails."""
    k = np.stack([part.ravel() for part in np.meshgrid(*(np.arange(n + 1) for n in sizes), indexing="ij")], axis=1)
    n = np.broadcast_to(sizes, k.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        fails = shown_ratios(k, n, 0.05, 0.95)[:, 0] < 0.8 if ratio else shown_gaps(k, n, 0.05, 0.95)[:, 0] > 0.1
    return fails.reshape(sizes[0] + 1, sizes[1] + 1)


def power(fails, sizes, rates):
    first, second = (stats.binom.pmf(np.arange(n + 1), n, rate) for n, rate in zip(sizes, rates, strict=True))
    return first @ fails @ second


@pytest.mark.parametrize(("k", "n", "m"), TWO)
def test_the_gap_is_the_least_hundredth_that_would_have_failed(k, n, m):
    gap = failing([k, 0], [n, m], 1, question())
    fails, base = verdicts((n, m)), k / n
    side = 1 if base <= 0.5 else -1
    assert power(fails, (n, m), (base, base + side * gap)) >= 0.79
    assert power(fails, (n, m), (base, base + side * (gap - 0.02))) < 0.8


@pytest.mark.parametrize(("k", "n", "m"), [case for case in TWO if case[0] / case[1] > 0.1])
def test_the_ratio_is_the_greatest_hundredth_that_would_have_failed(k, n, m):
    ratio = failing([k, 0], [n, m], 1, question(ratio=True))
    fails, base = verdicts((n, m), ratio=True), k / n
    if np.isnan(ratio):
        assert power(fails, (n, m), (base, 0)) < 0.8
        return
    assert power(fails, (n, m), (base, base * ratio)) >= 0.79
    assert power(fails, (n, m), (base, base * (ratio + 0.02))) < 0.8


def test_with_several_groups_the_gap_fails_as_often_in_draws():
    sizes = np.array([2000, 800, 300, 100, 40])
    alpha = alpha_of_a_pair([sizes], 0.95)
    assert alpha == pytest.approx(0.005)
    gap = failing((0.3 * sizes).astype(int), sizes, 4, Question(0.1, ratio=False, alpha=alpha, level=0.95))
    shares = []
    for at in (gap - 0.02, gap):
        k = np.random.default_rng(0).binomial(sizes, [0.3] * 4 + [0.3 + at], size=(4000, 5))
        shares.append(np.mean(largest_gap_interval([(k, np.broadcast_to(sizes, k.shape))], 0.95)[0] > 0.1))
    assert shares[0] < 0.8 < shares[1] + 0.02


@pytest.mark.parametrize("size", [2, 5, 12, 25])
def test_means_of_small_groups_are_reported_like_rates(size):
    gap = failing_small(np.array([size]), (300, 1000), question())[0]
    other = failing([300, 0], [1000, size], 1, question())
    assert gap == pytest.approx(other, abs=0.021, nan_ok=True)


@pytest.mark.parametrize(("rate", "sizes"), [(0.3, (1000, 200)), (0.3, (600, 500, 400)), (0.05, (150, 150))], ids=str)
def test_the_chance_of_a_pass_is_its_share_of_draws(rate, sizes):
    n = np.array(sizes)
    found = chance_of_pass((rate * n).astype(int), n, question(tests=len(sizes) * (len(sizes) - 1) // 2))
    k = np.random.default_rng(5).binomial(n, rate, size=(4000, len(n)))
    share = np.mean(largest_gap_interval([(k, np.broadcast_to(n, k.shape))], 0.95)[1] <= 0.1)
    assert found == pytest.approx(share, abs=0.08)


def test_the_chance_of_a_pass_by_ratio_is_its_share_of_draws():
    n = np.array([1500, 1200])
    k = np.random.default_rng(5).binomial(n, 0.3, size=(4000, 2))
    share = np.mean(possible_ratios(k, np.broadcast_to(n, k.shape), 0.95).min(-1) >= 0.8)
    assert chance_of_pass((0.3 * n).astype(int), n, question(ratio=True)) == pytest.approx(share, abs=0.08)


def test_pairs_too_small_to_prove_a_gap_do_not_widen_the_other_intervals():
    alone, beside = (alpha_of_a_pair([sizes], 0.95) for sizes in ([2000, 2000], [2000, 2000, *[1] * 50]))
    assert alone == beside == pytest.approx(0.05)
    assert alpha_of_a_pair([[50] * 5], 0.95) == pytest.approx(0.05 / 10)
    assert alpha_of_a_pair([[50] * 3, [40] * 3], 0.95) == pytest.approx(0.05 / 6)


def test_fishers_test_equals_that_of_scipy():
    generator = np.random.default_rng(0)
    n1, n2 = generator.integers(1, 400, size=(2, 300))
    k1, k2 = generator.binomial(n1, 0.02), generator.binomial(n2, 0.03)
    flipped = generator.random(300) < 0.5
    k1, k2 = np.where(flipped, n1 - k1, k1), np.where(flipped, n2 - k2, k2)
    expected = [stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue for a, n, b, m in zip(k1, n1, k2, n2, strict=True)]
    np.testing.assert_allclose(fisher_p(k1, n1, k2, n2), expected, rtol=1e-9)


def test_fishers_test_of_uneven_groups_far_apart():
    k1, n1, k2, n2 = (np.array(part) for part in ([25, 0, 90], [30, 30, 900], [40, 900, 60], [20_000, 1000, 90_000]))
    expected = [stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue for a, n, b, m in zip(k1, n1, k2, n2, strict=True)]
    np.testing.assert_allclose(fisher_p(k1, n1, k2, n2), expected, rtol=1e-6)


def test_no_pairs_have_no_p_values():
    nothing = np.zeros(0, dtype=np.int64)
    assert len(two_proportions_p(nothing, nothing, nothing, nothing)) == 0
