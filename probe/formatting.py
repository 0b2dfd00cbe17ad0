"""Numbers as report, viewer, terminal and notebooks write them, one way for each unit."""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NamedTuple

Unit = Literal["share", "points", "number", "signed"]  # 94.3 %, 5.1 pp, 0.353, +0.068
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
MINUS, TIMES, DASH = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"
UNDEFINED, NOT_MEASURED, NO_INTERVAL = "undefined", "not measured", "no interval"
_THIN = "\N{NARROW NO-BREAK SPACE}"
_SIGNS = {"share": f"{_THIN}%", "points": f"{_THIN}pp"}
_PLAIN = re.compile(rf"[+{MINUS}]?\d+(?:\.(\d+))?")
_LARGEST = 10**15  # from which on a number has a power of ten
# What the values of an explainer add up to, by what it declares as complete.
SUMS: Mapping[str | None, str] = {
    None: "The values have no fixed sum.",
    "baseline": "The values add up to the {output} minus that at the baseline.",
    "references": "The values add up to the {output} minus its mean over the references.",
}


class Measured(NamedTuple):
    """A formatted number and its interval."""

    value: str
    ends: str

    def __str__(self) -> str:
        """Number and interval as one text."""
        none = self.value in (UNDEFINED, NOT_MEASURED)
        return self.value if none else f"{self.value} [{self.ends or NO_INTERVAL}]"


def digits(value: float, many: int = 3) -> str:
    """A number with so many significant digits; one of 1,000 or more is written out, with all digits before the point.

    >>> digits(0.04567), digits(1234.5), digits(1234567.0)
    ('0.0457', '1,234', '1,234,567')
    """
    text = f"{value:.{many}g}"
    if not 1000 <= abs(float(text)) < _LARGEST:
        return text
    decimals = max(0, many - len(str(abs(int(float(text))))))
    whole, _, part = f"{value:,.{decimals}f}".partition(".")
    return f"{whole}.{part}".rstrip("0").rstrip(".") if part else whole


def number(value: Any, unit: Unit = "number") -> str:
    r"""A number with its unit: one decimal of a percent, three significant digits of anything else.

    >>> number(0.25, "points"), number(None)
    ('25.0\u202fpp', 'undefined')
    """
    if not defined(value):
        return UNDEFINED
    return _bare(float(value), unit) + _SIGNS.get(unit, "")


def estimated(value: Any, error: Any) -> str:
    """A signed number with its standard error, or "exact" if that is 0; alone if there is none.

    >>> estimated(0.5, 0.031), estimated(0.5, 0.0), estimated(0.5, None)
    ('+0.5 ± 0.031', '+0.5 (exact)', '+0.5')
    """
    written = number(value, "signed")
    if not defined(error):
        return written
    return f"{written} {PLUS_MINUS} {digits(float(error), 2)}" if error else f"{written} (exact)"


def share(value: Any) -> str:
    r"""A probability or a share in percent; a tiny one is not rounded to 0.

    >>> share(1e-9)
    '< 0.1\u202f%'
    """
    return number(value, "share")


def interval(low: Any, high: Any, unit: Unit = "number") -> str:
    """Both ends of an interval, with as many decimals; empty if there is none.

    >>> interval(0.9212, 0.93)
    '0.921 to 0.930'
    """
    if not (defined(low) and defined(high)):
        return ""
    low, high = _alike([low, high], unit)
    return _between(low, high, unit)


def estimate(value: Any, low: Any, high: Any, unit: Unit = "number") -> Measured:
    """A number and its interval, all with as many decimals.

    >>> str(estimate(0.5, 0.4, 0.6)), str(estimate(0.93, 0.9212, 0.9388))
    ('0.5 [0.4 to 0.6]', '0.930 [0.921 to 0.939]')
    """
    if not all(map(defined, (value, low, high))):
        return Measured(number(value, unit), "")
    middle, low, high = _alike([value, low, high], unit)
    return Measured(middle + _SIGNS.get(unit, ""), _between(low, high, unit))


def threshold(value: Any, direction: str, unit: Unit = "number") -> str:
    """A threshold with its direction; empty if there is none."""
    if not defined(value):
        return ""
    sign = {"at least": "≥", "at most": "≤"}.get(direction, "")
    return f"{sign}{_THIN}{number(value, 'number' if unit == 'signed' and value == 0 else unit)}"


def p_value(value: Any) -> str:
    """A p-value, never rounded to 0."""
    if not defined(value):
        return UNDEFINED
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def count(value: Any) -> str:
    """An integer with thousands separators; empty if there is none."""
    return f"{int(value):,}" if defined(value) else ""


def counted(many: Any, what: str = "row") -> str:
    """A number of rows, or of something else, in words.

    >>> counted(1), counted(16281)
    ('1 row', '16,281 rows')
    """
    return f"{count(many)} {what}{'' if many == 1 else 's'}"


