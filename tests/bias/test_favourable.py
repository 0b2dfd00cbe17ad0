"""Which outcome is the favourable one, said by somebody or assumed, and in every table and text."""

import numpy as np
import pandas as pd
import pytest

from probe.bias import Favourable, audit
from probe.errors import DataError
from tests.bias.conftest import COMPAS_RACE, expand

TABLES = ("groups", "disparities", "pairs", "small_groups")
CODES = {
    "text": ("no", "yes", "yes"), "signs": (-1, 1, 1), "one and two": (1, 2, 2), "floats": (1.0, 2.0, 2),
    "truth in text": ("False", "True", "True"), "digits in text": ("0", "1", "1"), "bools": (False, True, True),
    "named as text": (0, 1, "1"), "named as a bool": (0, 1, True), "text of a bool": (False, True, "true"),
}  # fmt: skip


@pytest.fixture(scope="module")
def of_ones(random_rows):
    return audit(*random_rows, favourable=1, draws=9)


@pytest.mark.slow
@pytest.mark.parametrize(("other", "one", "favourable"), CODES.values(), ids=CODES)
def test_the_coding_of_outcomes_does_not_matter_once_the_favourable_one_is_named(
    other, one, favourable, random_rows, of_ones
):
    labels, predictions, groups = random_rows
    coded = [[one if value else other for value in values] for values in (labels, predictions)]
    for kind in (list, pd.Series, np.array):
        report = audit(*map(kind, coded), groups, favourable=favourable, draws=9)
        assert report.favourable == Favourable(str(favourable))
        for name in TABLES:
            found, wanted = (getattr(r, name).drop(columns="favourable") for r in (report, of_ones))
            pd.testing.assert_frame_equal(found, wanted)


def test_class_0_may_be_the_favourable_outcome(random_rows):
    labels, predictions, groups = random_rows
    swapped = audit(1 - labels, 1 - predictions, groups, favourable=1, draws=9)
    named = audit(labels, predictions, groups, favourable=0, draws=9)
    pd.testing.assert_frame_equal(
        swapped.disparities.drop(columns="favourable"), named.disparities.drop(columns="favourable")
    )


def test_an_unnamed_favourable_outcome_is_reported_as_assumed(random_rows):
    report = audit(*random_rows, draws=9)
    assert report.favourable == Favourable("1", assumed=True)
    assert report.notices[0] == "no favourable outcome was named; 1 is assumed"
    ran = [f for f in report.findings if f.estimate is not None]
    assert all("no favourable outcome was named; 1 is assumed" in f.note for f in ran)
    assert all("favourable outcome: 1 (assumed)" in f.method for f in ran)
    for name in TABLES:
        assert set(getattr(report, name)["favourable"]) == {"1 (assumed)"}


def test_the_favourable_outcome_is_named_in_every_table_and_finding(random_rows):
    labels, predictions, groups = random_rows
    report = audit(*(np.where(v, "hired", "rejected") for v in (labels, predictions)), groups, favourable="hired")
    assert report.notices == []
    for name in TABLES:
        assert set(getattr(report, name)["favourable"]) == {"hired"}
    ran = [f for f in report.findings if f.estimate is not None]
    assert all("favourable outcome: hired;" in f.method and "assumed" not in f.note for f in ran)


@pytest.mark.parametrize(
    ("labels", "favourable", "message"),
    [
        (["yes", "no", "maybe", "no"], "yes", "one of them favourable='yes', but hold 'maybe', 'no', 'yes'"),
        (["yes", "no", "Yes", "no"], "yes", "hold 'Yes', 'no', 'yes'; recode them"),
        (["yes", "no", "yes", "no"], "Yes", "favourable='Yes', but hold 'no', 'yes'"),
        (["yes", "no", None, "no"], "yes", "labels has 1 missing value"),
        (["yes", "no", "", "no"], "yes", "labels has 1 missing value"),
        ([0.2, 0.7, 0.4, 1.0], 1, "must hold two values"),
        ([1, 2, 2, 1], True, "one of them favourable='True', but hold '1', '2'; recode"),
        ([["a"], ["b"], ["a"], ["b"]], "yes", "one-dimensional"),
        ([-1, 1, 1, -1], None, "hold '-1', '1', not the numbers 0 and 1; name the favourable value: favourable='1'"),
        (["yes", "no", "yes", "no"], None, "hold 'no', 'yes', not the numbers 0 and 1; name the favourable value"),
        (["yes", "No", "yes", "No"], None, "must hold two values, such as 0 and 1, but hold 'No', 'no', 'yes'; recode"),
    ],
)  # fmt: skip
def test_outcomes_that_are_not_two_are_refused(labels, favourable, message):
    predictions = ["yes", "no"] * 2 if labels[0] == "yes" else labels
    with pytest.raises(DataError, match=message):
        audit(labels, predictions, pd.DataFrame({"g": list("aabb")}), favourable=favourable)


def test_rates_exist_even_if_no_row_has_the_favourable_outcome():
    report = audit(None, ["no"] * 80, pd.DataFrame({"g": list("ab") * 40}), favourable="yes", draws=9)
    assert report.groups["selected"].tolist() == [0, 0]


def test_compas_rates_of_predicted_low_risk_are_reproduced():
    """ProPublica codes 1 as high risk. To be thought a low one is what people would rather be."""
    labels, predictions, groups = expand(COMPAS_RACE, "race")
    report = audit(labels, predictions, groups, favourable=0)
    ratio = report.disparities.set_index("metric").loc["demographic_parity_ratio"]
    assert ratio.estimate == pytest.approx(0.520964, abs=5e-7)
    assert (ratio.lowest, ratio.highest, ratio.favourable) == ("African-American", "Other", "0")
    two = {name: COMPAS_RACE[name] for name in ("African-American", "Caucasian")}
    pair = audit(*expand(two, "race"), favourable=0).disparities.set_index("metric")
    assert pair.loc["demographic_parity_ratio", "estimate"] == pytest.approx(0.631593, abs=5e-7)
    high = audit(labels, predictions, groups, favourable=1).disparities.set_index("metric")
    assert high.loc["demographic_parity_ratio", "estimate"] == pytest.approx(0.356253, abs=5e-7)


def test_equal_opportunity_of_compas_is_over_people_of_low_risk():
    labels, predictions, groups = expand(COMPAS_RACE, "race")
    pairs = audit(labels, predictions, groups, favourable=0).pairs.set_index(["a", "b", "metric"])
    row = pairs.loc[("African-American", "Caucasian", "tpr")]
    assert row.difference == pytest.approx(-0.213925, abs=5e-7)
    assert row.lower == "African-American"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8"])
def test_a_favourable_number_is_found_in_any_dtype(dtype):
    groups = pd.DataFrame({"sex": ["F", "M"] * 10})
    report = audit(None, np.array([1, 2, 2, 2] * 5, dtype=dtype), groups, favourable=2)
    assert report.favourable.value == "2"
    assert report.groups.set_index("group")["selection_rate"].to_dict() == {"F": 0.5, "M": 1.0}
