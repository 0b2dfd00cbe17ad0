"""Verify that a bundle is unchanged, and that its numbers follow from its evidence."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from probe import lock
from probe.audit import files
from probe.audit.assessment import assess
from probe.audit.bundle import Bundle, parse, read
from probe.audit.canonical import evidence_digest
from probe.audit.comparison import compare_findings, compare_runs
from probe.audit.consistency import check_arrays, check_steps, held_once
from probe.audit.expected import expected_steps
from probe.audit.held import Held
from probe.audit.signing.countersignatures import Countersignature, countersignatures
from probe.audit.signing.signatures import Signature, signatures
from probe.audit.signoff import Signoff, signoffs
from probe.audit.strict import MALFORMED
from probe.errors import IntegrityError, ProbeError, UnknownMethod
from probe.version import __version__

__all__ = ["MALFORMED", "Verification", "compare_runs", "verify"]


@dataclass(frozen=True)
class Verification:
    """The result of a successful verification. A bundle that fails raises IntegrityError."""

    name: str
    status: str  # of the audit: complete, interrupted, or running, also if it was killed
    digest: str
    files: int
    findings: int
    numbers: int
    unlisted: tuple[str, ...] = ()  # files in the folder that the audit did not write
    evidence_digest: str = ""  # of plan, arrays and findings without times: equal for another honest run
    done: int = 0  # steps
    planned: int = 0
    writer: int | None = None  # the process that is writing the audit
    signatures: tuple[Signature, ...] = ()  # statements about this bundle; whose keys they are, `seal` tells
    signoffs: tuple[Signoff, ...] = ()  # what people decided about it, an unbroken chain
    held_once: tuple[str, ...] = ()  # what nothing in the bundle can contradict, only a second run
    countersignatures: tuple[Countersignature, ...] = ()  # of a tenth that somebody else ran again


def verify(folder: str | Path) -> Verification:
    """Hash every file, check plan, steps and arrays against each other, and recompute every table and finding.

    This needs no torch. It shows that the numbers follow from the files, not who wrote the files: only a digest that
    was received separately tells an audit from a consistent forgery. An audit that was killed has no findings yet; only
    its files are checked.

    Raises:
        IntegrityError: at the first file or number that differs.
    """
    bundle = read(folder)
    try:
        return _verified(Held(bundle.folder, bundle.manifest))
    except IntegrityError:
        raise
    except MemoryError:
        raise IntegrityError(f"there is not enough memory to verify {bundle.folder.name}") from None
    except UnknownMethod as error:
        raise IntegrityError(f"{bundle.folder.name} cannot be verified here: {error}") from error
    except (ProbeError, *MALFORMED) as error:
        # A forged manifest can hold anything anywhere.
        raise IntegrityError(
            f"{bundle.folder.name} cannot be recomputed ({type(error).__name__}: {error}): it is not what an audit "
            "wrote, or this installation of probe is damaged"
        ) from error


def _verified(bundle: Bundle) -> Verification:
    manifest = bundle.manifest
    if evidence_digest(manifest.to_json()) != manifest.evidence_digest:
        raise IntegrityError(f"audit.json of {bundle.name}: its second digest, of the evidence, differs")
    _check_files(bundle)
    check_steps(bundle)
    findings, numbers = 0, 0
    try:
        check_arrays(bundle)
        if manifest.status == "running":
            _check_nothing_follows(bundle)
        else:
            findings, numbers = _check_numbers(bundle)
    except IntegrityError as error:
        wrote = str(manifest.machine.get("probe", "an unknown version"))
        if wrote == __version__:
            raise
        raise IntegrityError(
            f"{error}; {bundle.name} was audited by probe {wrote}, and this is {__version__}, which "
            "may compute differently: verify it with that version"
        ) from None
    signed, records, seconds = signatures(bundle), signoffs(bundle), countersignatures(bundle)
    _check_covered(signed, records)
    return Verification(
        name=bundle.name,
        status=manifest.status,
        digest=manifest.digest,
        files=len(manifest.files),
        findings=findings,
        numbers=numbers,
        unlisted=_unlisted(
            bundle,
            *(each.file for each in (*signed, *(second.signature for second in seconds))),
            *(record.file for record in records),
        ),
        evidence_digest=manifest.evidence_digest,
        done=len(manifest.steps),
        planned=len(expected_steps(manifest.plan)),
        writer=lock.writer(bundle.folder),
        signatures=signed,
        signoffs=records,
        countersignatures=seconds,
        held_once=held_once(manifest),
    )


def _check_covered(signed: Sequence[Signature], records: Sequence[Signoff]) -> None:
    """Check that no sign-off is gone that was there when somebody signed."""
    chain = tuple(record.sha256 for record in records)
    for each in signed:
        if chain[: len(each.signoffs)] != each.signoffs:
            raise IntegrityError(f"a sign-off that {each.file} covers is missing, or was changed after it was signed")


def _check_nothing_follows(bundle: Bundle) -> None:
    """Check that an unfinished audit has no findings, tables or report."""
    tables = [file for file in bundle.manifest.files if file.startswith("tables/") and file != "tables/groups.csv"]
    if bundle.manifest.findings or tables:
        raise IntegrityError(f"{bundle.name} is marked as running, but already has findings or tables")
    if bundle.manifest.report_sha256 or (bundle.folder / "report.html").exists():
        raise IntegrityError(f"{bundle.name} is marked as running, but already has a report")


def _check_numbers(bundle: Bundle) -> tuple[int, int]:
    """Recompute findings and tables from the evidence; return the number of findings, and of numbers in tables."""
    assessment = assess(bundle)
    recomputed = assessment.findings
    if len(recomputed) != len(bundle.manifest.findings):
        raise IntegrityError(
            f"the evidence gives {len(recomputed)} findings, audit.json lists {len(bundle.manifest.findings)}"
        )
    for stored, now in zip(bundle.manifest.findings, recomputed, strict=True):
        compare_findings(stored, now, tolerance=1e-9)
    listed = {file for file in bundle.manifest.files if file.startswith("tables/")} - {"tables/groups.csv"}
    if odd := sorted(listed ^ {f"tables/{name}.csv" for name in assessment.tables}):
        raise IntegrityError(f"{odd[0]} {'does not follow from the evidence' if odd[0] in listed else 'is missing'}")
    for name, table in assessment.tables.items():
        _check_table(name, bundle.table(name), table)
    return len(recomputed), sum(table.size for table in assessment.tables.values())


def _check_files(bundle: Bundle) -> None:
    for file in bundle.manifest.files:
        bundle._bytes(file)
    recorded = bundle.manifest.report_sha256
    if recorded is None:
        return
    try:
        page = files.content(bundle.folder, "report.html")
    except IntegrityError:
        page = b""
    if hashlib.sha256(page).hexdigest() != recorded:
        raise IntegrityError(f"report.html of {bundle.name} is not the report that was written")


def _unlisted(bundle: Bundle, *records: str) -> tuple[str, ...]:
    listed = {"audit.json", "report.html", lock.NAME, *records, *bundle.manifest.files}
    if not bundle.complete:
        listed.add(files.ASKED)
    found = (path.relative_to(bundle.folder).as_posix() for path in bundle.folder.rglob("*") if not path.is_dir())
    return tuple(sorted(set(found) - listed))


def _check_table(name: str, stored: pd.DataFrame, now: pd.DataFrame) -> None:
    # Written and read in the same way, so that only numbers can differ.
    try:
        pd.testing.assert_frame_equal(
            stored.reset_index(drop=True), _as_read(now), check_dtype=False, rtol=1e-9, atol=1e-12
        )
    except AssertionError as error:
        first = str(error).splitlines()[0]
        raise IntegrityError(f"tables/{name}.csv does not follow from the evidence: {first}") from None


def _as_read(table: pd.DataFrame) -> pd.DataFrame:
    return parse(table.to_csv(index=False).encode())
