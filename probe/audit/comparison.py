"""Check that two audits of one plan agree in plan, evidence and findings."""

import re
from collections.abc import Sequence
from dataclasses import fields
from math import isclose
from typing import Any

import numpy as np

from probe.audit.bundle import Bundle
from probe.audit.changes import by_check
from probe.audit.second_run import compare_evidence
from probe.errors import IntegrityError
from probe.finding import Finding

DECIDED = {"pass", "fail", "inconclusive"}
KEYS = tuple(f.name for f in fields(Finding))
POWER_OF_TEN = re.compile(r"(?:\d\.)?\d+e\+\d+")  # as bundles have it whose probe did not write such numbers out
NUMBERS = ("estimate", "low", "high", "n", "threshold")


def compare_runs(stored: Bundle, again: Bundle, *, tolerance: float) -> tuple[str, ...]:
    """Sentences about single rows in which two complete audits of one plan differ, as rounding can make them.

    Numbers have a tolerance, as another processor rounds differently, which can change single examples. A status may
    differ only where the estimate or an end of its interval is within the tolerance of the threshold. Whether a check
    was run must not differ.

    Raises:
        IntegrityError: unless both have the same steps, rows and findings, and evidence of all but single rows.
    """
    if again.manifest.plan.checks != stored.manifest.plan.checks:
        raise IntegrityError("the thresholds of the two audits differ")
    ended = [[(step.name, step.status) for step in b.manifest.steps] for b in (stored, again)]
    if ended[0] != ended[1]:
        old, new = next(pair for pair in _paired(*ended) if pair[0] != pair[1])
        raise IntegrityError(f"the steps differ: {_step(old)} in the bundle, {_step(new)} in the second run")
    _compare_rows(stored, again)
    old_findings, new_findings = (by_check(bundle.manifest.findings) for bundle in (stored, again))
    for key in dict.fromkeys((*old_findings, *new_findings)):
        old, new = old_findings.get(key, []), new_findings.get(key, [])
        if len(old) != len(new):
            which = (
                "is in the bundle and not in the second run"
                if len(new) < len(old)
                else "is in the second run and not in the bundle"
            )
            raise IntegrityError(f"finding {key[1]!r} {which}")
        for one, other in zip(old, new, strict=True):
            compare_findings(one, other, tolerance, NUMBERS)
            if one.status != other.status and not _could_tip(one, other, tolerance):
                raise IntegrityError(
                    f"finding {key[1]!r}: its status is {one.status!r}, and {other.status!r} in the second run"
                )
    return compare_evidence(stored, again, tolerance=tolerance)


def compare_findings(stored: Finding, now: Finding, tolerance: float, keys: Sequence[str] = KEYS) -> None:
    """Raise IntegrityError unless two findings agree, numbers within a tolerance."""
    for key in keys:
        old, value = getattr(stored, key), getattr(now, key)
        if isinstance(value, float | int) and isinstance(old, float | int):
            same = isclose(old, value, rel_tol=tolerance, abs_tol=tolerance)
        else:
            same = old == value or (isinstance(old, str) and isinstance(value, str) and _reads_alike(old, value))
        if not same:
            raise IntegrityError(f"finding {stored.check!r}: {key} is {old!r}, the evidence gives {value!r}")


def _reads_alike(stored: str, now: str) -> bool:
    """Whether two texts differ only in numbers with a power of ten, as in 1.23e+03, that the other writes out."""
    powers = POWER_OF_TEN.findall(stored)
    literal = map(re.escape, POWER_OF_TEN.split(stored))
    found = re.fullmatch(r"([\d,]+)".join(literal), now) if powers else None
    written = [float(text.replace(",", "") or "nan") for text in found.groups()] if found else []
    return bool(written) and [f"{value:.3g}" for value in written] == powers


def _compare_rows(stored: Bundle, again: Bundle) -> None:
    if not (stored.has("arrays/predictions.npz") and again.has("arrays/predictions.npz")):
        return
    old, new = stored.arrays("predictions"), again.arrays("predictions")
    if any(not np.array_equal(old[name], new[name]) for name in ("rows", "labels")):
        raise IntegrityError("the second run audited other rows, or their labels differ")
    groups = "tables/groups.csv"
    if stored.manifest.files.get(groups) != again.manifest.files.get(groups):
        raise IntegrityError("the groups of the rows differ in the second run")


def _could_tip(one: Finding, other: Finding, tolerance: float) -> bool:
    """Whether both statuses follow from numbers, one of which is within the tolerance of the threshold."""
    numbers = [n for f in (one, other) for n in (f.estimate, f.low, f.high) if n is not None]
    threshold = one.threshold
    near = threshold is not None and any(isclose(n, threshold, rel_tol=tolerance, abs_tol=tolerance) for n in numbers)
    return near and {one.status, other.status} <= DECIDED


def _paired(old: list[Any], new: list[Any]) -> list[tuple[Any, Any]]:
    most = max(len(old), len(new))
    return list(zip(old + [None] * (most - len(old)), new + [None] * (most - len(new)), strict=True))


def _step(step: tuple[str, str] | None) -> str:
    return f"{step[0]} ({step[1]})" if step else "none"
