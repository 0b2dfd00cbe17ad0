"""Compare the evidence of two runs of one plan, row by row."""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from probe.audit.bundle import Bundle
from probe.audit.kinds import BY_RADIUS
from probe.audit.manifest import StepRecord
from probe.errors import IntegrityError
from probe.npz import Stored

# Arrays that the plan and the data give, with which no processor does arithmetic.
GIVEN = frozenset({"rows", "labels", "eps", "items", "inputs", "features", "described", "before", "truth"})


def compare_evidence(stored: Bundle, again: Bundle, *, tolerance: float) -> tuple[str, ...]:
    """Sentences about rows whose evidence differs between two runs, which single rows may.

    Another processor rounds differently, so numbers have a tolerance relative to the largest of an array. That can tip
    single rows, such as the answer to an attacked one; more of a step than the tolerance is no rounding.

    Raises:
        IntegrityError: if the subjects or the rows differ, or more rows of a step than rounding can tip.
    """
    _compare_subjects(stored, again)
    told = []
    new = {step.name: step for step in again.manifest.steps if step.done}
    for step in stored.manifest.steps:
        if step.done and step.name in new:
            other = new[step.name]
            if (step.method, step.note, step.caption) != (other.method, other.note, other.caption):
                raise IntegrityError(f"what is said of the step {step.name} differs in the second run")
            told += _compare_step(step, stored.arrays(step.name), again.arrays(step.name), tolerance)
    return tuple(told)


def _compare_subjects(stored: Bundle, again: Bundle) -> None:
    """Raise IntegrityError where model or data are said to be others than those that the plan opened again."""
    same = stored.manifest.machine.get("probe") == again.manifest.machine.get("probe")
    for part in ("model", "data"):
        old, new = getattr(stored.manifest, part), getattr(again.manifest, part)
        for key in (each.name for each in fields(old)):
            if getattr(old, key) != getattr(new, key) and (same or key != "notices"):  # another version words them so
                raise IntegrityError(f"{key} of the {part} differ in the second run")


def _compare_step(step: StepRecord, old: Stored, new: Stored, tolerance: float) -> list[str]:
    if odd := sorted(old.keys() ^ new.keys()):
        raise IntegrityError(f"{step.name} has the array {odd[0]} in one of the two runs alone")
    rows = len(old["rows"])
    differing = np.zeros(rows, dtype=bool)
    names = []
    for name, before in old.items():
        after = new[name]
        if before.shape != after.shape or before.dtype.kind != after.dtype.kind:
            raise IntegrityError(f"{name} of {step.name} has another shape or type in the second run")
        off = _apart(before, after, 0.0 if name in GIVEN else tolerance)
        if name in GIVEN and off.any():
            raise IntegrityError(f"{name} of {step.name} differ in the second run")
        if off.any():
            by_radius = step.kind in BY_RADIUS and off.ndim > 1 and len(off) == len(old["eps"])
            by_row = np.moveaxis(off, 1 if by_radius else 0, 0)
            if len(by_row) > rows:  # it has no entry for each row, of which single ones could tip
                raise IntegrityError(f"{name} of {step.name} differ in the second run")
            differing[np.flatnonzero(by_row.reshape(len(by_row), -1).any(axis=1))] = True
            names.append(name)
    many = int(differing.sum())
    if not many:
        return []
    listed = f"{many} of {rows} rows of {step.name} ({', '.join(names[:3])}{', ...' * (len(names) > 3)})"
    if many > max(1.0, tolerance * rows):
        raise IntegrityError(f"{listed} differ in the second run, more than rounding can tip")
    return [f"{listed} differ in the second run, as rounding can tip single rows"]


def _apart(before: NDArray[np.generic], after: NDArray[np.generic], tolerance: float) -> NDArray[np.bool_]:
    """Where two arrays of a shape differ by more than a share of the largest number in them."""
    if before.dtype.kind != "f":
        return np.asarray(before != after)
    old, new = before.astype(np.float64), after.astype(np.float64)
    finite = np.abs(np.concatenate([each[np.isfinite(each)].ravel() for each in (old, new)]))
    limit = tolerance * float(finite.max(initial=0.0))
    return ~np.isclose(old, new, rtol=tolerance, atol=limit, equal_nan=True)
