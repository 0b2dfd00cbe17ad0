"""Means of groups against slow replicas: intervals, gaps, p-values and what too few rows prove, row by row."""

from itertools import combinations, pairwise
from math import copysign, hypot, inf, sqrt

import numpy as np
import pytest
from scipy import stats

from probe.bias import mean_gaps
from probe.bias.counts import Table
from probe.bias.mean_gaps import (
    MeanGap,
    alpha_of_a_pair,
    compare,
    describe,
    largest_gap_interval,
    permutation_p,
    shortages,
    would_fail,
)
from probe.bias.means import MEANS, Spread, means_of
from probe.bias.settings import Settings
from tests.bias.conftest import groups_of, table_of

RANDOM = np.random.default_rng(11)
SKEWED = [np.exp(RANDOM.standard_normal(size)) for size in (260, 200, 199, 40, 12, 5, 2, 1)]
LONE = [RANDOM.standard_normal(900), RANDOM.standard_normal(199), 0.2 * np.exp(2 * RANDOM.standard_normal(24))]
DRAWN = (*range(2, 15), 17, 20, 24, 28, 34, 40, 48, 56, 68, 80, 96, 113, 136, 160, 200)


def drawn_size(rows):
    return max(size for size in DRAWN if size <= rows)


def off(pooled, size, source):
    """By how many standard errors means of so many values are off, sorted."""
    drawn = (pooled - pooled.mean())[source.integers(len(pooled), size=(4000, size))]
    found = []
    for mean, error in zip(drawn.mean(1), drawn.std(1, ddof=1) / sqrt(size), strict=True):
        found.append(mean / error if error else copysign(inf, mean))
    return sorted(found)


def half_lengths(parts, alpha):
    """What the docstring of `probe.bias.means` says, group by group."""
    every = np.concatenate(parts)
    around = [part - part.mean() for part in parts]
    pooled = np.concatenate(around)
    source, draws = np.random.default_rng(0), {}
    for size in sorted({drawn_size(len(part)) for part in parts if 1 < len(part) < 200}):
        draws[size] = off(pooled, size, source)
    found = []
    for part in parts:
        n = len(part)
        if n == 1:
            found.append(inf)
            continue
        error = sqrt(max(part.var(ddof=1), every.var() / n) / n)
        skewness = abs(stats.skew(part))
        if n >= 200:
            skewness = max(skewness, abs((pooled**3).mean() / (pooled**2).mean() ** 1.5))
        z, student = stats.norm.isf(alpha / 2), stats.t.isf(alpha / 2, n - 1)
        reach = student + (2 * z**2 + 1) / (6 * sqrt(n)) * skewness
        if n < 200:
            size = drawn_size(n)
            tail = max(alpha / 2, 10 / 4000)
            beyond = int(tail * 4000)
            worse = max(-draws[size][beyond - 1], draws[size][4000 - beyond])
            reach = max(reach, worse * stats.t.isf(alpha / 2, size - 1) / stats.t.isf(tail, size - 1))
        found.append(reach * error)
    return found


@pytest.mark.parametrize("alpha", [0.05, 0.004])
@pytest.mark.parametrize(
    "parts", [SKEWED[2:], SKEWED[:2], LONE, [-part for part in LONE]], ids=["few", "many", "lone", "turned"]
)
def test_the_interval_of_a_mean_is_the_widest_of_its_three_approximations(parts, alpha):
    np.testing.assert_allclose(groups_of(parts).spread.halves(alpha), half_lengths(parts, alpha), rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-30, 1e30, -1.0])
def test_intervals_of_means_follow_the_unit_and_stay_where_numbers_are_shifted(scale):
    parts = SKEWED[3:7]
    expected = groups_of(parts).spread.halves(0.05)
    np.testing.assert_allclose(groups_of([scale * part for part in parts]).spread.halves(0.05), abs(scale) * expected)
    np.testing.assert_allclose(groups_of([part + 7.0 for part in parts]).spread.halves(0.05), expected)


def test_each_size_of_a_small_group_is_drawn_or_the_next_smaller():
    pairs = [(size, size) for size in DRAWN[:-1]] + [(16, 14), (19, 17), (39, 34), (159, 136), (199, 160)]
    for size, drawn in pairs:
        spread = groups_of([RANDOM.standard_normal(size), np.zeros(1), RANDOM.standard_normal(200)]).spread
        assert [*spread.drawn] == [drawn]
        assert spread.drawn[drawn].shape == (4000,)


