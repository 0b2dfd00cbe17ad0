import numpy as np
import pytest
from scipy.stats import binom, binomtest, rankdata, t

from probe.errors import DataError, ShapeError
from probe.statistics import (
    DRAWN,
    area_under_roc,
    area_under_roc_interval,
    binomial_quantile,
    bootstrap,
    calibration_error,
    calibration_interval,
    mcnemar,
    paired_shares,
    ranks,
    wilson,
)
from tests.percentiles import expanded


@pytest.mark.parametrize(
    ("k", "n", "low", "high"), [(0, 2, 0, 0.65762), (805, 1795, 0.42559, 0.47156), (349, 1488, 0.21371, 0.25674)]
)
def test_wilson_intervals_have_known_values(k, n, low, high):
    assert [float(bound) for bound in wilson(k, n)] == pytest.approx([low, high], abs=6e-5)


def test_a_wilson_interval_of_no_trials_is_undefined():
    assert np.isnan(wilson(0, 0)).all()


def test_wilson_intervals_cover_the_true_proportion():
    source = np.random.default_rng(0)
    hits = source.binomial(40, 0.1, size=20_000)
    low, high = wilson(hits, 40)
    assert ((low <= 0.1) & (high >= 0.1)).mean() > 0.93


@pytest.mark.parametrize(("rows", "least"), [(5, 0.85), (10, 0.90), (20, 0.91), (50, 0.92)])
@pytest.mark.parametrize("name", ["normal", "beta"])
def test_bootstrap_intervals_cover_the_mean_of_few_rows_too(rows, least, name):
    source, inside = np.random.default_rng(rows), 0
    for trial in range(400):
        drawn = source.normal(size=rows) if name == "normal" else source.beta(1, 2, rows) - 1 / 3
        low, high = bootstrap(drawn, draws=500, seed=trial)
        inside += low <= 0 <= high
    assert least <= inside / 400 <= 0.99


def test_a_bootstrap_interval_of_few_rows_is_about_as_wide_as_a_t_interval():
    source = np.random.default_rng(0)
    for rows in (8, 15, 40):
        wide = [np.ptp(bootstrap(drawn := source.normal(size=rows), draws=4000)) / drawn.std(ddof=1) for _ in range(20)]
        assert np.mean(wide) == pytest.approx(2 * t.ppf(0.975, rows - 1) / rows**0.5, rel=0.05)


def test_a_bootstrap_interval_of_one_row_is_undefined():
    assert np.isnan(bootstrap(np.ones(1))).all()


def test_the_calibration_error_has_known_values():
    """Two bins of confidence .25 and .75, each off by .25 (the case of arXiv:1706.04599 implementations)."""
    assert calibration_error(np.array([0.25, 0.25, 0.75, 0.75]), np.array([0.0, 0.0, 1.0, 1.0]), bins=2) == 0.25
    assert calibration_error(np.ones(5), np.ones(5)) == 0


def test_the_area_under_roc_has_known_values():
    assert area_under_roc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])) == 0.75
    assert area_under_roc(np.array([0.5, 0.5]), np.array([0, 1])) == 0.5
    assert np.isnan(area_under_roc(np.array([0.5]), np.array([1])))


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_the_interval_of_a_calibration_error_covers_the_truth(shift):
    """Answers that are right as often as they claim, or a tenth less: the estimate is above that by its binning."""
    source = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        confidence = source.uniform(0.5, 1, size=300)
        correct = (source.uniform(size=300) < confidence - shift).astype(float)
        low, high = calibration_interval(np.stack([confidence, correct], axis=1), seed=trial)
        assert low <= calibration_error(confidence, correct) <= high
        covered += low <= shift <= high
    assert covered >= 183, "190 of 200 are expected, give or take 3"


@pytest.mark.parametrize("levels", [3, 10**6])
def test_the_interval_of_the_area_is_that_of_the_bootstrap_of_the_area(levels):
    source = np.random.default_rng(1)
    positive = source.random(150) < 0.3
    scores = source.integers(levels, size=150) / levels + positive * 0.2
    drawn, generator = np.stack([scores, positive], 1), np.random.default_rng(5)
    areas = [
        area_under_roc(e[:, 0], e[:, 1] == 1) for e in (drawn[generator.integers(150, size=150)] for _ in range(200))
    ]
    expected = np.quantile(areas, expanded(int(positive.sum())))  # positives are fewer than half
    assert area_under_roc_interval(scores, positive, seed=5) == pytest.approx(expected, rel=1e-12)


