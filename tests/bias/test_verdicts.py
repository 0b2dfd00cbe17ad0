"""What fails, what passes, and what the sample could have said."""

import numpy as np
import pytest

from probe.bias import audit
from probe.bias.proportions import fisher_p
from probe.formatting import number
from tests.bias.conftest import expand

# The positions of the Ricci case: people who scored 70 or more, of those who sat the examination.
RICCI = {"W": (68, 41), "B": (27, 9), "H": (23, 6)}
LARGE = (700, 500, 500, 300)


def selections(table):
    """Decisions alone, n and selected by group."""
    _, predictions, groups = expand({name: (n - k, k, 0, 0) for name, (n, k) in table.items()}, "g")
    return None, predictions, groups


def statuses(report):
    return dict(zip(report.disparities["metric"], report.disparities["status"], strict=True))


def by_metric(report):
    return report.disparities.set_index("metric")


@pytest.fixture(scope="module")
def proven():
    """29 people of whom nobody is selected, beside two large groups of whom 40 % are."""
    return audit(*expand({"a": LARGE, "b": LARGE, "tiny": (15, 0, 14, 0)}, "g"))


def test_a_gap_of_a_small_group_that_is_proven_fails(proven):
    assert statuses(proven) == dict.fromkeys(statuses(proven), "fail")
    row = by_metric(proven).loc["demographic_parity_difference"]
    assert row.estimate == 0.4
    # At least the bound of exact limits at the Bonferroni level that assume nothing of how they combine.
    assert row.low > 0.199
    assert (row.lowest, row.compared) == ("tiny", "all groups")


def test_a_proved_gap_of_a_small_group_is_not_called_undetectable(proven):
    small = proven.small_groups.set_index("metric")
    assert small["status"].to_dict() == {"selection_rate": "fail", "fpr": "fail", "tpr": "inconclusive"}
    assert small.loc["selection_rate", "what"] == (
        "29 rows in tiny: a gap in selection rate of 40.0\u202fpp to b was shown, 24.6\u202fpp or more"
    )
    finding = proven.findings[-1]
    assert (finding.check, finding.status) == ("groups of fewer than 30 rows, positives or negatives", "fail")
    assert "29 rows in tiny: a gap in selection rate of 40.0\u202fpp to b was shown" in finding.note
    assert (finding.estimate, finding.n, finding.threshold) == (0.4, 29, 0.1)
    assert 0.199 < finding.low < 0.4 < finding.high


def test_a_large_and_a_small_group_are_compared():
    report = audit(*selections({"a": (1000, 400), "tiny": (29, 0)}))
    assert statuses(report) == dict.fromkeys(statuses(report), "fail")
    alike = audit(*selections({"a": (1000, 400), "tiny": (29, 12)}))
    assert set(statuses(alike).values()) == {"inconclusive"}


def test_two_large_groups_do_not_pass_over_a_third_that_is_small():
    report = audit(*selections({"a": (2000, 800), "b": (2000, 800), "tiny": (29, 12)}))
    finding = report.findings[0]
    assert (finding.status, finding.estimate) == ("inconclusive", 0)
    assert finding.high < 0.1
    assert "no gap among groups of 30 or more; 1 group (29 rows) not covered" in finding.note
    assert "this sample could not have passed" in finding.note
    row = by_metric(report).loc["demographic_parity_difference"]
    assert row.high_all_groups > 0.1
    assert statuses(audit(*selections({"a": (2000, 800), "b": (2000, 800)})))["demographic_parity_difference"] == "pass"


def test_a_group_without_positives_keeps_equalized_odds_from_passing():
    report = audit(*expand({"a": LARGE, "b": LARGE, "none": (700, 500, 0, 0)}, "g"))
    row = by_metric(report).loc["equalized_odds_difference"]
    assert (row.status, row.estimate, row.high_all_groups) == ("inconclusive", 0, 1)
    assert row.not_covered == "1 group (0 positives)"