def test_equal_numbers_in_each_group_deviate_by_nothing_although_their_mean_rounds():
    spread = groups_of([np.full(3, 0.1), np.full(7, 0.7)]).spread
    assert spread.means[0] != 0.1
    assert not spread.around.any()
    assert spread.drawn == {}
    assert spread.skewness.tolist() == [0, 0, 0]


def test_without_groups_there_are_no_intervals_of_means():
    table = Table("group", (), np.zeros((0, 2, 2), dtype=np.int64), np.full(3, -1), 0)
    means = means_of(table, "mean_error", np.arange(3.0), seed=0)
    assert means.spread.halves(0.05).shape == means.spread.errors.shape == means.trials.shape == (0,)


def test_rows_of_no_group_take_no_part_in_means():
    values, codes = RANDOM.standard_normal(40), np.repeat([0, -1, 1, -1], 10)
    counts = np.array([[[10, 0], [0, 0]]] * 2)
    found = means_of(Table("g", ("a", "b"), counts, codes, 0), "mean_answer", values, seed=0)
    alone = groups_of([values[:10], values[20:30]])
    assert found.rate is MEANS["mean_answer"]
    np.testing.assert_allclose(found.shares, [values[:10].mean(), values[20:30].mean()])
    assert found.spread.halves(0.05).tolist() == alone.spread.halves(0.05).tolist()


def test_the_seed_of_means_moves_what_is_drawn():
    codes = np.repeat([0, 1], [300, 9])
    one, other = (Spread(np.exp(np.sin(np.arange(309.0))), codes, 2, seed).drawn[9] for seed in (0, 1))
    assert (one != other).any()


def test_quantities_of_a_regression_are_of_answers_and_of_answers_less_labels():
    labels, answers = np.array([1.0, 5.0]), np.array([3.0, 2.0])
    found = {name: mean.of(labels, answers).tolist() for name, mean in MEANS.items()}
    assert found == {"mean_answer": [3.0, 2.0], "mean_error": [2.0, -3.0], "mean_absolute_error": [2.0, 3.0]}


ALPHA = 1 - 0.9
# Groups of 12, 2, 45, 29, 30 and 1.
PARTS = [shift + RANDOM.standard_normal(size) for size, shift in ((12, 4), (2, 0), (45, 1), (29, 0.3), (30, 0), (1, 9))]
SIZES = [len(part) for part in PARTS]
ASKED = Settings(thresholds={}, min_group_size=30, level=0.9, draws=99)


@pytest.fixture(scope="module")
def means():
    return groups_of(PARTS)


def test_the_largest_gap_of_means_lies_between_what_all_pairs_and_its_own_allow(means):
    sure, own = means.spread.halves(ALPHA / 10), means.spread.halves(ALPHA)
    gaps = {(a, b): abs(PARTS[a].mean() - PARTS[b].mean()) for a, b in combinations(range(5), 2)}
    low = max(gap - hypot(sure[a], sure[b]) for (a, b), gap in gaps.items())
    high = max(gap + hypot(own[a], own[b]) for (a, b), gap in gaps.items())
    assert low > 0
    five = groups_of(PARTS).with_at_least(2)
    assert (five.names, five.trials.tolist()) == (list("01234"), SIZES[:5])
    assert largest_gap_interval(five, ALPHA / 10, 0.9) == pytest.approx((low, high))
    assert largest_gap_interval(groups_of([PARTS[2], PARTS[2]]), ALPHA / 10, 0.9)[0] == 0
    assert [half == inf for half in means.gaps(ALPHA)[1]] == [b == 5 for a, b in combinations(range(6), 2)]


@pytest.mark.parametrize(
    ("sizes", "pairs"), [((9,), 1), ((9, 9), 1), ((9, 1, 2), 1), ((9, 2, 2), 3), ((5, 1, 3, 2, 4), 6)]
)
def test_pairs_of_groups_of_two_rows_or_more_share_the_alpha(sizes, pairs):
    assert alpha_of_a_pair(groups_of([np.arange(float(size)) for size in sizes]), 0.95) == pytest.approx(0.05 / pairs)


def test_a_gap_of_means_would_fail_where_its_interval_clears_the_threshold_with_the_power(means):
    half, error = (hypot(*each[[3, 2]]) for each in (means.spread.halves(ALPHA / 10), means.spread.errors))
    found = would_fail(means, 3, 2, ALPHA / 10, 0.25)
    assert found == pytest.approx(0.25 + half + stats.norm.ppf(0.8) * error)
    assert np.isnan(would_fail(means, 5, 2, ALPHA / 10, 0.25))


