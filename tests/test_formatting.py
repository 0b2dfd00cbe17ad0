"""Numbers are written one way everywhere."""

import random
import re
from collections.abc import Iterator

import pytest

from probe.formatting import MINUS, digits, duration, estimate, interval, number, radius, settings

UNITS = ["share", "points", "number", "signed"]
DRAWS = 300


def drawn(count: int, low: float, high: float) -> Iterator[list[float]]:
    """Numbers from `low` to `high` of all sizes: whole ones, ones of few digits, and where rounding goes up or down."""
    source = random.Random(0)

    def one() -> float:
        exact = source.choice((low, high, 0.0, source.uniform(low, high), high * 10 ** -source.uniform(0, 12)))
        found = source.choice((exact, round(exact), float(f"{exact:.{source.randint(0, 4)}e}"), round(exact, 3) + 5e-4))
        found *= source.choice((1, 1 - 2e-16, 1 + 3e-16, -1))
        return found if low <= found <= high else exact if low <= exact <= high else low

    for _ in range(DRAWS):
        yield [one() for _ in range(count)]


def value(text):
    """The number that a text stands for, without its unit."""
    return float(re.sub(r"[^\d.e+-]", "", text.replace(MINUS, "-")))


@pytest.mark.parametrize("unit", UNITS)
def test_the_ends_of_an_interval_are_the_numbers_that_stand_alone(unit):
    for ends in drawn(2, -1e4, 1e4):
        for end, alone in zip(interval(*ends, unit).split(" to "), ends, strict=True):
            assert value(end) == value(number(alone, unit)), ends


@pytest.mark.parametrize("unit", ["number", "signed"])
def test_an_estimate_and_both_ends_of_its_interval_have_as_many_decimals(unit):
    for each in drawn(3, 0.1, 0.99):
        written = estimate(*each, unit)
        parts = [written.value, *written.ends.split(" to ")]
        assert len({len(part.partition(".")[2]) for part in parts}) == 1, (each, written)


@pytest.mark.parametrize("unit", ["number", "signed"])
def test_zeros_are_added_up_to_three_significant_digits_only(unit):
    for each in drawn(3, -1e4, 1e4):
        for part in estimate(*each, unit).ends.split(" to "):
            digits = re.sub(r"[^\d.]", "", part.partition("e")[0])
            kept = digits.replace(".", "").lstrip("0")
            assert not kept or len(kept) <= 3 or "." not in digits, (each, part)


@pytest.mark.parametrize("unit", UNITS)
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


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (999.4, "number", "999"),
        (999.7, "number", "1,000"),
        (1234.5, "number", "1,234"),
        (-12_345.6, "number", f"{MINUS}12,346"),
        (1_234_567.0, "signed", "+1,234,567"),
        (12.5, "points", "1,250.0\u202fpp"),
    ],
)
def test_a_number_of_a_thousand_or_more_is_written_out(value, unit, text):
    assert number(value, unit) == text


def test_no_notation_has_a_power_of_ten_where_numbers_are_large():
    for (value,) in drawn(1, 1e3, 9e14):
        written = (number(value), number(-value, "signed"), radius(value), duration(value), settings({"scale": value}))
        said = " ".join((*written, str(estimate(value, value / 2, 2 * value if value < 4e14 else value))))
        assert not re.search(r"\de[+-]?\d", said), said
        assert float(digits(value).replace(",", "")) == pytest.approx(value, rel=0.005)


def test_an_estimate_of_a_thousand_or_more_has_ends_written_alike():
    assert str(estimate(1234.5, 998.2, 1500)) == "1,234 [998 to 1,500]"


def test_a_setting_keeps_four_digits_and_a_long_duration_is_in_hours():
    assert settings({"scale": 12_345.6, "eps": 8 / 255}) == "scale = 12,346, eps = 0.03137"
    assert duration(90_000) == "25\u202fh"
