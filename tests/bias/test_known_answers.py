"""Figures published, or worked out by hand, by others."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from probe.bias import audit
from probe.bias.intervals import difference_interval
from probe.bias.proportions import holm
from probe.statistics import wilson
from tests.bias.conftest import COMPAS_RACE, COMPAS_SEX, expand

FAIRLEARN = {
    "labels": [0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1],
    "predictions": [0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0],
    "groups": pd.DataFrame({"s": list("bbabbcccaacabccbcc")}),
}


def disparity(report, attribute, metric):
    return report.disparities.set_index(["attribute", "metric"]).loc[(attribute, metric)]


def test_the_rates_of_the_fairlearn_guide_are_reproduced():
    report = audit(**FAIRLEARN, min_group_size=1)
    groups = report.groups.set_index("group")
    assert_allclose(groups.loc[["a", "b", "c"], ["selection_rate", "tpr", "fpr"]],
                    [[0.75, 0.5, 1], [0.5, 0.6, 0], [0.5, 0.4, 2 / 3]])  # fmt: skip
    assert groups["n"].tolist() == [4, 6, 8]
    assert disparity(report, "s", "demographic_parity_difference").estimate == pytest.approx(0.25)
    assert disparity(report, "s", "demographic_parity_ratio").estimate == pytest.approx(2 / 3)
    assert disparity(report, "s", "equalized_odds_difference").estimate == pytest.approx(1.0)


def test_the_fairlearn_guide_is_too_small_to_judge():
    report = audit(**FAIRLEARN)
    assert {f.status for f in report.findings} == {"inconclusive"}
    assert (report.disparities["pass_chance"] == 0).all()
    assert report.disparities["estimate_all_groups"].tolist() == pytest.approx([0.25, 2 / 3, 1.0])


# n, FPR, FNR, PPV, accuracy, selection
COMPAS = {
    "African-American": (3696, 0.4485, 0.2799, 0.6297, 0.6383, 0.5882),
    "Caucasian": (2454, 0.2345, 0.4772, 0.5913, 0.6699, 0.3480),
    "Hispanic": (637, 0.2148, 0.5560, 0.5421, 0.6609, 0.2983),
    "Other": (377, 0.1475, 0.6767, 0.5443, 0.6658, 0.2095),
    "Asian": (32, 0.0870, 0.3333, 0.75, 0.8438, 0.25),
    "Native American": (18, 0.375, 0.10, 0.75, 0.7778, 0.6667),
    "Female": (1395, 0.3211, 0.3916, 0.5127, 0.6538, 0.4237),
    "Male": (5819, 0.3242, 0.3709, 0.6354, 0.6537, 0.4685),
}


@pytest.mark.parametrize(("attribute", "counts"), [("race", COMPAS_RACE), ("sex", COMPAS_SEX)])
def test_the_compas_table_of_propublica_is_reproduced(attribute, counts):
    groups = audit(*expand(counts, attribute)).groups.set_index("group")
    for name, four in counts.items():
        row = groups.loc[name]
        assert tuple(row[["tn", "fp", "fn", "tp"]]) == four
        found = (row.n, row.fpr, 1 - row.tpr, row.ppv, row.accuracy, row.selection_rate)
        assert_allclose(found, COMPAS[name], atol=5.1e-5)


def test_compas_false_positive_rate_of_the_largest_group_has_its_wilson_interval(compas):
    row = audit(*compas).groups.set_index("group").loc["African-American"]
    assert_allclose([row.fpr_low, row.fpr_high], [0.42559, 0.47156], atol=5e-6)


def test_the_compas_gap_between_black_and_white_is_reproduced():
    two = {name: COMPAS_RACE[name] for name in ("African-American", "Caucasian")}
    report = audit(*expand(two, "race"))
    assert_allclose(report.disparities["estimate"], [0.240200, 0.591638, 0.213925], atol=5e-7)
    assert report.disparities["status"].tolist() == ["fail"] * 3
    pair = report.pairs.set_index("metric").loc["fpr"]
    assert_allclose([pair.difference, pair.low, pair.high], [0.21392, 0.18161, 0.24545], atol=6e-6)
    assert pair.lower == "Caucasian"
    odds = disparity(report, "race", "equalized_odds_difference")
    assert odds.rate == "false positive rate"
    assert (odds.lowest, odds.highest) == ("Caucasian", "African-American")


def test_two_tiny_groups_do_not_widen_the_compas_headline(compas):
    report = audit(*compas)
    odds = disparity(report, "race", "equalized_odds_difference")
    assert odds.estimate_all_groups == pytest.approx(0.576692, abs=5e-7)  # Native American: 10 positives, 9 found
    assert odds.estimate == pytest.approx(1369 / 1901 - 43 / 133)
    assert odds.left_out == "Asian, Native American"
    assert disparity(report, "race", "demographic_parity_difference").estimate_all_groups == pytest.approx(0.457118)
    asian = report.small_groups.set_index(["group", "metric"]).loc[("Asian", "fpr")]
    assert (asian.status, asian.n, asian.against) == ("inconclusive", 23, "African-American")
    assert asian.what.startswith("23 negatives in Asian: a gap in false positive rate of ")
    assert asian.what.endswith("or more would have failed (against the 1795 of African-American, power 0.8)")


# New York City's published example of impact ratios for selections: applicants, selected, ratio.
LL144_RACE = {
    "Hispanic": (408, 204, 0.97), "White": (797, 412, 1.00), "Black": (390, 170, 0.84), "Pacific": (119, 52, 0.85),
    "Asian": (616, 302, 0.95), "Native": (41, 18, 0.85), "Two or more": (213, 96, 0.87),
}  # fmt: skip
LL144_BOTH = {
    "Male & Hispanic": (205, 90, 0.841), "Male & White": (412, 215, 1.0), "Male & Black": (226, 95, 0.806),
    "Male & Pacific": (87, 37, 0.815), "Male & Asian": (321, 167, 0.997), "Male & Native": (24, 11, 0.878),
    "Male & Two": (115, 52, 0.866), "Female & Hispanic": (190, 82, 0.827), "Female & White": (385, 197, 0.981),
    "Female & Black": (164, 75, 0.876), "Female & Pacific": (32, 15, 0.898), "Female & Asian": (295, 135, 0.877),
    "Female & Native": (17, 7, 0.789), "Female & Two": (98, 44, 0.860),
}  # fmt: skip


def selections(table):
    return expand({name: (n - k, k, 0, 0) for name, (n, k, _) in table.items()}, "group")


def test_impact_ratios_of_new_york_by_race_are_reproduced():
    groups = audit(*selections(LL144_RACE)).groups.set_index("group")
    for name, (_, _, ratio) in LL144_RACE.items():
        assert groups.loc[name, "impact_ratio"] == pytest.approx(ratio, abs=0.006)
    assert groups["reference"].unique().tolist() == ["White"]
    black = groups.loc["Black"]
    # Katz's interval of this pair alone is [0.739, 0.962]. Of seven groups any may truly be the highest.
    assert_allclose([black.impact_ratio_low, black.impact_ratio_high], [0.6199, 1.0], atol=5e-5)


def test_impact_ratios_of_new_york_intersections_are_reproduced():
    labels, predictions, both = selections(LL144_BOTH)
    frame = both["group"].str.split(" & ", expand=True).set_axis(["sex", "race"], axis=1)
    report = audit(labels, predictions, frame)
    groups = report.groups.set_index(["attribute", "group"])
    for name, (n, _, ratio) in LL144_BOTH.items():
        assert groups.loc[("sex x race", name), "impact_ratio"] == pytest.approx(ratio, abs=0.0011)
        assert groups.loc[("sex x race", name), "n"] == n
    assert groups.loc[("sex", "Female"), "impact_ratio"] == pytest.approx(0.979, abs=5e-4)
    native = groups.loc[("sex x race", "Female & Native")]
    assert_allclose([native.impact_ratio_low, native.impact_ratio_high], [0.161, 1.602], atol=5e-4)
    # The one ratio under four fifths rests on 17 people: it is reported apart, not as the headline.
    assert disparity(report, "sex x race", "demographic_parity_ratio").estimate == pytest.approx(0.806, abs=5e-4)
    assert "Female & Native" in set(report.small_groups["group"])


def test_gap_and_ratio_intervals_have_known_values():
    assert_allclose(wilson([0], [2]), [[0], [0.65762]], atol=5e-6)
    assert_allclose(wilson([349], [1488]), [[0.21371], [0.25674]], atol=5e-6)
    # Newcombe's own example, 56 of 70 and 48 of 80, by his method 11.
    assert_allclose(difference_interval([56], [70], [48], [80], 0.95), [[0.0428], [0.3422]], atol=5.1e-5)


def test_holm_adjusted_p_values_have_known_values():
    assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    assert_allclose(holm(np.array([0.01, np.nan, 0.04])), [0.02, np.nan, 0.04])
