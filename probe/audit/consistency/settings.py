"""Checks that the methods ran with the planned settings."""

from collections.abc import Mapping
from math import isclose
from typing import Any

from probe.errors import IntegrityError
from probe.numbers import fraction


def check_same(name: str, ran: Mapping[str, Any], planned: Mapping[str, Any]) -> None:
    """Raise IntegrityError if a method or one of its settings is not the planned one."""
    for key, asked in planned.items():
        if key in ran and not _same(ran[key], asked):
            raise IntegrityError(f"{name} ran with {key} = {ran[key]!r}, and the plan asks for {asked!r}")
    if ran.get("method", "") != planned.get("method", ""):
        raise IntegrityError(f"{name} ran {ran.get('method')!r}")


def _same(one: Any, other: Any) -> bool:
    other = {"method": other} if isinstance(one, dict) and isinstance(other, str) else other
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_same(one[key], other[key]) for key in one.keys() & other.keys())
    try:
        return isclose(float(fraction(str(one))), float(fraction(str(other))), rel_tol=1e-9)
    except (ValueError, ArithmeticError):
        return bool(one == other)
