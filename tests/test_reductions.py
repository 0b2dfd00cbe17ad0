"""From evidence to a number with its interval: each reduction by its definition."""

from math import isnan, nan, sqrt

import numpy as np
import pytest
from scipy.stats import binom

from probe.errors import DataError, UnknownMethod
from probe.reductions import REDUCTIONS, reduction
from probe.statistics import (
    area_under_roc,
    bootstrap,
    bootstrapped,
    calibration_error,
    calibration_interval,
    clopper_pearson_low,
    mean,
    normal_quantile,
    paired,
    proportion,
    wilson,
)
from tests.percentiles import expanded

SOURCE = np.random.default_rng(3)
PAIRS = np.stack([SOURCE.random(40), SOURCE.integers(2, size=40)], 1)


def roots(k, n, z):
    """The rates that a score test does not tell from what was seen: a quadratic equation."""
    a, b, c = 1 + z**2 / n, -(2 * k / n + z**2 / n), (k / n) ** 2
    side = sqrt(b**2 - 4 * a * c)
    return (-b - side) / (2 * a), (-b + side) / (2 * a)


@pytest.mark.parametrize(("level", "z"), [(0.95, 1.959963984540054), (0.8, 1.2815515655446004)])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 7), (3, 7), (7, 7), (1, 900)])
def test_wilsons_interval_inverts_the_score_test(k, n, level, z):
    assert [float(end) for end in wilson(k, n, level)] == pytest.approx(roots(k, n, z), abs=1e-12)


def test_wilsons_ends_at_none_and_all_are_exact():
    low, high = wilson([0, 9, 0], [9, 9, 0])
    assert (low[0], high[1]) == (0, 1)
    assert 0 < high[0] < 1 > low[1] > 0
    assert np.isnan([low[2], high[2]]).all()
    assert proportion(np.array([True, False, True, True])) == pytest.approx((0.75, *map(float, wilson(3, 4)), 4))


def test_the_exact_lower_bound_is_above_the_truth_with_probability_alpha():
    found = clopper_pearson_low(np.arange(6), 5, 0.03)
    assert found[0] == 0
    for k in range(1, 6):
        assert binom.sf(k - 1, 5, found[k]) == pytest.approx(0.03)
    assert normal_quantile([0.5, 0.975]).tolist() == pytest.approx([0, 1.959963984540054])


def resampled(rows, reduce, draws, seed, level=0.95, fewest=None):
    source, n = np.random.default_rng(seed), len(rows)
    values = sorted(v for v in (reduce(rows[source.integers(n, size=n)]) for _ in range(draws)) if not isnan(v))
    return tuple(np.quantile(values, expanded(fewest or n, level)))


def test_the_bootstrap_takes_the_middle_of_what_rows_drawn_again_give():
    rows = SOURCE.random(12)
    assert bootstrap(rows) == pytest.approx(resampled(rows, mean, 1000, 0))
    assert bootstrap(rows[:2], level=0.5, draws=30, seed=4) == pytest.approx(resampled(rows[:2], mean, 30, 4, 0.5))
    assert np.isnan(bootstrap(rows[:1])).all()
    value, low, high, n = bootstrapped(rows, np.median, seed=2, draws=50)
    assert (value, n) == (np.median(rows), 12)
    assert (low, high) == pytest.approx(resampled(rows, np.median, 50, 2))
    holed = np.array([0.2, 0.4, nan])
    assert bootstrap(holed, draws=200) == pytest.approx(resampled(holed, mean, 200, 0))
    assert np.isnan(bootstrap(np.full(3, nan))).all()


def test_the_interval_of_a_pairs_difference_draws_the_same_rows_of_both():
    one, other = SOURCE.random(9), SOURCE.random(9)
    found = paired(one, other, seed=6, draws=80, level=0.9)
    both = np.stack([one, other], 1)
    expected = resampled(both, lambda rows: rows[:, 0].mean() - rows[:, 1].mean(), 80, 6, 0.9)
    assert found == pytest.approx((one.mean() - other.mean(), *expected, 9))
    assert paired(one, one + 1) == pytest.approx((-1, -1, -1, 9))
    single = paired(one[:1], other[:1])
    assert (single.value, single.n) == (one[0] - other[0], 1)
    assert np.isnan(single[1:3]).all()
    assert not np.isnan(paired(one[:2], other[:2])[1:3]).any()


def gap_of_bins(confidence, correct, bins):
    total = 0.0
    for at in range(bins):
        inside = (confidence * bins >= at) & ((confidence * bins < at + 1) | (at == bins - 1))
        total += abs((confidence[inside] - correct[inside]).sum())
    return total / len(confidence)


@pytest.mark.parametrize("bins", [1, 4, 15])
def test_the_calibration_error_adds_up_the_gaps_of_equally_wide_bins(bins):
    confidence, correct = np.append(PAIRS[:, 0], [0.0, 1.0]), np.append(PAIRS[:, 1], [1.0, 0.0])
    expected = gap_of_bins(confidence, correct, bins)
    assert calibration_error(confidence, correct, bins) == pytest.approx(expected)
    assert bins != 15 or calibration_error(confidence, correct) == pytest.approx(expected)
    low, high = calibration_interval(np.stack([confidence, correct], 1), bins, level=0.9, draws=300, seed=2)
    rows, right = np.zeros(bins, dtype=int), np.zeros(bins)
    for sure, correctly in zip(confidence, correct, strict=True):
        at = min(int(sure * bins), bins - 1)
        rows[at] += 1
        right[at] += correctly
    share = (right + 0.5) / (rows + 1)
    hits = np.random.default_rng(2).binomial(rows, share, size=(300, bins))
    noise = np.quantile([sum(abs(each - rows * share)) / 42 for each in hits], 0.9)
    assert (low, high) == pytest.approx((max(0, expected - noise), min(1, expected + noise)))


