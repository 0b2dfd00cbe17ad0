"""Groups that are likely one, and spellings that likely stand for none."""

import unicodedata

import numpy as np
import pandas as pd
import pytest

from probe.bias import audit
from probe.errors import DataError
from probe.names import UNKNOWN

E_ACUTE = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
VARIANTS = {
    "case": ("Male", "male"), "space after": ("Male", "Male "), "space before": ("Male", " Male"),
    "no-break space": ("a", "a\u00a0"), "composed": E_ACUTE, "full width": ("\uff21", "A"), "tab": ("a b", "a\tb"),
    "two spaces": ("a b", "a  b"), "zero width": ("ab", "a\u200bb"), "sharp s": ("STRASSE", "straße"),
}  # fmt: skip


def rows(*names, each=40):
    groups = pd.DataFrame({"sex": np.repeat(np.array(names, dtype=object), each)})
    predictions = np.arange(len(groups)) % 2
    return None, predictions, groups


@pytest.mark.parametrize("spellings", VARIANTS.values(), ids=VARIANTS)
def test_two_spellings_of_a_group_are_refused_or_merged(spellings):
    with pytest.raises(
        DataError, match=r"'sex' spells what may be one group in 2 ways: .*40 rows.*40 rows.*merge_spellings"
    ):
        audit(*rows(*spellings, "other"))
    merged = audit(*rows(*spellings, "other"), merge_spellings=True, draws=9)
    assert merged.groups["n"].tolist() in ([80, 40], [40, 80])
    assert "merged as" in merged.row_accounting.loc[0, "notice"]


def test_the_refusal_names_every_spelling_with_its_count():
    groups = pd.DataFrame({"sex": ["Male"] * 50 + ["Male "] * 3 + ["male"] + ["Female"] * 46})
    with pytest.raises(
        DataError, match=r"in 3 ways: 'Male' \(50 rows\) and 'Male ' \(3 rows\) and 'male' \(1 row\); spell"
    ):
        audit(None, np.arange(100) % 2, groups)
    merged = audit(None, np.arange(100) % 2, groups, merge_spellings=True, draws=9)
    assert dict(zip(merged.groups["group"], merged.groups["n"], strict=True)) == {"Female": 46, "Male": 54}
    assert "merged as 'Male': 'Male' (50 rows) and 'Male ' (3 rows) and 'male' (1 row)" in merged.notices[-1]


def test_the_refusal_shows_the_difference_of_spellings_that_print_alike():
    with pytest.raises(DataError, match=r"'\\xe9' \(40 rows\)") as refused:
        audit(*rows(*E_ACUTE))
    assert r"'e\u0301' (40 rows)" in str(refused.value)


def test_similar_names_are_separate_groups():
    assert len(audit(*rows("Male", "Males", "Fe male", "Mále"), draws=9).groups) == 4


def test_only_an_empty_text_is_unknown_and_what_reads_like_one_is_counted():
    report = audit(*rows("a", "b", "", "?", " ", "NA"), draws=9)
    row_accounting = report.row_accounting.loc[0]
    assert (
        row_accounting["rows"],
        row_accounting["used"],
        row_accounting["unknown"],
        row_accounting["like_unknown"],
    ) == (240, 200, 40, 120)
    said = "reads like an unknown and is compared as a group: ' ' (40 rows), '?' (40 rows), 'NA' (40 rows)"
    assert row_accounting["notice"] == said
    assert f"sex: {said}" in report.notices
    assert report.groups["group"].tolist() == [" ", "?", "NA", "a", "b"]


def test_rows_that_read_like_an_unknown_are_counted_in_intersections_too():
    labels, predictions, groups = rows("a", "b", "?", "c")
    report = audit(labels, predictions, groups.assign(age=["x", "-", "y", "y"] * 40), draws=9)
    counted = report.row_accounting.set_index("attribute")["like_unknown"].to_dict()
    assert counted == {"sex": 40, "age": 40, "sex x age": 40 + 30}


def test_every_listed_spelling_is_seen_in_any_case_and_between_spaces():
    listed = sorted(UNKNOWN - {""})
    assert len(listed) > 20
    for spelt in (listed, [f" {spelling.upper()} " for spelling in listed]):
        found = audit(*rows("a", *spelt, each=3), draws=9).row_accounting.loc[0, "like_unknown"]
        assert found == 3 * len(listed), spelt


def test_spellings_that_are_listed_as_missing_are_unknown():
    report = audit(*rows("a", "b", "?", "NA"), missing=["?"], draws=9)
    row_accounting = report.row_accounting.loc[0]
    assert (row_accounting["unknown"], row_accounting["like_unknown"]) == (40, 40)
    assert report.groups["group"].tolist() == ["NA", "a", "b"]


def test_blanks_of_different_kinds_are_unknowns_and_not_spellings_of_one_name():
    report = audit(*rows("a", " ", "\t", "\u00a0"), draws=9)
    assert (report.row_accounting.loc[0, "like_unknown"], len(report.groups)) == (120, 4)


def test_a_missing_value_of_any_kind_is_unknown():
    groups = pd.DataFrame({"sex": ["a", "b", None, np.nan, pd.NA, pd.NaT, "", "a"]}, dtype=object)
    assert audit(None, [0, 1] * 4, groups, draws=9).row_accounting.loc[0, "unknown"] == 5


def test_a_group_column_of_many_numbers_suggests_binning():
    generator = np.random.default_rng(0)
    age = generator.integers(18, 70, size=2000)
    report = audit(None, generator.integers(2, size=2000), pd.DataFrame({"age": age}), draws=9)
    assert "age: 52 distinct numbers, each compared as a group of its own" in report.notices[-1]
    few = audit(None, generator.integers(2, size=2000), pd.DataFrame({"age": age // 10}), draws=9)
    assert not any("distinct numbers" in notice for notice in few.notices)


def test_whole_numbers_beside_a_missing_value_are_named_as_whole_numbers():
    groups = pd.DataFrame({"site": [1, 2] * 40 + [None]})
    assert str(groups["site"].dtype) == "float64"
    report = audit(None, np.arange(81) % 2, groups, draws=9)
    assert report.groups["group"].tolist() == ["1", "2"]
    assert report.groups.index.tolist() == [0, 1]


def test_rows_of_a_report_are_numbered_over_all_attributes():
    groups = pd.DataFrame({"site": ["a", "b"] * 40, "sex": ["f", "f", "m", "m"] * 20})
    report = audit(None, np.arange(80) % 2, groups, draws=9)
    assert report.groups.index.tolist() == list(range(len(report.groups)))