def test_an_area_that_is_never_defined_has_no_interval():
    for scores, positive in ((np.array([0.1, 0.2]), np.array([True, True])), (np.array([0.1]), np.array([True]))):
        assert np.isnan(area_under_roc_interval(scores, positive)).all()


@pytest.mark.parametrize("shape", [(0,), (1,), (50,), (3, 7), (2, 3, 5)])
def test_ranks_with_ties_equal_those_of_scipy(shape):
    values = np.random.default_rng(0).integers(0, 5, shape)
    assert np.array_equal(ranks(values), rankdata(values, axis=-1))


def test_ranks_with_nan_are_undefined_as_in_scipy():
    values = [[1.0, np.nan, 3.0], [2.0, 1.0, 1.0]]
    assert np.array_equal(ranks(values), rankdata(values, axis=-1), equal_nan=True)


def test_binomial_quantiles_equal_those_of_scipy_near_their_jumps_too():
    source = np.random.default_rng(0)
    trials, rate = source.integers(1, 3000, 5000), source.random(5000) ** 3
    probability = (source.integers(0, 64, 5000) + 0.5) / 64
    edges = binom.cdf(np.floor(trials * rate), trials, rate)
    probability[:2500] = (edges * (1 + 1e-9 * source.choice([-1, 1], 5000)))[:2500].clip(max=1 - 1e-12)
    assert np.array_equal(binomial_quantile(probability, trials, rate), binom.ppf(probability, trials, rate))


@pytest.mark.parametrize("rows", [2, 7, 129, 1000, DRAWN + 1])
@pytest.mark.parametrize("columns", [(), (2,)])
def test_draws_of_a_bootstrap_are_the_same_one_by_one_and_many_together(rows, columns):
    evidence = np.random.default_rng(rows).normal(size=(rows, *columns))
    draws, generator = (200 if rows < DRAWN else 3), np.random.default_rng(5)
    alone = [float(evidence[generator.integers(rows, size=rows)].mean()) for _ in range(draws)]
    assert bootstrap(evidence, seed=5, draws=draws) == pytest.approx(np.quantile(alone, expanded(rows)), rel=1e-12)


def test_mcnemars_test_is_the_binomial_test_of_the_rows_that_differ():
    source = np.random.default_rng(0)
    for share in (0.0, 0.1, 0.5):
        one = source.random(60) < 0.7
        other = one ^ (source.random(60) < share)
        found = mcnemar(one, other)
        assert (found.first, found.second) == ((one & ~other).sum(), (other & ~one).sum())
        expected = binomtest(found.first, found.first + found.second).pvalue if share else 1.0
        assert found.p == pytest.approx(expected)
        assert mcnemar(other, one) == (found.second, found.first, found.p)


def test_the_interval_of_a_paired_share_excludes_no_difference_only_where_the_exact_test_does():
    for first in range(12):
        for second in range(12):
            one = np.repeat([1, 0, 1, 0], [first, second, 40, 9])
            other = np.repeat([0, 1, 1, 0], [first, second, 40, 9])
            found = paired_shares(one, other)
            assert found.low <= found.value <= found.high
            assert found.value == pytest.approx((first - second) / len(one))
            if mcnemar(one, other).p >= 0.05:
                assert found.low <= 0 <= found.high, (first, second)
            assert paired_shares(other, one)[:3] == pytest.approx((-found.value, -found.high, -found.low))


def test_intervals_of_paired_shares_cover_the_difference():
    source, inside = np.random.default_rng(0), []
    for cells in ([0.6, 0.1, 0.05, 0.25], [0.9, 0.04, 0.0, 0.06], [0.3, 0.3, 0.1, 0.3]):
        for counts in source.multinomial(80, cells, size=300):
            found = paired_shares(np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts))
            inside.append(found.low <= cells[1] - cells[2] <= found.high)
    assert np.mean(inside) > 0.94


def test_a_paired_share_is_of_the_same_rows_and_of_zeros_and_ones():
    with pytest.raises(ShapeError, match="of the same rows"):
        mcnemar([1, 0], [1])
    with pytest.raises(DataError, match="expected 0 or 1"):
        paired_shares([0.5, 1], [1, 1])
    with pytest.raises(DataError, match="no row"):
        paired_shares([], [])
