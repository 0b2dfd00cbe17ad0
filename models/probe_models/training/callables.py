"""Functions that users give: refused before training begins if they cannot be called as they will be."""

from inspect import signature
from typing import Any

from probe.conversion import shown
from probe.errors import PlanError


def check_callable(name: str, given: Any, arguments: int, expected: str, *, hint: str = "") -> None:
    """Raise PlanError unless something can be called with that many arguments by position."""
    if not callable(given):
        raise PlanError(f"{name} = {shown(given)}, expected {expected}{hint}")
    try:
        taken = signature(given)
    except ValueError:  # a function without a visible signature
        return
    try:
        taken.bind(*[None] * arguments)
    except TypeError:
        raise PlanError(f"{name}= takes {taken}, expected {expected}") from None
