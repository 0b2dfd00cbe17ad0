"""Rates behind too few rows, and the power of a sample, against every outcome counted one by one."""

from itertools import combinations
from math import ceil, isnan

import numpy as np
import pytest
from scipy import stats

from probe.bias.counts import Table
from probe.bias.intervals import alpha_of_a_pair
from probe.bias.power import Question, chance_of_pass, failing, failing_small
from probe.bias.settings import Settings
from probe.bias.shortages import shortages
from tests.bias.test_intervals import able, difference, limits
from tests.bias.test_intervals import ratio as between

# Of each group the rows by label and decision: tn, fp, fn, tp.
ROWS = dict(
    zip(
        "abcdef",
        [(300, 100, 60, 140), (20, 7, 1, 2), (15, 0, 14, 0), (1, 0, 0, 0), (40, 20, 0, 30), (0, 0, 5, 30)],
        strict=True,
    )
)
ASKED = Settings(thresholds={}, level=0.95)
RATES = {
    "selection_rate": (lambda tn, fp, fn, tp: (fp + tp, tn + fp + fn + tp), "rows", "row", "selection rate"),
    "tpr": (lambda tn, fp, fn, tp: (tp, fn + tp), "positives", "positive", "true positive rate"),
    "fpr": (lambda tn, fp, fn, tp: (fp, tn + fp), "negatives", "negative", "false positive rate"),
}


def table_of(rows):
    counts = np.array(list(rows.values())).reshape(-1, 2, 2)
    return Table("group", tuple(rows), counts, np.zeros(0, dtype=np.int64), 0)


def test_a_rate_behind_too_few_rows_is_reported_with_what_it_proves():
    counts = {name: {group: rate(*four) for group, four in ROWS.items()} for name, (rate, *_) in RATES.items()}
    found = shortages(table_of(ROWS), ASKED)
    short = [(n, group, name) for name, each in counts.items() for group, (_, n) in each.items() if n < 30]
    assert sorted((row["n"], row["group"], row["metric"]) for row in found) == sorted(short)
    assert [(row["n"], row["group"]) for row in found] == sorted((n, group) for n, group, _ in short)
    for row in found:
        each, (_, many, one, label) = counts[row["metric"]], RATES[row["metric"]]
        together = ("selection_rate",) if row["metric"] == "selection_rate" else ("tpr", "fpr")
        alpha = alpha_of_a_pair([[n for _, n in counts[name].values() if n] for name in together], 0.95)
        k, n = each[row["group"]]
        others = {group: pair for group, pair in each.items() if group != row["group"] and pair[1]}
        largest = max(others, key=lambda group: others[group][1])
        assert row["status"] in ("fail", "not run", "inconclusive")
        if not n:
            assert row["what"] == f"no {many} in {row['group']}: its {label} is undefined"
            assert (row["status"], row["against"]) == ("not run", None)
            assert all(isnan(row[name]) for name in ("rate", "gap", "low", "high", "would_fail"))
            continue
        shown, apart = {}, {}
        for group, (j, m) in others.items():
            low, high = difference(limits(k, n, alpha, exact=True), limits(j, m, alpha, exact=True))
            shown[group] = max(0, low, -high) if able(n, m, alpha) else 0
            apart[group] = abs(k / n - j / m)
        against = max(others, key=lambda group: (shown[group], apart[group], others[group][1]))
        low, high = difference(limits(k, n, 0.05), limits(*others[against], 0.05))
        assert row["against"] == against
        assert row["rate"] == pytest.approx(k / n)
        assert row["gap"] == pytest.approx(k / n - others[against][0] / others[against][1])
        assert (row["low"], row["high"]) == pytest.approx((shown[against], max(-low, high)))
        question = Question(0.1, ratio=False, alpha=alpha, level=0.95)
        would = failing_small(np.array([n]), others[largest], question)[0]
        assert row["would_fail"] == pytest.approx(would, nan_ok=True)
        assert row["status"] == ("fail" if shown[against] > 0.1 else "not run" if n <= 1 else "inconclusive")
        assert row["what"].startswith(f"{n} {one if n == 1 else many} in {row['group']}: ")
        if row["status"] == "fail":
            assert f"a gap in {label} of " in row["what"]
            assert f" to {against} was shown, " in row["what"]
        else:
            said = f"no gap in {label} could have failed" if isnan(would) else "or more would have failed"
            assert said in row["what"]
            assert row["what"].endswith(f"(against the {others[largest][1]} of {largest}, power 0.8)")
    assert {row["status"] for row in found} == {"fail", "not run", "inconclusive"}


