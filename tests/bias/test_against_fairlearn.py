"""fairlearn computes the same rates and gaps from the same rows."""

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn
from numpy.testing import assert_allclose

from probe.bias import audit


@pytest.mark.parametrize("columns", [["sex"], ["race"], ["sex", "race"]], ids=" x ".join)
def test_rates_and_gaps_equal_those_of_fairlearn(columns, random_rows):
    labels, predictions, groups = random_rows
    report = audit(labels, predictions, groups, min_group_size=1)
    measures = {
        "n": fairlearn.count, "selection_rate": fairlearn.selection_rate,
        "tpr": fairlearn.true_positive_rate, "fpr": fairlearn.false_positive_rate,
    }  # fmt: skip
    frame = fairlearn.MetricFrame(
        metrics=measures, y_true=labels, y_pred=predictions, sensitive_features=groups[columns]
    )
    attribute = " x ".join(columns)
    ours = report.groups[report.groups["attribute"] == attribute].set_index("group")
    for key, row in frame.by_group.iterrows():
        name = " & ".join(key) if isinstance(key, tuple) else key
        assert_allclose(ours.loc[name, list(measures)].astype(float), row.astype(float))
    theirs = [
        gap(labels, predictions, sensitive_features=groups[columns])
        for gap in (fairlearn.demographic_parity_difference, fairlearn.demographic_parity_ratio)
    ]
    gaps = report.disparities[report.disparities["attribute"] == attribute]["estimate"].to_numpy()
    assert_allclose(gaps[:2], theirs)
    assert gaps[2] == pytest.approx(
        fairlearn.equalized_odds_difference(labels, predictions, sensitive_features=groups[columns])
    )


def test_a_rate_without_trials_is_undefined_where_fairlearn_says_zero():
    labels, predictions = [0, 0, 1, 0, 1, 1], [0, 0, 1, 1, 0, 1]
    groups = pd.DataFrame({"g": list("aabbbb")})
    theirs = fairlearn.MetricFrame(
        metrics=fairlearn.true_positive_rate, y_true=labels, y_pred=predictions, sensitive_features=groups["g"]
    )
    assert theirs.by_group["a"] == 0
    ours = audit(labels, predictions, groups).groups.set_index("group").loc["a"]
    for name in ("tpr", "ppv"):
        assert np.isnan(ours[[name, f"{name}_low", f"{name}_high"]].astype(float)).all()
    assert ours.fpr == 0
    assert ours.fpr_high > 0.6
