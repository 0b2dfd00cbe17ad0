"""The five outcomes of a check: how each is shown, in the order in which a reader needs them."""

from typing import NamedTuple


class Look(NamedTuple):
    """How a status is shown: never by its colour alone."""

    sign: str
    word: str
    colour: str  # by name, for those who have a theme
    light: str  # text on a light page
    dark: str  # text on a dark page


STATUSES = {
    "fail": Look("✕", "Fail", "orange", "#A84300", "#FFA65C"),
    "error": Look("!", "Error", "orange", "#57606A", "#B4BCC6"),
    "inconclusive": Look("?", "Inconclusive", "grey", "#57606A", "#B4BCC6"),
    "not run": Look("\N{EN DASH}", "Not run", "grey", "#57606A", "#B4BCC6"),
    "pass": Look("✓", "Pass", "blue", "#00609A", "#7CC4F0"),
}
UNKNOWN = Look("!", "Unknown status", "orange", "#57606A", "#B4BCC6")


def look(status: str) -> Look:
    """How a status is shown; what is none of the five says so.

    >>> look("pass").sign
    '✓'
    >>> look("splendid").word
    'Unknown status'
    """
    return STATUSES.get(status, UNKNOWN)


def urgency(status: str) -> int:
    """Where a status stands in a list whose first need a reader most; what is none of the five comes before all."""
    return list(STATUSES).index(status) if status in STATUSES else -1
