"""Sign-offs: what people decided about an audit. Each record holds the digest of the one before."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from probe import lock
from probe.audit import beside, files
from probe.audit.bundle import Bundle
from probe.audit.canonical import dump, parse
from probe.audit.manifest import Manifest
from probe.audit.signing.statements import named
from probe.audit.strict import plain, typed
from probe.errors import IntegrityError, PlanError
from probe.text import scripts

FOLDER = "signoffs"
LARGEST = 2**20  # bytes of a record
MOST = 1000  # records
LONGEST = 4000  # characters of a text
Verdict = Literal["accepted", "rejected"]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided of one failure, and why."""

    check: str
    decision: Verdict
    reason: str


@dataclass(frozen=True, kw_only=True)
class Signoff:
    """A record: who says what of the audit. It shows what was written, not who wrote it; a signature covers it."""

    schema: int = 1
    bundle: str  # digest
    number: int
    previous: str  # SHA-256 of the record before; "" of the first
    name: str
    role: str
    date: str
    statement: str
    decisions: tuple[Decision, ...]

    @property
    def sha256(self) -> str:
        """The digest of the record's file."""
        return hashlib.sha256(dump(plain(self))).hexdigest()

    @property
    def by(self) -> str:
        """Name and role, and whether a word in them mixes alphabets, as in a name that only looks like another's."""
        mixed = " and ".join(scripts(f"{self.name} {self.role}"))
        return f"{self.name}, {self.role}" + (f" (one word mixes letters of {mixed})" if mixed else "")

    @property
    def file(self) -> str:
        """Where it lies in the bundle."""
        return f"{FOLDER}/{self.number:04}.json"


def open_failures(manifest: Manifest) -> dict[str, str]:
    """The checks that failed or ended in an error, each with its status: somebody has to decide about every one."""
    pairs = zip(named(manifest.findings), manifest.findings, strict=True)
    return {name: finding.status for name, finding in pairs if finding.status in ("fail", "error")}


def sign_off(
    bundle: Bundle,
    *,
    name: str,
    role: str,
    statement: str,
    decisions: Mapping[str, tuple[Verdict, str]],
    drawn: Callable[[Bundle], str] | None = None,
) -> Signoff:
    """Add a record to a bundle that was verified; those that are there stay as they are.

    Args:
        bundle: a complete audit.
        name: of who signs off.
        role: in which they do so.
        statement: what they say of the audit.
        decisions: for each open failure, by its name, whether it is accepted or rejected, and why.
        drawn: draws the report, which shows the sign-offs; such as `probe.report.render`. If the bundle has a report,
            it is replaced before anybody else can add a record.

    Raises:
        PlanError: if the audit is not complete, a text is missing, or a failure has no decision.
    """
    if not bundle.complete:
        raise PlanError(
            f"{bundle.name} is {bundle.manifest.status}; run the same audit again to complete it, then sign it off"
        )
    failures = list(open_failures(bundle.manifest))
    if missing := [check for check in failures if check not in decisions]:
        raise PlanError(f"{len(missing)} open failures have no decision, first {missing[0]!r}: accept or reject each")
    for check in decisions:
        if check not in failures:
            raise PlanError(f"{check!r} is not an open failure; there are {', '.join(map(repr, failures)) or 'none'}")
    texts = {"a name": name, "a role": role, "a statement": statement}
    for what, text in (*texts.items(), *((f"a reason for {check!r}", why) for check, (_, why) in decisions.items())):
        if not text.strip() or len(text) > LONGEST:
            raise PlanError(f"a sign-off needs {what}, of at most {LONGEST} characters")
        _check_written(text)
    with lock.writing(bundle.folder):
        before = signoffs(bundle)
        record = Signoff(
            bundle=bundle.manifest.digest,
            number=len(before) + 1,
            previous=before[-1].sha256 if before else "",
            name=name.strip(),
            role=role.strip(),
            date=beside.now(),
            statement=statement.strip(),
            decisions=tuple(
                Decision(check=check, decision=decisions[check][0], reason=decisions[check][1].strip())
                for check in failures
            ),
        )
        _write(bundle, record)
        if drawn is not None and bundle.manifest.report_sha256 is not None:
            bundle.write_report(drawn(bundle))
    return record


def signoffs(bundle: Bundle) -> tuple[Signoff, ...]:
    """The records of a bundle, the first one first.

    Raises:
        IntegrityError: if the chain is broken: one is missing, changed, of another bundle, or leaves a failure open.
    """
    there = beside.listed(bundle, FOLDER, ".json", "sign-offs", MOST)
    found: list[Signoff] = []
    for at, name in enumerate(there):
        if name != f"{at + 1:04}.json":
            raise IntegrityError(
                f"the chain of sign-offs of {bundle.folder.name} is broken: {at + 1:04}.json is missing"
            )
        found.append(_read(bundle, f"{FOLDER}/{name}", found))
    return tuple(found)


def _read(bundle: Bundle, file: str, before: Sequence[Signoff]) -> Signoff:
    shown = f"{file} of {bundle.folder.name}"
    data = files.content(bundle.folder, file, LARGEST)
    record = typed(Signoff, parse(data, shown), shown)
    if record.schema != 1 or data != dump(plain(record)):
        raise IntegrityError(f"{shown} is not written as `probe signoff` writes it")
    if (record.number, record.previous) != (len(before) + 1, before[-1].sha256 if before else ""):
        raise IntegrityError(
            f"the chain of sign-offs of {bundle.folder.name} is broken: {file} does not follow the one before"
        )
    if record.bundle != bundle.manifest.digest:
        raise IntegrityError(
            f"{shown} belongs to another bundle: its digest is {record.bundle:.64}, expected {bundle.manifest.digest}"
        )
    if [each.check for each in record.decisions] != list(open_failures(bundle.manifest)):
        raise IntegrityError(f"{shown} decides about other failures than those of this audit")
    texts = (record.name, record.role, record.statement, *(each.reason for each in record.decisions))
    if not all(0 < len(text) <= LONGEST and text == text.strip() for text in texts):
        raise IntegrityError(f"{shown} lacks a name, a role, a statement or a reason, or one of them is too long")
    beside.check_time(bundle, record.date, shown, before[-1].date if before else "")
    return record


def _check_written(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PlanError(
            f"{error.object[error.start : error.end]!r} cannot be written to a file; leave it out"
        ) from None


def _write(bundle: Bundle, record: Signoff) -> None:
    beside.place_of(bundle, FOLDER)
    files.replace(bundle.folder / record.file, dump(plain(record)))