def test_the_headline_of_means_is_computed_as_said():
    parts, everybody = (
        [PARTS[at] for at in (2, 0, 3, 4)],
        Settings(thresholds={}, min_group_size=1, level=0.9, draws=99),
    )
    sizes, four, alpha = [45, 12, 29, 30], groups_of(parts), ALPHA / 6
    row = MeanGap(table_of(sizes), "mean_error_difference", everybody, four, 0.25).row()
    assert (row.low_all_groups, row.high_all_groups) == pytest.approx(largest_gap_interval(four, alpha, 0.9))
    averages = [part.mean() for part in parts]
    assert row.estimate_all_groups == row.estimate == pytest.approx(max(averages) - min(averages))
    assert (row.status, row.compared, row.smallest_group) == ("fail", "all groups", "1 (12 rows)")
    assert row.would_fail == pytest.approx(would_fail(four, 1, 0, alpha, 0.25))
    assert (row.lowest, row.highest, row.n) == (str(np.argmin(averages)), "1", sum(sizes))


def test_the_probability_of_a_pass_is_of_samples_as_noisy_as_this_one():
    parts = [RANDOM.standard_normal(size) for size in (400, 300, 350)]
    row = MeanGap(table_of([400, 300, 350]), "mean_error_difference", ASKED, groups_of(parts), 0.25).row()
    means = groups_of(parts)
    own, error = means.spread.halves(ALPHA), means.spread.errors
    passed = []
    for sample in np.random.default_rng(0).standard_normal((400, 3)):
        off = sample * error
        passed.append(all(abs(off[a] - off[b]) + hypot(own[a], own[b]) <= 0.25 for a, b in combinations(range(3), 2)))
    assert 0.05 < np.mean(passed) < 0.95
    assert row.pass_chance == pytest.approx(np.mean(passed))
    lone = MeanGap(table_of([9, 1]), "mean_error_difference", ASKED, groups_of([np.arange(9.0), np.ones(1)]), 9.0).row()
    assert lone.pass_chance == 0


def widest(parts):
    """The widest gap between two groups, in units of the square root of the sum of one over their sizes."""
    return max(
        abs(np.mean(one) - np.mean(other)) / sqrt(1 / len(one) + 1 / len(other))
        for one, other in combinations(parts, 2)
    )


def test_the_permutation_p_of_means_counts_the_draws_that_differ_as_much(monkeypatch):
    parts = [PARTS[0] - 3.5, PARTS[1], PARTS[3][:7]]
    values, codes = np.concatenate(parts), np.repeat([0, 1, 2], [12, 2, 7])
    source, reached = np.random.default_rng(5), 0
    for _ in range(199):
        shuffled = source.permuted(codes)
        reached += widest([values[shuffled == group] for group in range(3)]) >= widest(parts) - 1e-9
    assert 10 < reached < 190
    assert permutation_p(groups_of(parts), 199, 5) == (1 + reached) / 200
    held, count = [], mean_gaps._widest
    monkeypatch.setattr(mean_gaps, "SHUFFLED", 50)
    monkeypatch.setattr(mean_gaps, "_widest", lambda codes, *rest: held.append(codes.size) or count(codes, *rest))
    assert permutation_p(groups_of(parts), 199, 5) == (1 + reached) / 200
    assert max(held) <= 50


def test_the_permutation_p_of_means_leaves_out_groups_that_are_not_compared():
    parts = [PARTS[0][:6] - 3.5, np.array([50.0]), PARTS[3][:7]]
    assert permutation_p(groups_of(parts).with_at_least(2), 199, 5) == permutation_p(groups_of(parts[::2]), 199, 5)


def test_draws_as_far_apart_as_what_was_seen_count_although_their_sums_round_otherwise():
    """Of the 20 ways to halve six rows, 2 part 0 0.1 0.2 from 0.1 0.2 0.3 as far as possible: up to rounding."""
    parts = [np.array([0.3, 0.2, 0.1]), np.array([0.7, 0.6, 0.5])]
    assert permutation_p(groups_of(parts), 999, 0) == pytest.approx(2 / 20, abs=0.03)
    one, other = np.array([0.1, 0.2, 0.3, 0.0]), np.array([0.3, 0.2, 0.1, 0.0])
    assert one.sum() / 4 != other.sum() / 4
    assert permutation_p(groups_of([one, other]), 99, 0) == 1