def duration(seconds: Any) -> str:
    """A duration in seconds, or in minutes or hours if it is long."""
    if not defined(seconds):
        return UNDEFINED
    each, unit = (1, "s") if seconds < 600 else (60, "min") if seconds < 36_000 else (3600, "h")
    return f"{digits(seconds / each)}{_THIN}{unit}"


def moment(iso: Any) -> str:
    """A time of a manifest in UTC, to the minute."""
    text = str(iso or "")
    return f"{text[:10]} {text[11:16]} UTC" if text[10:11] == "T" and text.endswith("+00:00") else text


def radius(value: float) -> str:
    """A radius as a short decimal, or in 255ths.

    >>> radius(8 / 255), radius(0.5)
    ('8/255', '0.5')
    """
    whole = value * 255
    short = abs(value - round(value, 3)) < 1e-9
    return digits(value) if short or abs(whole - round(whole)) > 1e-4 else f"{round(whole)}/255"


def in_each_unit(eps: float, level: float | None, scale: Sequence[float]) -> str:
    """A radius of the space's scale, in levels of a pixel, each of which is `level`, and in the inputs' own units.

    `scale` is the least and the largest of the space's, and empty where it is 1 everywhere.

    >>> in_each_unit(8 / 255, 1 / 255, ()), in_each_unit(0.5, None, (4.0, 10.0))
    ('0.03137 = 8 px', '0.5 sd = 2 to 5 in the units of the inputs')
    """
    told = f"{eps:.4g}"
    if level is not None:
        told += f" = {eps / level:.4g} px"
    if scale:
        least, most = eps * scale[0], eps * scale[1]
        told += " sd" if level is None else ""
        told += f" = {least:.4g}{f' to {most:.4g}' if most > least else ''} in the units of the inputs"
    return told


def settings(config: Mapping[str, Any], leave: tuple[str, ...] = ("method",)) -> str:
    """The settings of a method in one line; texts that are empty are left out.

    >>> settings({"method": "pgd", "steps": 40, "eps": 8 / 255})
    'steps = 40, eps = 0.03137'
    """
    return ", ".join(f"{key} = {_setting(value)}" for key, value in config.items() if key not in leave and value != "")


def _setting(value: Any) -> str:
    """The value of a setting; a nested method by name, with its settings in brackets."""
    if isinstance(value, Mapping):
        inside = settings(value)
        return words(str(value.get("method", ""))) + (f" ({inside})" if inside else "")
    return digits(value, 4) if isinstance(value, float) else str(value)


def norm(name: str) -> str:
    r"""The name of a norm as people write it; any other text is as it is.

    >>> norm("linf"), norm("l2"), norm("words")
    ('L\u221e', 'L2', 'words')
    """
    known = {"linf": "L\N{INFINITY}"}
    return known.get(name, name.upper() if re.fullmatch(r"l\d", name) else name)


def words(name: str) -> str:
    """An identifier as words."""
    return name.replace("_", " ")


def defined(value: Any) -> bool:
    """Whether this is a finite number."""
    return value is not None and not isinstance(value, str) and isfinite(value)


def _between(low: str, high: str, unit: Unit) -> str:
    return f"{low} to {high}{_SIGNS.get(unit, '')}"


def _alike(values: Sequence[Any], unit: Unit) -> list[str]:
    """Numbers that stand together: what rounding left off is written as zeros, up to three significant digits."""
    texts = [_bare(float(value), unit) for value in values]
    found = [_PLAIN.fullmatch(text) for text in texts]
    most = max((len(match[1] or "") for match in found if match), default=0)
    return [_padded(text, most) if match else text for text, match in zip(texts, found, strict=True)]


def _padded(text: str, decimals: int) -> str:
    whole, _, part = text.partition(".")
    digits = whole.strip(f"+{MINUS}")
    # A zero has no significant digits; of 0.05 those are counted that follow the zeros.
    zeros = len(part) - len(part.lstrip("0")) if digits == "0" else -len(digits)
    most = decimals if not (digits + part).strip("0") else min(decimals, zeros + 3)
    added = max(0, most - len(part))
    return f"{whole}.{part}{'0' * added}" if added else text


def _bare(value: float, unit: Unit) -> str:
    if unit == "share" and 0 < value < 0.0005:
        text = "< 0.1"
    elif unit == "share" and 0.9995 <= value < 1:
        text = "> 99.9"
    elif unit in ("share", "points"):
        text = f"{100 * value:,.1f}"
    elif unit == "signed":
        text = f"{'+' if value > 0 else ''}{digits(value)}" if abs(value) >= 0.0005 else "0"
    else:
        text = digits(value)
    # A zero has no sign, whatever was rounded to it.
    return text.removeprefix("-").removeprefix("+") if not text.strip("+-0.") else text.replace("-", MINUS)
