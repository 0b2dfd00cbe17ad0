"""What is asked of any array of evidence: its shape, its numbers, its rows, its radii."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.errors import IntegrityError
from probe.numbers import fraction

Array = NDArray[Any]


def expect(holds: bool, name: str, what: str) -> None:  # noqa: FBT001 - the condition is what is said first
    """Raise IntegrityError with what is wrong of a step unless a condition holds."""
    if not holds:
        raise IntegrityError(f"the evidence contradicts itself: {name}: {what}")


def check_form(name: str, array: Array, shape: tuple[Any, ...], kinds: str = "fiub") -> None:
    """The array has this shape, and numbers of one of these kinds of numpy's."""
    expect(
        array.shape == shape and array.dtype.kind in kinds,
        name,
        f"an array is {array.dtype} of shape {array.shape}, expected shape {shape}",
    )


def check_whole(name: str, numbers: Array, below: int | None) -> None:
    """All are whole numbers from 0 to below a limit."""
    within = numbers.dtype.kind in "iu" and bool((numbers >= 0).all() and (below is None or (numbers < below).all()))
    expect(within, name, f"it holds numbers of rows, classes or features that are not in 0 to {below}")


def check_rows(name: str, rows: Array, n: int | None) -> None:
    """They are numbers of rows, each there once."""
    check_whole(name, rows, n)
    expect(rows.ndim == 1 and len(np.unique(rows)) == len(rows), name, "a row is there twice")


def check_drawn(name: str, count: int, sample: Any, n: int) -> None:
    """There are as many rows as the plan asks for, or all."""
    expect(count == min(sample, n), name, f"it is of {count} rows, and the plan asks for {sample} of {n}")


def check_radii(name: str, given: Array, planned: Sequence[str]) -> None:
    """The radii of a step are those that the plan asks for."""
    asked = sorted(float(fraction(str(eps))) for eps in planned)
    check_form(name, given, (len(asked),))
    expect(bool(np.allclose(given, asked, rtol=1e-6, atol=0)), name, "its radii are not those of the plan")
