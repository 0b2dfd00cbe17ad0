import pytest

from probe.names import in_order, looks_unknown, nearest, number


@pytest.mark.parametrize(("names", "expected"), [
    (["10", "2", "1"], ["1", "2", "10"]),
    (["1", "-1"], ["-1", "1"]),
    (["1.5", "0.5", "10"], ["0.5", "1.5", "10"]),
    (["1", "01", "2"], ["01", "1", "2"]),
    (["1e3", "20", ".5"], [".5", "20", "1e3"]),
    (["10", "2", "x"], ["10", "2", "x"]),
    (["yes", "no", "yes"], ["no", "yes"]),
    (["10000000000000001", "10000000000000000"], ["10000000000000000", "10000000000000001"]),
    (["nan", "2", "10"], ["10", "2", "nan"]),
    (["1_000", "2"], ["1_000", "2"]),
    ([], []),
])  # fmt: skip
def test_numbers_are_in_order_of_their_value_and_other_names_of_their_text(names, expected):
    assert in_order(names) == expected


def test_only_plain_numbers_are_numbers():
    assert number("-0.50") == number("-.5")
    assert [number(text) for text in ("", "inf", "nan", "1,5", " 1", "0x1", "1e99999", "٣")] == [None] * 8


@pytest.mark.parametrize("name", ["None", "NA", "N/A", "null", "NULL", "NaN", "n/a", "#N/A", "<NA>", "?", " ", "-", "Unknown"])  # fmt: skip  # noqa: E501
def test_names_that_suggest_an_unknown_are_reported(name):
    assert looks_unknown(name)


@pytest.mark.parametrize("name", ["0", "no", "North", "Nan Province", "other", "x"])
def test_ordinary_names_are_not_taken_for_unknown(name):
    assert not looks_unknown(name)


@pytest.mark.parametrize(("word", "name"), [
    ("stepz", "steps"), ("stpe", "step"), ("step_size", "step"), ("stepss", "steps"), ("nrom", "norm"),
])  # fmt: skip
def test_the_nearest_name_is_the_one_with_the_fewest_slips(word, name):
    assert nearest(word, ("goal", "eps", "norm", "steps", "restarts", "step")) == f" (did you mean {name!r}?)"