def test_the_ricci_gap_by_race_is_inconclusive_at_the_threshold():
    report = audit(*selections(RICCI))
    row = by_metric(report).loc["demographic_parity_difference"]
    assert row.status == "inconclusive"
    assert row.estimate == pytest.approx(41 / 68 - 6 / 23)
    assert row.estimate == pytest.approx(0.342, abs=5e-4)
    assert 0.03 < row.low < 0.04
    assert (row.lowest, row.highest) == ("H", "W")
    ratio = by_metric(report).loc["demographic_parity_ratio"]
    assert ratio.estimate == pytest.approx(0.4327, abs=5e-5)
    assert ratio.status == "inconclusive"
    pair = report.pairs.set_index(["a", "b"]).loc[("H", "W")]
    assert pair.lower == "H"
    fisher = fisher_p(*(np.array(part) for part in ([6, 9], [23, 27], [41, 41], [68, 68])))
    assert fisher == pytest.approx([0.0072, 0.0230], abs=5e-5)


def test_the_ricci_gap_between_white_and_other_fails():
    report = audit(*selections({"white": (68, 41), "other": (50, 15)}))
    rows = by_metric(report)
    assert rows["estimate"].tolist() == pytest.approx([0.3029, 0.4976], abs=5e-5)
    assert statuses(report) == dict.fromkeys(statuses(report), "fail")


def test_odds_fail_by_one_rate_although_the_other_is_undefined():
    report = audit(*expand({"a": (900, 100, 0, 0), "b": (500, 500, 0, 0)}, "g"))
    assert statuses(report)["equalized_odds_difference"] == "fail"
    equal = audit(*expand({"a": (900, 100, 0, 0), "b": (900, 100, 0, 0)}, "g"))
    row = by_metric(equal).loc["equalized_odds_difference"]
    assert (row.status, row.reason) == ("not run", "none of 2 groups has positives; two are needed")


WOULD_FAIL = {(1000, 1000): 0.17, (1000, 200): 0.21, (500, 60): 0.30, (2000, 800, 300, 100, 40): 0.39}


@pytest.mark.parametrize(("sizes", "gap"), WOULD_FAIL.items(), ids=str)
def test_would_fail_is_the_smallest_gap_that_fails(sizes, gap):
    report = audit(*selections({f"g{at}": (n, round(0.3 * n)) for at, n in enumerate(sizes)}))
    row = by_metric(report).loc["demographic_parity_difference"]
    assert row.would_fail == gap
    note = report.findings[0].note
    assert (f"a true gap of {number(gap, 'points')} in that group would have failed" in note) == (
        row.status == "inconclusive"
    )


def test_the_note_says_that_a_sample_could_not_have_passed():
    sizes = (2000, 800, 300, 100, 40)
    report = audit(*selections({f"g{at}": (n, round(0.3 * n)) for at, n in enumerate(sizes)}))
    assert by_metric(report).loc["demographic_parity_difference", "pass_chance"] == 0
    assert "this sample could not have passed, not even with equal rates" in report.findings[0].note
    large = audit(*selections({"a": (1000, 300), "b": (1000, 300)}))
    assert by_metric(large).loc["demographic_parity_difference", "pass_chance"] > 0.99


def test_the_note_says_that_a_group_is_too_small_to_fail():
    report = audit(*selections({"a": (400, 120), "b": (3, 1)}))
    assert np.isnan(by_metric(report).loc["demographic_parity_ratio", "would_fail"])
    assert "no ratio of b (3 rows) could have failed" in report.findings[1].note


@pytest.mark.parametrize("rate", [0.3, 0.7])
def test_more_rows_would_have_failed_smaller_gaps(rate):
    gaps = [
        by_metric(audit(*selections({"a": (n, int(rate * n)), "b": (n, int(rate * n))}), draws=9)).loc[
            "demographic_parity_difference", "would_fail"
        ]
        for n in (40, 100, 400, 2000)
    ]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > gaps[-1] > 0.1  # what fails is more than the threshold


def test_the_disadvantaged_group_is_a_column():
    report = audit(*selections({"a": (100, 20), "b": (100, 60)}), draws=9)
    assert report.disparities["lowest"].tolist() == ["a", "a"]
    assert report.pairs["lower"].tolist() == ["a"]
    tie = audit(*selections({"a": (100, 20), "b": (100, 20)}), draws=9)
    assert tie.disparities["lowest"].isna().all()
    assert tie.pairs["lower"].isna().all()
