"""Numbers and names as the report writes them; what is not defined says so."""

import unicodedata
from math import isfinite
from typing import Any, Literal, NamedTuple

from probe.plots.style import MINUS

Unit = Literal["share", "points", "number", "signed"]  # 94.3 %, 5.1 pp, 0.353, +0.068


class Measured(NamedTuple):
    """A number and its interval, as written."""

    value: str
    ends: str


UNDEFINED = "undefined"
_THIN = "\N{NARROW NO-BREAK SPACE}"
_JOINERS = "\u200c\u200d"  # invisible, and part of how many scripts are written


def shown(text: str, longest: int = 600) -> str:
    """Foreign text in one piece: control and direction characters made visible, and cut where it swamps the page."""
    if len(text) > longest:
        text = f"{text[: longest // 2]} … ({len(text):,} characters) … {text[-min(40, longest // 4) :]}"
    return "".join(c if _harmless(c) else f"⟨U+{ord(c):04X}⟩" for c in text)


def _harmless(character: str) -> bool:
    return unicodedata.category(character)[0] != "C" or character in _JOINERS or character == "\n"


def unit_of(finding: dict[str, Any]) -> Unit:
    """The unit that a finding's estimate is written in."""
    check, lens = finding["check"], finding["lens"]
    if lens == "explanation":
        return "share" if check.endswith("adds up") else "signed"
    if lens == "bias":
        return "number" if " ratio " in check else "points"
    return "points" if check == "calibration error" else "share"


def number(value: Any, unit: Unit = "number") -> str:
    """A number with its unit: one decimal of a percent, three significant digits of anything else."""
    if not defined(value):
        return UNDEFINED
    bare = _bare(float(value), unit)
    return bare + {"share": f"{_THIN}%", "points": f"{_THIN}pp"}.get(unit, "")


def interval(low: Any, high: Any, unit: Unit = "number") -> str:
    """Both ends of an interval; nothing where there is none."""
    if not (defined(low) and defined(high)):
        return ""
    return f"{_bare(float(low), unit)} to {number(high, unit)}"


def estimate(value: Any, low: Any, high: Any, unit: Unit = "number") -> Measured:
    """A number and its interval."""
    return Measured(number(value, unit), interval(low, high, unit) if defined(value) else "")


def threshold(value: Any, direction: str, unit: Unit = "number") -> str:
    """What was asked for, with its direction; nothing where nothing was."""
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
    """A whole number with commas."""
    return f"{int(value):,}" if defined(value) else ""


def duration(seconds: Any) -> str:
    """Seconds, or minutes where there are many."""
    if not defined(seconds):
        return UNDEFINED
    return f"{seconds:.3g}{_THIN}s" if seconds < 600 else f"{seconds / 60:.3g}{_THIN}min"


def moment(iso: Any) -> str:
    """A time of a manifest, in UTC and to the minute."""
    text = str(iso or "")
    return f"{text[:10]} {text[11:16]} UTC" if text[10:11] == "T" and text.endswith("+00:00") else text


def words(name: str) -> str:
    """A name of the code as words."""
    return name.replace("_", " ")


def defined(value: Any) -> bool:
    """Whether this is a number that can be shown."""
    return value is not None and not isinstance(value, str) and isfinite(value)


def _bare(value: float, unit: Unit) -> str:
    if unit == "share" and 0 < value < 0.0005:
        text = "< 0.1"
    elif unit == "share" and 0.9995 <= value < 1:
        text = "> 99.9"
    elif unit in ("share", "points"):
        text = f"{100 * value:.1f}"
    elif unit == "signed":
        text = f"{value:+.3g}" if abs(value) >= 0.0005 else "0"
    else:
        text = f"{value:.3g}"
    return text.replace("-", MINUS)