def test_the_interval_of_a_calibration_error_stays_a_share():
    assert calibration_interval(np.array([[0.5, 1.0], [0.5, 0.0]]))[0] == 0
    assert calibration_interval(np.array([[1.0, 0.0]] * 9))[1] == 1


def test_the_area_under_roc_counts_the_pairs_in_order():
    scores, positive = np.round(PAIRS[:, 0], 1), PAIRS[:, 1] == 1
    wins = [(p > q) + (p == q) / 2 for p in scores[positive] for q in scores[~positive]]
    assert area_under_roc(scores, positive) == pytest.approx(np.mean(wins))
    assert reduction("area under ROC").value(np.stack([scores, positive], 1)) == pytest.approx(np.mean(wins))


def test_each_reduction_is_what_its_name_says():
    two = np.array([[1.0, 3.0], [2.0, 8.0]])
    found = {name: REDUCTIONS[name].value(two) for name in ("random minus own", "own minus random", "residual share")}
    assert found == {"random minus own": 4.0, "own minus random": -4.0, "residual share": 3 / 11}
    assert reduction("mean").value(two[:, 1]) == 5.5
    assert reduction("share of the total").value(two) == 3 / 11
    assert isnan(reduction("share of the total").value(np.zeros((2, 2))))
    assert reduction("root of the mean").value(np.array([16.0, 2.0])) == 3
    assert reduction("proportion").value(np.array([0.0, 1.0, 1.0, 1.0])) == 0.75
    assert reduction("residual share").value(np.array([[3.0, 0.0]])) == 3 / 1e-12
    counted = reduction("proportion of those counted")
    hits = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    assert counted.estimate(hits) == proportion(np.array([1, 0, 1]))
    assert counted.estimate(hits[3:]) == pytest.approx((nan, nan, nan, 0), nan_ok=True)
    binned = reduction("calibration error", {"bins": 3, "other": 1})
    assert binned.value(PAIRS) == pytest.approx(gap_of_bins(*PAIRS.T, 3))
    assert binned.interval(PAIRS, 0.9, 70, 5) == calibration_interval(PAIRS, 3, level=0.9, draws=70, seed=5)
    assert {name: each.method for name, each in REDUCTIONS.items() if each.method != "bootstrap over examples"} == {
        "proportion": "Wilson interval",
        "proportion of those counted": "Wilson interval",
        "calibration error": "interval by the noise of its bins",
        "debiased calibration error": "interval by the noise of its bins",
        "temperature": "sandwich interval",
        "mean over repeats": "Student's interval over repeats",
        "area of pairs": "interval by placements",
        "found at false alarms": "Wilson interval, and that of the threshold",
        "missed at false alarms": "Wilson interval, and that of the threshold",
    }


def test_r_squared_is_one_minus_the_share_that_is_left():
    labels, answers = SOURCE.random((2, 11, 3))
    left, there = ((labels - answers) ** 2).sum(0), ((labels - labels.mean(0)) ** 2).sum(0)
    value = REDUCTIONS["r squared"].value
    assert value(np.stack([labels, answers], 1)) == pytest.approx(np.mean(1 - left / there))
    assert value(np.stack([labels[:, 0], answers[:, 0]], 1)) == pytest.approx(1 - left[0] / there[0])
    alike = np.ones(4)
    assert value(np.stack([alike, alike], 1)) == 1
    assert value(np.stack([alike, alike + 0.5], 1)) == 0


def test_intervals_of_reductions_are_the_bootstraps_unless_they_bring_their_own():
    rows = SOURCE.random(9)
    assert reduction("mean").interval(rows, 0.8, 60, 3) == bootstrap(rows, mean, level=0.8, draws=60, seed=3)
    ones = np.array([1.0, 0.0, 1.0, 1.0])
    assert reduction("proportion").interval(ones, 0.8) == pytest.approx([float(end) for end in wilson(3, 4, 0.8)])
    table = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert reduction("proportion").interval(table, 0.8, 60, 3) == bootstrap(table, mean, level=0.8, draws=60, seed=3)
    area, tied = reduction("area under ROC"), np.round(PAIRS, 1)
    rarer = min(int((tied[:, 1] == each).sum()) for each in (0, 1))
    for draws, fewer in ((60, 12), (4, 1)):
        expected = resampled(tied, lambda rows: area_under_roc(rows[:, 0], rows[:, 1] == 1), fewer, 3, 0.8, rarer)
        assert area.interval(tied, 0.8, draws, 3) == pytest.approx(expected)
    value, low, high, n = reduction("mean").estimate(rows, seed=4)
    assert (value, n) == (rows.mean(), 9)
    assert (low, high) == bootstrap(rows, seed=4)


def test_no_example_and_an_unknown_reduction_are_refused():
    with pytest.raises(DataError, match="no example to take a number of"):
        reduction("mean").estimate(np.zeros(0))
    with pytest.raises(
        UnknownMethod, match="no reduction named 'median'; there are mean, root of the mean, proportion"
    ):
        reduction("median")


def test_an_entry_point_that_is_no_reduction_is_not_taken_for_one(tmp_path, monkeypatch):
    info = tmp_path / "medians-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: medians\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[probe.reductions]\nmiddle = statistics:median\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnknownMethod, match="no reduction named 'middle'"):
        reduction("middle")
