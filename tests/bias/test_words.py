"""What findings say in words: who was left out, how a number was measured, what the sample could have shown."""

import numpy as np
import pandas as pd
import pytest

from probe.bias.conclusions import conclude
from probe.bias.counts import Outcomes, Table, tabulate
from probe.bias.disparities import Disparity, measure
from probe.bias.naming import read
from probe.bias.settings import Settings
from probe.bias.shortages import COLUMNS
from probe.bias.strata import unit_of
from probe.bias.validation import Favourable, Scale
from probe.errors import DataError

ASKED = Settings(thresholds={}, draws=19)
NOTHING = pd.DataFrame(columns=COLUMNS)
CHOSEN = Favourable("hired")


def rows_of(**sizes):
    """Half of each group is chosen; without labels."""
    names = [name for name, size in sizes.items() for _ in range(size)]
    chosen = np.concatenate([np.arange(size) % 2 for size in sizes.values()])
    return tabulate(Outcomes(None, chosen), pd.DataFrame({"g": names}), ASKED)


@pytest.mark.parametrize(("small", "said"), [
    ({}, ""),
    ({"c": 9}, "1 group (9 rows)"),
    ({"c": 9, "d": 1}, "2 groups (the smallest: 1 row)"),
    ({"c": 9, "d": 4, "e": 29}, "3 groups (the smallest: 4 rows)"),
])  # fmt: skip
def test_groups_left_out_are_counted_with_the_rows_of_the_smallest(small, said):
    (table,) = rows_of(a=60, b=30, **small)
    for row in measure(table, ASKED):
        assert row.not_covered == said
        assert row.left_out == ", ".join(small)
        assert row.compared == ("groups of 30 or more" if small else "all groups")
        assert row.smallest_group == "b (30 rows)"
        assert row.n == 90


def disparity(attribute, status, **others):
    usual = {"estimate": 0.2, "low": 0.1, "high": 0.3, "p_value": 0.5, "would_fail": 0.25, "pass_chance": 0.5}
    usual |= {
        "n": 40,
        "threshold": 0.1,
        "direction": "at most",
        "compared": "all groups",
        "smallest_group": "y (9 rows)",
    }
    usual |= {"lowest": "x", "highest": "y", "rate": "selection rate", "metric": "demographic_parity_difference"}
    return Disparity(attribute=attribute, status=status, **usual | others)


def tables_of(*attributes):
    counts, codes = np.zeros((0, 2, 2), dtype=np.int64), np.zeros(0, dtype=np.int64)
    return [Table(name, (), counts, codes, 0, order=name.count(" x ") + 1) for name in attributes]


def concluded(*rows, outcome=CHOSEN, settings=ASKED):
    return conclude(tables_of(*(row.attribute for row in rows)), rows, NOTHING, outcome, settings)


def test_a_finding_says_what_was_compared_and_how():
    (finding,) = concluded(disparity("g", "pass"))
    assert (finding.check, finding.status, finding.unit, finding.seed) == (
        "demographic parity difference by g",
        "pass",
        "points",
        0,
    )
    assert (finding.estimate, finding.low, finding.high, finding.n, finding.threshold) == (0.2, 0.1, 0.3, 40, 0.1)
    assert finding.method == (
        "largest difference between two groups, over all groups; favourable outcome: hired; 95% interval from Newcombe "
        "intervals of pairs: its low end holds for all pairs of all groups at once (Bonferroni, exact limits), its "
        "high end is of the widest pair (intersection-union); 19 permutations of group membership"
    )
    assert finding.note == (
        "widest in selection rate: x lowest, y highest; permutation p = 0.5000; smallest group compared: y (9 rows)"
    )
    ratio = disparity("g", "fail", metric="demographic_parity_ratio", direction="at least", threshold=0.8)
    (finding,) = concluded(ratio, outcome=Favourable("1", assumed=True))
    assert (finding.unit, finding.direction) == ("number", "at least")
    assert finding.method.startswith(
        "lowest over highest rate, over all groups; favourable outcome: 1 (assumed); 95% interval from Donner-Zou "
        "intervals of pairs: its high end holds for all pairs of all groups at once (Bonferroni, exact limits), its low"
    )
    assert finding.note.endswith("; no favourable outcome was named; 1 is assumed")
    means = disparity("g", "pass", metric="mean_error_difference")
    (finding,) = concluded(means, outcome=Scale(2.5, "labels"))
    assert finding.method.startswith(
        "largest difference between the means of two groups, over all groups; threshold: 0.2 standard deviations of "
        "the labels, each 2.5; 95% interval: its low end holds"
    )
    assert "assumed" not in finding.note


def test_a_gap_of_rates_is_written_in_points_and_anything_else_as_a_number():
    assert unit_of("equalized_odds_difference") == "points"
    assert {unit_of(name) for name in ("demographic_parity_ratio", "mean_error_difference", "another")} == {"number"}