def test_groups_of_thirty_rows_and_one_group_alone_are_not_short():
    enough = {"a": (30, 0, 0, 30), "b": (0, 30, 30, 0)}
    assert shortages(table_of(enough), ASKED) == []
    assert shortages(table_of({"a": (1, 1, 1, 1)}), ASKED) == []
    few = {"a": (29, 0, 0, 30), "b": (0, 30, 30, 0)}
    assert [(row["group"], row["metric"], row["n"]) for row in shortages(table_of(few), ASKED)] == [("a", "fpr", 29)]
    without = {"a": (29, 0, 0, 0), "b": (10, 30, 0, 0)}  # of no group is there a positive
    assert [row["metric"] for row in shortages(table_of(without), ASKED)] == ["selection_rate", "fpr"]


@pytest.mark.parametrize("alpha", [1 - 0.95, 0.005])
@pytest.mark.parametrize(("k", "n"), [(30, 100), (80, 100), (0, 40), (50, 50), (11, 20)])
def test_a_small_group_would_fail_from_the_least_hundredth_with_the_power(k, n, alpha):
    exact, base = alpha < 1 - 0.95, k / n if 0 < k < n else (k + 1) / (n + 2)
    successes, base = (n - k, 1 - base) if base > 0.5 else (k, base)
    sizes, expected = [1, 2, 5, 9, 25], []
    for size in sizes:
        beside = limits(successes, n, alpha, exact=exact)
        fails = [difference(limits(count, size, alpha, exact=exact), beside)[0] > 0.1 for count in range(size + 1)]
        if not any(fails) or not able(size, n, alpha):
            expected.append(np.nan)
            continue
        rate = stats.beta.ppf(0.8, fails.index(True), size - fails.index(True) + 1)
        expected.append(ceil(round(100 * max(rate - base, 0), 6)) / 100)
    found = failing_small(np.array(sizes), (k, n), Question(0.1, ratio=False, alpha=alpha, level=0.95))
    assert found.tolist() == pytest.approx(expected, nan_ok=True)
    assert np.isfinite(found).any()


def fails(own, beside, ratio):
    if not ratio:
        return difference(own, beside)[0] > 0.1
    return between(own, beside)[1] < 0.8


@pytest.mark.parametrize("ratio", [False, True])
@pytest.mark.parametrize("k", [12, 27, 40])
def test_the_gap_that_would_have_failed_is_found_among_all_hundredths(k, ratio):
    """With one other group its samples are evenly spread quantiles of its binomial."""
    n, size, alpha = 40, 45, 1 - 0.95
    base = k / n if 0 < k < n else (k + 1) / (n + 2)
    base = 1 - base if base > 0.5 and not ratio else base
    sure = []
    for quantile in (np.arange(64) + 0.5) / 64:
        beside = limits(int(stats.binom.ppf(quantile, n, base)), n, alpha)
        sure.append([fails(limits(count, size, alpha), beside, ratio) for count in range(size + 1)])
    sure = np.array(sure)
    expected = np.nan
    for at in range(101):
        rate = base * (1 - at / 100) if ratio else min(base + at / 100, 1)
        if (sure @ stats.binom.pmf(np.arange(size + 1), size, rate)).mean() >= 0.8:
            expected = (100 - at if ratio else at) / 100
            break
    found = failing([k, 0], [n, size], 1, Question(0.8 if ratio else 0.1, ratio=ratio, alpha=alpha, level=0.95))
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("ratio", [False, True])
@pytest.mark.parametrize(("k", "n"), [((30, 9, 33), (90, 31, 100)), ((400, 380), (800, 760)), ((0, 0), (70, 90))])
def test_the_chance_of_a_pass_is_the_share_of_samples_that_pass_if_all_rates_are_equal(k, n, ratio):
    threshold = (0.5 if ratio else 0.3) if max(n) < 200 else (0.85 if ratio else 0.07)
    base = sum(k) / sum(n) if sum(k) else 1 / (sum(n) + 2)
    order, passed = sorted(range(len(n)), key=lambda at: n[at]), []
    for sample in np.random.default_rng(0).binomial([n[at] for at in order], base, size=(400, len(n))):
        ends = [limits(int(count), n[at], 1 - 0.95) for count, at in zip(sample, order, strict=True)]
        passed.append(all(stays(one, other, ratio, threshold) for one, other in combinations(ends, 2)))
    question = Question(threshold, ratio=ratio, alpha=0.01, level=0.95)
    assert chance_of_pass(list(k), list(n), question) == pytest.approx(np.mean(passed))


def stays(one, other, ratio, threshold):
    low, high = between(one, other) if ratio else difference(one, other)
    return min(low, 1 / high) >= threshold if ratio else max(-low, high) <= threshold


def test_nothing_passes_beside_a_group_without_trials_and_many_groups_are_judged_by_fewer_samples():
    question = Question(0.3, ratio=False, alpha=0.01, level=0.95)
    assert chance_of_pass([30, 0], [90, 0], question) == 0
    n = np.full(150, 400)
    found = chance_of_pass(n // 4, n, Question(0.21, ratio=False, alpha=0.01, level=0.95))
    assert 0 < found < 1
    assert found * 178 == pytest.approx(round(found * 178))  # 4,000,000 pairs, of 150 * 149 in each sample
