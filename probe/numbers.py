"""Numbers as written: 8/255, 0.1, 40."""

import math
import re
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING, Any

LONGEST = 100  # maximum characters of a number; reading time grows with the square
UNITS = {
    "px": Fraction(1, 255),
    "sd": Fraction(1),
}  # of radii, in units of the space's scale; `units` tells where they hold
WIDEST = 400  # maximum exponent; floats end near 308, and 1e400000000 would fill the memory


class BelowLevel(ValueError):
    """A radius in levels of a pixel that is less than one; the text says what to write."""


class Written(float):
    """A number that remembers how it was written, such as 4/255, and prints that way."""

    text: str

    def __new__(cls, value: float, text: str) -> "Written":
        number = super().__new__(cls, value)
        number.text = text
        return number

    def __reduce__(self) -> tuple[type["Written"], tuple[float, str]]:
        return Written, (float(self), self.text)

    def __repr__(self) -> str:
        return repr(self.text)

    def __str__(self) -> str:
        return self.text

    def __format__(self, specification: str) -> str:
        return format(float(self), specification) if specification else self.text


if TYPE_CHECKING:

    class Number:
        """A setting given as a number or its text, and read as a float."""

        def __get__(self, owner: object, kind: Any) -> float: ...

        # Any stands for the text of a number, or what `exact` reads: mypy takes this type for that of reading, too,
        # in a class that inherits the setting.
        def __set__(self, owner: object, value: float | Any) -> None: ...

else:
    Number = float


def unit_of(amount: object) -> str:
    """The unit that a radius was written with, px or sd; empty if it has none."""
    text = amount.text if isinstance(amount, Written) else amount
    if not isinstance(text, str):
        return ""
    return next((unit for unit in UNITS if text.rstrip().endswith(unit)), "")


def fraction(text: str) -> Fraction:
    """The exact value of a number in text, such as 8/255 or 1e-3, and of a radius with its unit, such as 2 px.

    Raises:
        BelowLevel: if it is between 0 and 1 px: 8/255 px is nearly always meant as 8 px, which is 8/255.
        ValueError: if it is not a number, or far outside the range of floats.
    """
    unit = unit_of(text)
    if not unit:
        return _bare(text)
    bare = text.rstrip().removesuffix(unit).strip()
    number = _bare(bare)
    if unit == "px" and 0 < number < 1:
        levels = number * 255
        shown = levels if levels.denominator == 1 else f"{float(levels):.4g}"
        raise BelowLevel(f"at least 1 px, one level of 255; write '{shown} px' or {bare!r}, which are the same")
    return number * UNITS[unit]


def _bare(text: str) -> Fraction:
    text = text.strip()
    exponents = re.findall(r"[eE][+-]?(\d+)", text[: LONGEST + 1].replace("_", ""))
    if len(text) > LONGEST or any(int(exponent) > WIDEST for exponent in exponents):
        raise ValueError(f"{text[:20]}... is no number of ordinary size")
    try:
        return Fraction(text)
    except ZeroDivisionError:
        raise ValueError(f"{text} divides by zero") from None


def exact(value: Any) -> int | float | Fraction:
    """The exact value of a number or of its text; integers are never rounded to floats.

    Raises:
        ValueError: if it is not a finite number. True and False are not numbers.
    """
    if getattr(value, "shape", None) == ():  # a number in a tensor or an array
        try:
            value = value.item()
        except RuntimeError:
            raise ValueError("a tensor on the meta device holds no number") from None
    if isinstance(value, str):
        return fraction(value)
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise ValueError(f"{type(value).__name__} is no number")
    if isinstance(value, int | Fraction):
        return value
    if not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return float(value)


def written(text: str) -> float:
    """The number in a text; it keeps its text if Python would print it differently."""
    text, value = text.strip(), float(fraction(text))
    return value if text == repr(value) else Written(value, text)


def as_written(config: dict[str, Any]) -> dict[str, Any]:
    """Settings for a file: each number that was given as text is that text again."""
    return {key: _as_written(value) for key, value in config.items()}


def _as_written(value: Any) -> Any:
    if isinstance(value, dict):
        return as_written(value)
    if isinstance(value, list):
        return [_as_written(each) for each in value]
    return value.text if isinstance(value, Written) else value