def test_a_check_that_was_not_run_gives_its_reason_and_no_number():
    (finding,) = concluded(disparity("g", "not run", reason="every row is unknown"))
    assert (finding.status, finding.estimate, finding.n, finding.method) == ("not run", None, None, "")
    assert (finding.note, finding.threshold, finding.unit) == ("every row is unknown", 0.1, "points")


def test_an_inconclusive_finding_says_what_the_sample_could_have_shown():
    (finding,) = concluded(disparity("g", "inconclusive"))
    assert finding.note.endswith(
        "; a true gap of 25.0\u202fpp in that group would have failed (power 0.8); "
        "with equal rates it passes with probability 0.50"
    )
    ratio = disparity("g", "inconclusive", metric="demographic_parity_ratio", direction="at least", pass_chance=0.04)
    (finding,) = concluded(ratio)
    assert finding.note.endswith(
        "; a true ratio of 0.25 or less in that group would have failed (power 0.8); "
        "this sample could not have passed, not even with equal rates"
    )
    never = disparity("g", "inconclusive", would_fail=float("nan"), pass_chance=0.05)
    assert concluded(never)[0].note.endswith(
        "; no gap of y (9 rows) could have failed; with equal rates it passes with probability 0.05"
    )


def test_groups_that_do_not_differ_are_said_not_to_by_the_rates_compared():
    alike = {"lowest": None, "highest": None, "rate": None}
    notes = [
        concluded(disparity("g", "pass", metric=metric, **alike))[0].note.split("; ")[0]
        for metric in ("demographic_parity_difference", "equalized_odds_difference", "mean_absolute_error_difference")
    ]
    assert notes == [
        "no difference between the groups compared in selection rate",
        "no difference between the groups compared in true and false positive rate",
        "no difference between the groups compared in mean absolute error",
    ]
    said = concluded(disparity("g", "inconclusive", reason="no row was selected", **alike))[0].note
    assert said.startswith("no row was selected; permutation p")


def test_a_finding_says_which_small_groups_its_numbers_cover():
    short = {"left_out": "c, d", "not_covered": "2 groups (the smallest: 4 rows)", "estimate_all_groups": 0.4}
    apart = {"compared": "groups of 30 or more", **short}
    notes = {
        "passes": disparity("g", "inconclusive", low=0.0, high=0.1, **apart),
        "does not": disparity("g", "fail", high=0.11, **apart),
        "together": disparity("g", "fail", **short),
        "ratio": disparity("g", "pass", metric="demographic_parity_ratio", low=0.8, threshold=0.8, **apart),
    }
    said = {name: concluded(row)[0].note for name, row in notes.items()}
    covered = "2 groups (the smallest: 4 rows) not covered"
    assert f"; no gap among groups of 30 or more; {covered}; permutation" in said["passes"]
    assert f"; too small and reported apart: c, d; {covered}; with them 40.0\u202fpp; permutation" in said["does not"]
    assert "; groups of fewer than 30 are compared too: c, d; permutation" in said["together"]
    assert f"; no gap among groups of 30 or more; {covered}; permutation" in said["ratio"]


def crossings(*statuses, **others):
    return [disparity(f"a{at} x b", status, low=at / 100, **others) for at, status in enumerate(statuses)]


TEN = ", ".join(f"a{at} x b" for at in range(10))


def test_up_to_ten_intersections_have_a_finding_each_and_more_have_one_together():
    assert len(concluded(*crossings(*["pass"] * 10))) == 10
    own, together = concluded(disparity("a", "pass"), *crossings(*["pass"] * 11))
    assert (own.check, own.status) == ("demographic parity difference by a", "pass")
    assert (together.check, together.status) == ("demographic parity difference by intersections of attributes", "pass")
    assert together.note.startswith(
        "11 intersections: 11 pass; the numbers are of a10 x b; widest in selection rate: x"
    )
    assert (together.n, together.threshold, together.low, together.seed) == (40, 0.1, 0.1, 0)


@pytest.mark.parametrize(("statuses", "status", "note"), [
    (["pass"] * 9 + ["fail", "inconclusive"], "fail",
     "11 intersections: 1 fail, 1 inconclusive, 9 pass; failed: a9 x b; the numbers are of a9 x b; widest"),
    (["pass"] * 10 + ["inconclusive"], "inconclusive",
     "11 intersections: 1 inconclusive, 10 pass; the numbers are of a10 x b; widest"),
    (["inconclusive", "not run"] + ["pass"] * 9, "inconclusive",
     "11 intersections: 1 inconclusive, 9 pass, 1 not run; the numbers are of a0 x b; widest"),
    (["fail"] * 11, "fail",
     f"11 intersections: 11 fail; failed: {TEN} and more; the numbers are of a10"),
    (["fail"] * 10 + ["pass"], "fail",
     f"11 intersections: 10 fail, 1 pass; failed: {TEN}; the numbers are of a9 x b"),
    (["not run"] * 11, "not run", "11 intersections: 11 not run"),
])  # fmt: skip
def test_many_intersections_have_the_worst_status_and_the_numbers_of_the_worst(statuses, status, note):
    (finding,) = concluded(*crossings(*statuses))
    assert finding.status == status
    assert finding.note.startswith(note)
    ran = status != "not run"
    assert (finding.n, bool(finding.method)) == ((40, True) if ran else (None, False))


