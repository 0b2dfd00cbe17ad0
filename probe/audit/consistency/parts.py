"""Checks of any array of evidence: shape, numbers, rows, radii."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.errors import IntegrityError
from probe.numbers import fraction

Array = NDArray[Any]


def expect(holds: bool, name: str, what: str) -> None:  # noqa: FBT001 - the condition is what is said first
    """Raise IntegrityError that says what is wrong with a step, unless a condition holds."""
    if not holds:
        raise IntegrityError(f"the evidence contradicts itself: {name}: {what}")


def are_same(one: Array, other: Array) -> bool:
    """Whether two arrays hold the same texts, or the same numbers up to rounding."""
    if one.shape != other.shape or one.dtype.kind not in "fiub" or other.dtype.kind not in "fiub":
        return np.array_equal(one, other)
    return bool(np.allclose(one, other, rtol=1e-5, atol=1e-7, equal_nan=True))


def check_form(name: str, array: Array, shape: tuple[Any, ...], kinds: str = "fiub") -> None:
    """Check the shape of an array and its kind of numbers, as numpy names them."""
    expect(
        array.shape == shape and array.dtype.kind in kinds,
        name,
        f"an array is {array.dtype} of shape {array.shape}, expected shape {shape}",
    )


def check_whole(name: str, numbers: Array, below: int | None) -> None:
    """Check that all are whole numbers from 0 to below a limit."""
    within = numbers.dtype.kind in "iu" and bool((numbers >= 0).all() and (below is None or (numbers < below).all()))
    expect(within, name, f"it holds indices of rows, classes or features outside 0 to {below}")


def check_rows(name: str, rows: Array, n: int | None) -> None:
    """Check that these are indices of rows, each named once."""
    check_whole(name, rows, n)
    expect(rows.ndim == 1 and len(np.unique(rows)) == len(rows), name, "a row is named twice")


def check_drawn(name: str, count: int, sample: Any, n: int) -> None:
    """Check that the number of rows is the plan's, or all."""
    expect(count == min(sample, n), name, f"it has {count} rows, and the plan asks for {sample} of {n}")


def check_radii(name: str, given: Array, planned: Sequence[str]) -> None:
    """Check that the radii of a step are the plan's."""
    asked = sorted(float(fraction(str(eps))) for eps in planned)
    check_form(name, given, (len(asked),))
    expect(bool(np.allclose(given, asked, rtol=1e-6, atol=0)), name, "its radii are not those of the plan")
