"""Numbers are written one way everywhere."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.formatting import MINUS, estimate, interval, number

NUMBERS = st.floats(-1e4, 1e4, allow_nan=False)
UNITS = st.sampled_from(["share", "points", "number", "signed"])


def value(text):
    """The number that a text stands for, without its unit."""
    return float(re.sub(r"[^\d.e+-]", "", text.replace(MINUS, "-")))


@given(NUMBERS, NUMBERS, UNITS)
def test_the_ends_of_an_interval_are_the_numbers_that_stand_alone(low, high, unit):
    for end, alone in zip(interval(low, high, unit).split(" to "), (low, high), strict=True):
        assert value(end) == value(number(alone, unit))


@given(st.floats(0.1, 0.99), st.floats(0.1, 0.99), st.floats(0.1, 0.99), st.sampled_from(["number", "signed"]))
def test_an_estimate_and_both_ends_of_its_interval_have_as_many_decimals(middle, low, high, unit):
    written = estimate(middle, low, high, unit)
    parts = [written.value, *written.ends.split(" to ")]
    assert len({len(part.partition(".")[2]) for part in parts}) == 1, written


@given(NUMBERS, NUMBERS, NUMBERS, UNITS)
def test_zeros_are_added_up_to_three_significant_digits_only(middle, low, high, unit):
    for part in (estimate(middle, low, high, unit)).ends.split(" to "):
        digits = re.sub(r"[^\d]", "", part.partition("e")[0])
        assert unit in ("share", "points") or not digits.strip("0") or len(digits.lstrip("0")) <= 3, part


@pytest.mark.parametrize("unit", ["share", "points", "number", "signed"])
def test_what_is_rounded_to_zero_has_no_sign(unit):
    assert MINUS not in number(-0.0, unit)
    assert number(-0.0, unit) == number(0.0, unit)
    assert MINUS not in number(-0.0003, "points")


@pytest.mark.parametrize(
    ("ends", "written"),
    [((0.9212, 0.93), "0.921 to 0.930"), ((0.62, 1.05), "0.62 to 1.05"), ((0, 0.4), "0.0 to 0.4"), ((1, 2), "1 to 2")],
)
def test_both_ends_of_an_interval_show_what_they_were_rounded_to(ends, written):
    assert interval(*ends) == written
