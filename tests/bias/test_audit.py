"""What an audit does with rows, groups and thresholds."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from probe.bias import THRESHOLDS, audit
from tests.bias.conftest import expand

FRAMES = ("groups", "disparities", "pairs", "small_groups", "row_accounting")


def assert_same(one, other):
    for name in FRAMES:
        assert_frame_equal(getattr(one, name), getattr(other, name))
    assert one.findings == other.findings


def by_check(report):
    return {finding.check: finding for finding in report.findings}


@pytest.fixture(scope="module")
def plain(random_rows):
    return audit(*random_rows, draws=99)


@pytest.fixture(scope="module")
def coded(random_rows):
    """The groups of race as numbers, and the audit of them."""
    labels, predictions, groups = random_rows
    numbers = pd.DataFrame({"race": groups["race"].map({"a": 0, "b": 1, "c": 2, "d": 3}), "sex": groups["sex"]})
    return numbers, audit(labels, predictions, numbers, draws=99)


@pytest.mark.parametrize(
    "encode",
    [
        lambda s: s.astype(str),
        lambda s: s.astype(str).astype("category"),
        lambda s: s.astype(float),
        lambda s: s.astype("Int64"),
        lambda s: pd.Series(pd.Categorical(s, categories=[3, 2, 1, 0, 9])),
    ],
    ids=["text", "category", "float", "nullable", "unused category"],
)
def test_the_encoding_of_groups_does_not_matter(encode, random_rows, coded):
    labels, predictions, _ = random_rows
    numbers, expected = coded
    found = audit(labels, predictions, numbers.assign(race=encode(numbers["race"])), draws=99)
    found.row_accounting["notice"] = ""  # what a category is declared as is its own
    assert_same(expected, found)


def test_a_category_that_no_row_has_is_in_the_row_accounting(random_rows):
    labels, predictions, groups = random_rows
    race = pd.Categorical(groups["race"], categories=["a", "b", "c", "d", "e", "never"])
    report = audit(labels, predictions, groups.assign(race=race), draws=9)
    assert report.row_accounting.set_index("attribute").loc["race", "notice"] == "declared, 0 rows: 'e', 'never'"
    assert "race: declared, 0 rows: 'e', 'never'" in report.notices
    assert set(report.groups.query("attribute == 'race'")["group"]) == set("abcd")


@pytest.mark.parametrize("kind", [list, pd.Series, np.float64, np.bool_, np.int8], ids=str)
def test_the_encoding_of_labels_does_not_matter(kind, random_rows, plain):
    labels, predictions, groups = random_rows
    cast = kind if kind in (list, pd.Series) else lambda values: values.astype(kind)
    assert_same(plain, audit(cast(labels), cast(predictions), groups, draws=99))


def test_the_order_of_rows_does_not_matter(random_rows):
    labels, predictions, groups = random_rows
    order = np.random.default_rng(1).permutation(len(labels))
    scores = np.random.default_rng(2).random(len(labels))
    shuffled = audit(labels[order], predictions[order], groups.iloc[order], scores[order], draws=99)
    assert_same(audit(labels, predictions, groups, scores, draws=99), shuffled)


def test_inputs_and_global_random_state_are_left_alone(random_rows):
    labels, predictions, groups = random_rows
    before, state = groups.copy(), np.random.get_state()[1].copy()  # noqa: NPY002 - the very state that must not move
    audit(labels, predictions, groups, draws=99)
    assert_frame_equal(groups, before)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_the_seed_changes_p_values_only(random_rows):
    one, other = (audit(*random_rows, draws=99, seed=seed).disparities for seed in (0, 1))
    assert (one["p_value"] != other["p_value"]).any()
    assert_frame_equal(one.drop(columns="p_value"), other.drop(columns="p_value"))


def test_missing_groups_are_counted_and_left_out(random_rows):
    labels, predictions, groups = random_rows
    holed = groups.astype(object)
    holed.loc[:9, "sex"] = None
    holed.loc[5:19, "race"] = np.nan
    report = audit(labels, predictions, holed, draws=99)
    row_accounting = report.row_accounting.set_index("attribute")
    assert row_accounting["unknown"].to_dict() == {"sex": 10, "race": 15, "sex x race": 20}
    assert (row_accounting["rows"] == 600).all()
    assert (row_accounting["used"] + row_accounting["unknown"] == row_accounting["rows"]).all()
    assert report.groups.groupby("attribute")["n"].sum().to_dict() == row_accounting["used"].to_dict()
    known = holed["sex"].notna().to_numpy()
    alone = audit(labels[known], predictions[known], holed.loc[known, ["sex"]], draws=99)
    assert_frame_equal(report.groups[report.groups["attribute"] == "sex"], alone.groups)


def test_counts_of_a_group_add_up_to_its_rows(random_rows):
    groups = audit(*random_rows, draws=9).groups
    assert (groups[["tn", "fp", "fn", "tp"]].sum(axis=1) == groups["n"]).all()


@pytest.mark.slow
def test_intersections_cross_two_attributes_unless_more_are_asked_for(random_rows):
    labels, predictions, groups = random_rows
    age = np.where(np.arange(600) % 2, "old", "young")
    one, two, all_of_them = (
        audit(labels, predictions, groups.assign(age=age), draws=9, order=order).row_accounting["attribute"].tolist()
        for order in (1, 2, 3)
    )
    assert two == audit(labels, predictions, groups.assign(age=age), draws=9).row_accounting["attribute"].tolist()
    assert one == two[:3]
    assert two == all_of_them[:6]
    assert all_of_them == [
        "sex", "race", "age", "sex x race", "sex x age", "race x age", "sex x race x age",
    ]  # fmt: skip


@pytest.mark.slow
def test_many_intersections_are_summed_up_in_one_finding_per_measure():
    generator = np.random.default_rng(3)
    groups = pd.DataFrame({f"a{at}": generator.integers(2, size=400) for at in range(8)})
    report = audit(generator.random(400) < 0.3, generator.random(400) < 0.3, groups, draws=99)
    assert len(report.row_accounting) == 8 + 28
    assert len(report.disparities) == 3 * 36
    assert [f.check for f in report.findings[:3]] == [
        "demographic parity difference by a0", "demographic parity ratio by a0", "equalized odds difference by a0",
    ]  # fmt: skip
    assert len(report.findings) == 3 * 8 + 3 + 1
    crossed = by_check(report)["demographic parity difference by intersections of attributes"]
    rows = report.disparities.query("metric == 'demographic_parity_difference' and attribute.str.contains(' x ')")
    assert crossed.status == "inconclusive"
    assert crossed.note.startswith("28 intersections: 28 inconclusive")
    assert crossed.low == rows["low"].max()


def test_the_summary_of_intersections_is_as_bad_as_the_worst_and_names_it():
    generator = np.random.default_rng(3)
    groups = pd.DataFrame({f"a{at}": generator.integers(2, size=2000) for at in range(6)})
    chosen = generator.random(2000) < np.where(groups["a1"] == groups["a4"], 0.8, 0.2)  # seen in no single attribute
    report = audit(None, chosen.astype(int), groups, draws=99)
    crossed = by_check(report)["demographic parity difference by intersections of attributes"]
    assert crossed.status == "fail"
    assert "failed: a1 x a4" in crossed.note
    assert crossed.estimate > 0.5
    assert by_check(report)["demographic parity difference by a1"].status != "fail"


def test_an_interval_on_both_sides_of_the_threshold_decides_nothing():
    small, large = ({"a": (50 * n, 50 * n, 0, 0), "b": (62 * n, 38 * n, 0, 0)} for n in (1, 100))
    check = "demographic parity difference by g"
    assert by_check(audit(*expand(small, "g")))[check].status == "inconclusive"
    assert by_check(audit(*expand(large, "g")))[check].status == "fail"
    relaxed = audit(*expand(large, "g"), thresholds={"demographic_parity_difference": 0.2})
    assert by_check(relaxed)[check].status == "pass"
    assert by_check(relaxed)[check].threshold == 0.2
    assert by_check(relaxed)["demographic parity ratio by g"].threshold == THRESHOLDS["demographic_parity_ratio"]


def test_a_single_group_is_not_compared(random_rows):
    labels, predictions, _ = random_rows
    report = audit(labels, predictions, pd.DataFrame({"g": ["all"] * len(labels)}))
    assert [f.status for f in report.findings] == ["not run"] * 3
    assert "all is the only group" in report.findings[0].note
    assert report.pairs.empty


def test_an_attribute_of_unknowns_is_not_run(random_rows):
    labels, predictions, groups = random_rows
    report = audit(labels, predictions, groups.assign(age=None), draws=9)
    finding = by_check(report)["equalized odds difference by age"]
    assert (finding.status, finding.note) == ("not run", "every row is unknown")
    assert report.row_accounting.set_index("attribute").loc["age", "unknown"] == 600


def test_an_attribute_of_too_many_groups_stops_no_other(random_rows):
    labels, predictions, groups = random_rows
    crowded = groups.assign(id=[*range(300), *[None] * 300])
    report = audit(labels, predictions, crowded, np.linspace(0, 1, 600), draws=9)
    about = [f for f in report.findings if f.check.endswith(" by id")]
    assert [f.status for f in about] == ["not run"] * 3
    assert about[0].note == "there are 300 groups, over 200, too many to compare; bin the values or drop the column"
    assert by_check(report)["demographic parity ratio by sex x id"].status == "not run"
    alone = audit(labels, predictions, groups, np.linspace(0, 1, 600), draws=9)
    for name in ("groups", "pairs"):
        assert_frame_equal(getattr(report, name), getattr(alone, name))
    assert [f for f in report.findings if " id" not in f.check] == alone.findings
    row = report.row_accounting.set_index("attribute").loc["id"]
    counts = row[["rows", "used", "unknown", "not_run", "like_unknown"]].to_dict()
    assert counts == {"rows": 600, "used": 0, "unknown": 300, "not_run": 300, "like_unknown": 0}


def test_a_group_of_one_row_gets_no_verdict(random_rows):
    labels, predictions, groups = random_rows
    groups.loc[0, "sex"] = "x"
    small = audit(labels, predictions, groups, draws=9).small_groups.set_index(["group", "metric"])
    row = small.loc[("x", "selection_rate")]
    assert (row.status, row.n) == ("not run", 1)


def test_the_selection_ratio_is_undefined_if_no_row_is_selected():
    report = audit(*expand({"a": (40, 0, 40, 0), "b": (40, 0, 40, 0)}, "g"))
    ratio = by_check(report)["demographic parity ratio by g"]
    assert (ratio.status, ratio.estimate, ratio.low) == ("inconclusive", None, None)
    assert report.groups["impact_ratio"].isna().all()
    assert report.groups["ppv"].isna().all()
    difference = by_check(report)["demographic parity difference by g"]
    assert difference.estimate == 0
    assert difference.high > 0
    assert ratio.note.startswith("no row was selected, so the ratio is undefined")
    assert difference.note.startswith("no difference between the groups compared in selection rate")
    assert report.disparities[["lowest", "highest"]].isna().all(axis=None)


def test_a_small_group_never_becomes_the_reference():
    groups = audit(*expand({"a": (60, 40, 0, 0), "b": (80, 20, 0, 0), "tiny": (1, 4, 0, 0)}, "g")).groups
    assert groups["reference"].tolist() == ["a"] * 3
    assert groups["impact_ratio"].tolist() == pytest.approx([1.0, 0.5, 2.0])
    assert (groups["impact_ratio_low"] <= groups["impact_ratio"]).all()
    assert (groups["impact_ratio"] <= groups["impact_ratio_high"]).all()
    assert groups["impact_ratio_high"].tolist()[0] == 1
    assert groups["impact_ratio_high"].tolist()[2] > 1


def test_ratio_intervals_include_1_for_groups_that_may_be_the_most_selected():
    groups = audit(*expand({"a": (50, 50, 0, 0), "b": (55, 45, 0, 0), "c": (95, 5, 0, 0)}, "g")).groups
    assert groups["impact_ratio_high"].tolist()[:2] == [1, 1]
    assert groups["impact_ratio_high"].tolist()[2] < 0.5
    assert 0.5 < groups["impact_ratio_low"].tolist()[0] < 1  # it looks most selected, and b may be
    assert audit(*expand({"a": (0, 99, 0, 0), "c": (99, 0, 0, 0)}, "g")).groups["impact_ratio_low"].tolist() == [1, 0]


def test_scores_add_ranking_and_calibration_measures():
    groups = pd.DataFrame({"g": list("aaaabbb")})
    labels, scores = [0, 0, 1, 1, 1, 1, 1], [0.1, 0.6, 0.6, 0.9, 1.0, 1.0, 1.0]
    report = audit(labels, labels, groups, scores)
    assert report.groups["auc"].tolist() == pytest.approx([3.5 / 4, np.nan], nan_ok=True)
    assert report.groups.loc[1, "calibration_error"] == 0
    assert "auc" not in audit(labels, labels, groups).groups


def test_findings_are_json_and_never_call_a_model_fair(compas):
    report = audit(*compas)
    text = json.dumps([finding.to_json() for finding in report.findings], allow_nan=False)
    assert {finding.aspect for finding in report.findings} == {"bias"}
    assert not re.search(r"\bfair\b|compliant|unbiased", text)


def test_names_of_groups_are_escaped(random_rows):
    labels, predictions, groups = random_rows
    hostile = "<script>alert('&')</script>"
    groups = groups.assign(sex=groups["sex"].replace("f", hostile)).rename(columns={"race": "<img src=x>"})
    html = audit(labels, predictions, groups, draws=9)._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert" in html
    assert "undefined" in html
