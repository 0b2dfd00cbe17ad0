"""Check that a bundle is what was recorded, and that its numbers follow from its evidence."""

import hashlib
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

import pandas as pd

from probe import __version__
from probe.audit.bundle import Bundle, digest, parse, read
from probe.audit.findings import assess
from probe.errors import IntegrityError, ProbeError


@dataclass(frozen=True)
class Verification:
    """What was checked. There is none for a bundle that fails: that raises IntegrityError."""

    name: str
    status: str  # of the audit: complete, interrupted, or running where it was killed
    digest: str
    files: int
    findings: int
    numbers: int
    unlisted: tuple[str, ...] = ()  # files in the folder that the audit did not write


def verify(folder: str | Path) -> Verification:
    """Hash every file, and recompute every table and finding from the arrays, without torch.

    An audit that was killed has no findings yet; its files are checked, and no number is.

    Raises:
        IntegrityError: at the first file or number that differs.
    """
    bundle = read(folder)
    try:
        return _verified(bundle)
    except ProbeError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # A manifest that no audit wrote can hold anything anywhere.
        raise IntegrityError(
            f"audit.json of {bundle.name} is malformed ({type(error).__name__}: {error}); it is not what an audit wrote"
        ) from error


def _verified(bundle: Bundle) -> Verification:
    if digest(bundle.manifest) != bundle.manifest["digest"]:
        raise IntegrityError(f"audit.json of {bundle.name} was changed after the audit: its digest differs")
    _check_files(bundle)
    head = (bundle.name, str(bundle.manifest["status"]), bundle.manifest["digest"], len(bundle.manifest["files"]))
    unlisted = _unlisted(bundle)
    if bundle.manifest["status"] == "running":
        return Verification(*head, findings=0, numbers=0, unlisted=unlisted)
    try:
        findings, numbers = _check_numbers(bundle)
    except IntegrityError as error:
        wrote = str(bundle.manifest.get("machine", {}).get("probe", "an unknown version"))
        if wrote == __version__:
            raise
        raise IntegrityError(
            f"{error}; {bundle.name} was audited by probe {wrote}, and this is {__version__}, which may compute "
            f"otherwise: verify it with that version"
        ) from None
    return Verification(*head, findings, numbers, unlisted)


def _check_numbers(bundle: Bundle) -> tuple[int, int]:
    """Recompute findings and tables from the evidence; how many findings, and how many numbers in the tables."""
    assessment = assess(bundle)
    recomputed = [finding.to_json() for finding in assessment.findings]
    if len(recomputed) != len(bundle.manifest["findings"]):
        raise IntegrityError(
            f"the evidence gives {len(recomputed)} findings, audit.json lists {len(bundle.manifest['findings'])}"
        )
    for stored, now in zip(bundle.manifest["findings"], recomputed, strict=True):
        _compare(stored, now, tolerance=1e-9)
    for name, table in assessment.tables.items():
        _check_table(name, bundle.table(name), table)
    return len(recomputed), sum(table.size for table in assessment.tables.values())


def compare_runs(stored: Bundle, again: Bundle, *, tolerance: float) -> None:
    """Raise IntegrityError unless the numbers of two complete audits of one plan agree.

    Another processor rounds differently, which can tip single examples: hence a tolerance, and only numbers count.
    """
    findings = {(f["lens"], f["check"]): f for f in again.manifest["findings"]}
    for old in stored.manifest["findings"]:
        new = findings.get((old["lens"], old["check"]))
        if new is None:
            raise IntegrityError(f"finding {old['check']!r} did not come out again")
        _compare(old, {key: new[key] for key in ("estimate", "low", "high", "n", "threshold")}, tolerance)


def _compare(stored: dict[str, Any], now: dict[str, Any], tolerance: float) -> None:
    for key, value in now.items():
        old = stored.get(key)
        if isinstance(value, float | int) and isinstance(old, float | int):
            same = isclose(old, value, rel_tol=tolerance, abs_tol=tolerance)
        else:
            same = old == value
        if not same:
            raise IntegrityError(f"finding {stored.get('check')!r}: {key} is {old!r}, the evidence gives {value!r}")


def _check_files(bundle: Bundle) -> None:
    for file in bundle.manifest["files"]:
        bundle._bytes(file)
    report = bundle.folder / "report.html"
    recorded = bundle.manifest.get("report_sha256")
    if recorded and (not report.is_file() or hashlib.sha256(report.read_bytes()).hexdigest() != recorded):
        raise IntegrityError(f"report.html of {bundle.name} is not the report that was written")


def _unlisted(bundle: Bundle) -> tuple[str, ...]:
    listed = {"audit.json", "report.html", *bundle.manifest["files"]}
    found = (path.relative_to(bundle.folder).as_posix() for path in bundle.folder.rglob("*") if not path.is_dir())
    return tuple(sorted(set(found) - listed))


def _check_table(name: str, stored: pd.DataFrame, now: pd.DataFrame) -> None:
    # Through the same text form, so that only the numbers can differ.
    try:
        pd.testing.assert_frame_equal(
            stored.reset_index(drop=True), _as_read(now), check_dtype=False, rtol=1e-9, atol=1e-12
        )
    except AssertionError as error:
        first = str(error).splitlines()[0]
        raise IntegrityError(f"tables/{name}.csv does not follow from the evidence: {first}") from None


def _as_read(table: pd.DataFrame) -> pd.DataFrame:
    return parse(table.to_csv(index=False).encode())
