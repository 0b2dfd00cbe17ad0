"""The five statuses of a check and how each is shown, most urgent first."""

from typing import NamedTuple


class Look(NamedTuple):
    """The look of a status, never by colour alone."""

    sign: str
    word: str
    colour: str  # colour name, for themed output
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
    """The look of a status; an unknown one is shown as such.

    >>> look("pass").sign
    '✓'
    >>> look("splendid").word
    'Unknown status'
    """
    return STATUSES.get(status, UNKNOWN)


def urgency(status: str) -> int:
    """The sort key of a status, most urgent first; an unknown one comes before all."""
    return list(STATUSES).index(status) if status in STATUSES else -1