def test_of_many_ratios_the_worst_is_the_one_proved_to_be_the_smallest():
    rows = [
        disparity(f"a{at} x b", "fail", metric="demographic_parity_ratio", direction="at least", high=high)
        for at, high in enumerate([0.7, 0.3, float("nan"), 0.5] + [0.6] * 8)
    ]
    (finding,) = concluded(*rows)
    assert "the numbers are of a1 x b" in finding.note
    assert finding.high == 0.3


def short(group, attribute, status, **others):
    row = {"attribute": attribute, "metric": "selection_rate", "group": group, "n": 5, "rate": 0.2, "status": status}
    row |= {"gap": -0.5, "low": 0.2, "high": 0.8, "against": "z", "would_fail": 0.4, "what": f"5 rows in {group}"}
    return row | others


def test_groups_with_too_few_rows_have_one_finding_with_three_of_them():
    rows = [short(name, "g", "inconclusive") for name in "abcd"] + [short("a", "h", "not run")]
    thresholds = disparity("g", "pass")
    finding = conclude(tables_of("g", "h"), [thresholds], pd.DataFrame(rows), CHOSEN, ASKED)[-1]
    assert finding.check == "groups of fewer than 30 rows, positives or negatives"
    assert (finding.status, finding.n, finding.estimate) == ("inconclusive", 5, None)
    assert finding.note == (
        "5 groups in 2 attributes; smallest: 5 rows in a (g); 5 rows in b (g); 5 rows in c (g); and more"
    )
    assert finding.method == "a rate needs 30 behind it to enter a gap that can pass: an engineering threshold"
    finding = conclude(tables_of("g"), [thresholds], pd.DataFrame(rows[:1]), CHOSEN, ASKED)[-1]
    assert finding.note == "1 group in 1 attribute; smallest: 5 rows in a (g)"
    numbers = conclude(tables_of("g"), [thresholds], pd.DataFrame(rows[:3]), Scale(1.0, "labels"), ASKED)[-1]
    assert numbers.check == "groups of fewer than 30 rows"
    assert numbers.method.startswith("a mean needs 30")
    assert not numbers.note.endswith("more")
    assert len(conclude(tables_of("g"), [thresholds], NOTHING, CHOSEN, ASKED)) == 1


def test_what_small_groups_prove_is_named_with_the_widest_first():
    rows = [short("a", "g", "fail", low=0.2), short("b", "g", "inconclusive"), short("c", "g", "fail", low=0.3, n=7)]
    finding = conclude(tables_of("g"), [disparity("g", "pass")], pd.DataFrame(rows), CHOSEN, ASKED)[-1]
    assert finding.note == "3 groups in 1 attribute; shown all the same: 5 rows in c (g); 5 rows in a (g)"
    assert (finding.status, finding.estimate, finding.low, finding.high) == ("fail", 0.5, 0.3, 0.8)
    assert (finding.n, finding.threshold, finding.unit, finding.direction) == (7, 0.1, "points", "at most")
    assert finding.method.endswith("; the numbers are of c and z in g")


def spelled(*names):
    merging = Settings(thresholds={}, merge_spellings=True)
    return read(pd.Series(names, dtype=object), "g", merging)


def test_spellings_are_shown_with_escapes_only_where_another_looks_the_same():
    assert spelled("\u00e9", "\u00c9", "\u00e9").notice == "merged as '\u00e9': '\u00c9' (1 row) and '\u00e9' (2 rows)"
    assert spelled("e\u0301", "\u00e9", "\u00e9").notice == (
        "merged as '\u00e9': 'e\\u0301' (1 row) and '\\xe9' (2 rows)"
    )
    with pytest.raises(DataError, match=r"in 2 ways: '\u00c9' .1 row. and '\u00e9' .1 row.; spell them alike"):
        read(pd.Series(["\u00c9", "\u00e9"]), "g", ASKED)


def test_codes_are_of_the_sorted_names_and_of_none_where_a_row_names_none():
    column = spelled("b", None, "a", "", "B", "b")
    assert column.names == ("a", "b")
    assert column.codes.tolist() == [1, -1, 0, -1, 1, 1]
    assert column.like_unknown.tolist() == [False] * 6
    assert spelled("unknown", "a").like_unknown.tolist() == [True, False]


@pytest.mark.parametrize(
    ("values", "said"), [(range(20), ""), (range(21), "21 distinct numbers"), (map(str, range(21)), "")]
)
def test_a_column_of_more_than_twenty_numbers_is_better_binned(values, said):
    notice = read(pd.Series([*values]), "g", ASKED).notice
    assert notice.startswith(said)
    assert bool(notice) == bool(said)