def test_groups_are_described_with_intervals_that_hold_for_all_of_them_at_once(means):
    labels = np.arange(float(sum(SIZES)))
    table = describe(table_of(SIZES), [("mean_error", means)], labels, 0.9)
    half = means.spread.halves(ALPHA / 6)[:5]
    averages = np.array([part.mean() for part in PARTS])
    assert (table["group"].tolist(), table["n"].tolist()) == (list("012345"), SIZES)
    np.testing.assert_allclose(table["mean_error"], averages)
    np.testing.assert_allclose(table["mean_error_low"], [*averages[:5] - half, np.nan])
    np.testing.assert_allclose(table["mean_error_high"], [*averages[:5] + half, np.nan])
    edges = np.cumsum([0, *SIZES])
    np.testing.assert_allclose(table["mean_label"], [(a + b - 1) / 2 for a, b in pairwise(edges)])
    assert "mean_label" not in describe(table_of(SIZES), [("mean_error", means)], None, 0.9)


def test_pairs_of_means_have_welchs_p_value_and_their_own_interval(means):
    table = compare(table_of(SIZES), [("mean_error", means)], 0.9)
    half = means.spread.halves(ALPHA)
    for row, (a, b) in zip(table.to_dict("records"), combinations(range(6), 2), strict=True):
        gap = PARTS[a].mean() - PARTS[b].mean()
        assert (row["a"], row["b"], row["metric"]) == (str(a), str(b), "mean_error")
        assert (row["n_a"], row["n_b"]) == (SIZES[a], SIZES[b])
        assert row["difference"] == pytest.approx(gap)
        assert row["lower"] == str(a if gap < 0 else b)
        assert (row["low"], row["high"]) == pytest.approx(
            (gap - hypot(half[a], half[b]), gap + hypot(half[a], half[b]))
        )
        if b == 5:
            assert np.isnan(row["p_value"])
        elif 1 not in (a, b):  # the two rows of that group lie closer than those of all
            expected = stats.ttest_ind(PARTS[a], PARTS[b], equal_var=False).pvalue
            assert row["p_value"] == pytest.approx(expected, rel=1e-9)
    tested = table["p_value"].notna().sum()
    assert tested == 10
    assert table["p_adjusted"].min() == pytest.approx(tested * table["p_value"].min())


def test_means_without_any_spread_differ_for_sure_or_not_at_all():
    table = compare(table_of([9, 9, 9]), [("mean_error", groups_of([np.ones(9), np.ones(9), np.ones(9)]))], 0.95)
    assert table["p_value"].tolist() == [1, 1, 1]
    assert table["lower"].tolist() == [None, None, None]


def test_small_groups_of_a_regression_are_reported_with_what_they_prove(means):
    rows = {
        row["group"]: row for row in shortages(table_of(SIZES), [("mean_error", means)], ASKED, {"mean_error": 0.25})
    }
    assert [*rows] == ["0", "1", "3", "5"]
    sure, own = means.spread.halves(ALPHA / 10), means.spread.halves(ALPHA)
    for at in (0, 1, 3, 5):
        row, gaps = rows[str(at)], [PARTS[at].mean() - part.mean() for part in PARTS]
        shown = {k: max(0, abs(gap) - hypot(sure[at], sure[k])) for k, gap in enumerate(gaps) if k != at}
        best = max(shown, key=lambda k: (shown[k], abs(gaps[k])))
        assert (row["against"], row["n"]) == (str(best), SIZES[at])
        assert row["rate"] == pytest.approx(PARTS[at].mean())
        assert (row["gap"], row["low"]) == pytest.approx((gaps[best], shown[best]))
        assert row["high"] == pytest.approx(abs(gaps[best]) + hypot(own[at], own[best]))
        assert row["would_fail"] == pytest.approx(would_fail(means, at, 2, ALPHA / 10, 0.25), nan_ok=True)
        assert row["status"] == ("fail" if shown[best] > 0.25 else "not run" if at == 5 else "inconclusive")
    assert {row["status"] for row in rows.values()} == {"fail", "not run", "inconclusive"}
    assert rows["5"]["what"] == "1 row in 5: no gap in mean error could have failed (against the 45 of 2, power 0.8)"
    assert rows["0"]["what"].startswith("12 rows in 0: a gap in mean error of ")
    assert " was shown, " in rows["0"]["what"]
    assert not [*shortages(table_of([45, 30]), [("mean_error", groups_of(PARTS[2:5:2]))], ASKED, {"mean_error": 0.25})]
    assert not [*shortages(table_of([12]), [("mean_error", groups_of(PARTS[:1]))], ASKED, {"mean_error": 0.25})]


def test_a_gap_of_means_at_the_threshold_has_not_failed():
    parts = [np.zeros(400), np.zeros(400), np.full(3, 0.0)]
    (row,) = shortages(table_of([400, 400, 3]), [("mean_error", groups_of(parts))], ASKED, {"mean_error": 0.0})
    assert (row["status"], row["low"]) == ("inconclusive", 0)
