"""Checks that the methods ran with the planned settings."""

from collections.abc import Mapping, Sequence
from math import isclose
from typing import Any

from probe.errors import IntegrityError
from probe.numbers import fraction


def check_same(name: str, ran: Mapping[str, Any], planned: Mapping[str, Any], without: Sequence[str] = ()) -> None:
    """Raise IntegrityError if a method or one of its settings is not the planned one, or is not told.

    Args:
        name: what ran.
        ran: the settings with which it ran.
        planned: those of the plan.
        without: planned settings that are not told again.
    """
    for key, asked in planned.items():
        if key not in ran and key not in without:
            raise IntegrityError(f"{name} does not say with which {key} it ran, and the plan asks for {asked!r}")
        if key in ran and not _same(ran[key], asked):
            raise IntegrityError(f"{name} ran with {key} = {ran[key]!r}, and the plan asks for {asked!r}")
    if ran.get("method", "") != planned.get("method", ""):
        raise IntegrityError(f"{name} ran {ran.get('method')!r}")


def _same(one: Any, other: Any) -> bool:
    other = {"method": other} if isinstance(one, dict) and isinstance(other, str) else other
    if isinstance(one, dict) and isinstance(other, dict):
        return all(key in one and _same(one[key], other[key]) for key in other)
    try:
        return isclose(float(fraction(str(one))), float(fraction(str(other))), rel_tol=1e-9)
    except (ValueError, ArithmeticError):
        return bool(one == other)
