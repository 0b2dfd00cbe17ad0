"""Bad input is refused in one sentence that says what was expected, what came and what to do."""

import numpy as np
import pandas as pd
import pytest

from probe.bias import audit
from probe.bias.validation import attributes, probabilities
from probe.errors import DataError, PlanError, RangeError

GROUPS = pd.DataFrame({"g": list("aabb")})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2, 1], "must hold two values, such as 0 and 1, but hold '0', '1', '2'; recode"),
        ([0, 1, -1, 1], "but hold '-1', '0', '1'"),
        ([0.2, 0.7, 0.4, 1.0], "but hold '0', '0.2', '0.4', '0.7', '1'; recode or threshold them, or compare numbers"),
        ([0, 1, None, 1], "labels has 1 missing value"),
        (np.array([0, 1, np.nan, np.nan]), "labels has 2 missing value"),
        (pd.Series([0, 1, pd.NA, 1], dtype="Int64"), "missing value"),
        (
            ["0", "1", "0", "1"],
            "hold '0', '1', not the numbers 0 and 1; name the favourable value: favourable='1', or --favourable '1'",
        ),
        (np.zeros((4, 1), dtype=int), r"one-dimensional, but has shape \(4, 1\)"),
        ([[0, 1], [1, 0]], "one-dimensional"),
        ([0, 1, 1], "predictions has 4; give one entry per row|labels has 3 rows"),
        ([0, 1j, 1, 0], "must hold two values"),
    ],
)
def test_invalid_labels_are_refused_by_the_bias_audit(labels, message):
    with pytest.raises(DataError, match=message):
        audit(labels, [0, 1, 0, 1], GROUPS)


def test_input_without_rows_is_refused():
    with pytest.raises(DataError, match="labels is empty"):
        audit([], [], GROUPS.iloc[:0])


def test_predictions_that_are_invalid_are_refused_by_name():
    with pytest.raises(DataError, match="predictions must hold two values"):
        audit([0, 1, 0, 1], [0, 1, 5, 1], GROUPS)


def test_groups_and_labels_with_different_indices_are_refused():
    labels = pd.Series([0, 1, 0, 1], index=[3, 2, 1, 0])
    with pytest.raises(DataError, match=r"index of groups differs from that of labels.*align them"):
        audit(labels, [0, 1, 0, 1], GROUPS)
    audit(labels, [0, 1, 0, 1], GROUPS.set_axis(labels.index), draws=9)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (pd.DataFrame(index=range(4)), "no columns"),
        (pd.DataFrame([list("ab")] * 4, columns=["g", "g"]), "two columns called 'g'"),
        (pd.DataFrame([list("ab")] * 4, columns=["g", "g "]), "two columns that look the same, 'g' and 'g '"),
        (pd.DataFrame({"g": [1, "1", 2, 2]}), "different groups that both read '1'"),
        (pd.DataFrame({"g": [["a"], ["b"], ["a"], ["b"]]}), "cannot be hashed"),
        (pd.DataFrame({"a": list("xxyy"), "b": list("xyxy"), "a x b": list("xyxy")}), "both called 'a x b'"),
        (pd.DataFrame({"a": ["p & q", "p", "r", "r"], "b": ["s", "q & s", "s", "s"]}), "both read 'p & q & s'"),
    ],
)
def test_invalid_groups_are_refused_by_the_bias_audit(groups, message):
    with pytest.raises(DataError, match=message):
        audit([0, 1, 0, 1], [0, 1, 0, 1], groups)


@pytest.mark.parametrize("groups", [["a", "b"], {"g": ["a"]}, pd.Series(["a"])], ids=lambda g: type(g).__name__)
def test_groups_must_be_a_frame(groups):
    with pytest.raises(DataError, match="must be a DataFrame with a column per attribute"):
        attributes(groups)


def test_a_column_of_identifiers_is_not_compared():
    rows = np.arange(300)
    report = audit(rows % 2, rows % 2, pd.DataFrame({"id": rows}))
    assert {finding.status for finding in report.findings} == {"not run"}
    assert report.groups.empty
    assert report.pairs.empty


@pytest.mark.parametrize(("scores", "message"), [([0.1, 1.2], "span .0.1, 1.2."), ([0.1, np.nan], "1 missing")])
def test_invalid_scores_are_refused_by_the_bias_audit(scores, message):
    with pytest.raises(DataError, match=message):
        probabilities(scores, "scores")


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({"thresholds": {"accuracy": 0.1}}, PlanError, "no threshold is called 'accuracy'"),
        ({"thresholds": {"demographic_parity_ratio": 80.0}}, RangeError, "outside .0, 1."),
        ({"level": 95.0}, RangeError, "level = 95.0, expected a number above 0 and below 1"),
        ({"min_group_size": 0}, RangeError, "min_group_size = 0, expected a whole number of at least 1"),
        ({"draws": 0}, RangeError, "draws = 0, expected a whole number of at least 1"),
        ({"order": 0}, RangeError, "order = 0, expected a whole number of at least 1"),
    ],
)
def test_invalid_settings_are_refused_by_the_bias_audit(setting, error, message):
    with pytest.raises(error, match=message):
        audit([0, 1, 0, 1], [0, 1, 0, 1], GROUPS, **setting)
