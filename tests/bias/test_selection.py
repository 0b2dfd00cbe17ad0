"""Decisions without labels: who is selected, and nothing about who should have been."""

import numpy as np
import pandas as pd
import pytest

from probe.bias import audit
from probe.errors import DataError
from tests.bias.conftest import expand

# New York City's example of scoring: above the median of all, of so many.
SCORING = {
    "Hispanic": (18, 28, 1.000), "White": (15, 40, 0.583), "Black": (16, 32, 0.778), "Pacific": (5, 8, 0.972),
    "Asian": (10, 24, 0.648), "Native": (10, 16, 0.972), "Two or more": (10, 20, 0.778),
}  # fmt: skip


def test_without_labels_selection_is_compared_as_with_them(random_rows):
    labels, predictions, groups = random_rows
    alone, beside = (audit(y, predictions, groups, draws=99) for y in (None, labels))
    assert set(alone.disparities["metric"]) == {"demographic_parity_difference", "demographic_parity_ratio"}
    kept = beside.disparities[beside.disparities["metric"].str.startswith("demographic")].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.disparities, kept)
    columns = ["group", "n", "selection_rate", "selection_rate_low", "impact_ratio", "impact_ratio_high"]
    pd.testing.assert_frame_equal(alone.groups[columns], beside.groups[columns])
    assert set(alone.pairs["metric"]) == {"selection_rate"}


def test_without_labels_only_selection_is_compared_and_a_notice_says_so(random_rows):
    _, predictions, groups = random_rows
    report = audit(None, predictions, groups, draws=9)
    assert not {"tn", "fp", "fn", "tp", "tpr", "fpr", "ppv", "accuracy"} & set(report.groups.columns)
    assert not any("odds" in finding.check for finding in report.findings)
    assert "there are no labels: selection rates are compared, errors (equalized odds) are not" in report.notices
    assert (report.groups["selected"] <= report.groups["n"]).all()


def test_scores_without_labels_are_refused(random_rows):
    _, predictions, groups = random_rows
    with pytest.raises(DataError, match="scores were given without labels"):
        audit(None, predictions, groups, np.linspace(0, 1, 600))


def test_a_rule_whose_reference_is_the_most_selected_group_of_any_size():
    _, selected, groups = expand({name: (n - k, k, 0, 0) for name, (k, n, _) in SCORING.items()}, "race")
    table = audit(None, selected, groups, min_group_size=1, draws=9).groups.set_index("group")
    for name, (_, _, ratio) in SCORING.items():
        assert table.loc[name, "impact_ratio"] == pytest.approx(ratio, abs=6e-4)
    assert set(table["reference"]) == {"Hispanic"}
    trusted = audit(None, selected, groups, draws=9).groups.set_index("group")
    assert trusted.loc["Hispanic", "impact_ratio"] == pytest.approx(1.286, abs=5e-4)
    assert set(trusted["reference"]) == {"Black"}
