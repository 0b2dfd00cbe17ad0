"""Counter-signatures: somebody else ran a random tenth of an audit again, and signs how far the results agree.

Which rows are run again follows from the digest of the bundle and the key of the second auditor; `BINDS` says what that
binds, and what it does not.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from probe.audit import beside, files
from probe.audit.bundle import Bundle
from probe.audit.canonical import parse
from probe.audit.manifest import StepRecord
from probe.audit.signing import envelope
from probe.audit.signing.keys import Key
from probe.audit.signing.signatures import Signature, check_apart, check_subject, key_of, signatures
from probe.audit.signing.statements import COUNTERSIGNATURE, STATEMENT, statement
from probe.audit.strict import plain, typed
from probe.errors import IntegrityError, PlanError

FOLDER, ENDING = "countersignatures", ".intoto.jsonl"
LARGEST, MOST = 2**24, 100  # bytes of a file, and files
BINDS = (
    "The bundle's digest and the second auditor's key draw the rows: none can be picked or left out. That draw is not "
    "beyond influence: who knew the key before the audit could make audits until one suited, and who makes new keys "
    "could do the same with keys. That the rows were run at all, only the signer says."
)
PART = 10  # one row in this many is run again
TOLERANCE = 1e-3  # of numbers, relative to the largest of an array; answers and outcomes must be equal
DIFFERING = 0.02  # the largest share of rows that may differ: another processor can tip single rows
# What is compared of each kind of step, with the axis of its rows; none of a survey, which looks at all rows at once.
COMPARED = {
    "predictions": {"logits": 0},
    "explainer": {"by_feature": 0},
    "attack": {"clean": 0, "success": 1},
    "label attack": {"clean": 0, "success": 1},
    "counterfactual": {"reached": 0, "distance": 0},
    "certificate": {"predicted": 0, "radius": 0},
}


@dataclass(frozen=True, kw_only=True)
class Again:
    """A step of which some rows were run again."""

    step: str
    of: int  # rows of the step
    rows: tuple[int, ...]  # those that were run again, as positions among the audited rows
    differing: tuple[int, ...]  # those that do not agree


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """What a counter-signature says."""

    signed: str
    tolerance: float
    machine: str
    steps: tuple[Again, ...]

    @property
    def rows(self) -> int:
        return sum(len(each.rows) for each in self.steps)

    @property
    def agreeing(self) -> int:
        return self.rows - sum(len(each.differing) for each in self.steps)

    @property
    def words(self) -> str:
        """How far the results agree, in a sentence."""
        steps = f"{len(self.steps)} step{'s' * (len(self.steps) != 1)}"
        drawn = "a tenth drawn by digest and key"
        return f"{self.agreeing:,} of {self.rows:,} rows of {steps}, {drawn}, agree within {self.tolerance:g}"


@dataclass(frozen=True)
class Countersignature:
    """A file with one signed statement about this bundle. Whose key it is, only `who` can tell."""

    signature: Signature
    rerun: Rerun


def chosen(digest: str, key: str, rows: Sequence[int]) -> tuple[int, ...]:
    """A tenth of rows, rounded up, that follows from a digest and a key.

    >>> chosen("a" * 64, "SHA256:x", range(20)) == chosen("a" * 64, "SHA256:x", range(20))
    True
    """

    def order(row: int) -> bytes:
        return hashlib.sha256(f"{digest} {key} {row}".encode()).digest()

    return tuple(sorted(sorted(map(int, rows), key=order)[: ceil(len(rows) / PART)]))


def comparable(bundle: Bundle) -> list[StepRecord]:
    """The steps of which rows can be run again one by one."""
    return [step for step in bundle.manifest.steps if step.done and step.kind in COMPARED]


def rows_of(bundle: Bundle, step: StepRecord) -> list[int]:
    """The positions, among the audited rows, of the rows of a step."""
    if step.kind == "predictions":
        return list(range(bundle.manifest.data.n))
    return [int(row) for row in bundle.arrays(step.name)["rows"]]


def check_second(bundle: Bundle, key: str) -> None:
    """Raise PlanError if this key signed the audit itself."""
    if key in {each.key for each in signatures(bundle)}:
        raise PlanError(f"the key {key} signed {bundle.name} itself; a counter-signature is made with another's key")


def write(bundle: Bundle, key: Key, steps: Sequence[Again], machine: str) -> Countersignature:
    """Sign what was run again, in a file beside what the audit wrote."""
    rerun = Rerun(signed=beside.now(), tolerance=TOLERANCE, machine=machine, steps=tuple(steps))
    (made,) = key.enveloped([statement(bundle.manifest, COUNTERSIGNATURE, plain(rerun))])
    place = beside.place_of(bundle, FOLDER)
    name = hashlib.sha256(made.keyid.encode()).hexdigest()[:16] + ENDING
    files.replace(place / name, f"{envelope.write(made)}\n".encode())
    return _read(bundle, f"{FOLDER}/{name}")


def countersignatures(bundle: Bundle) -> tuple[Countersignature, ...]:
    """The counter-signatures beside a bundle; the keys are not checked here.

    Raises:
        IntegrityError: if one is not what `countersign` writes, is about another bundle, or about rows of one's choice.
    """
    there = beside.listed(bundle, FOLDER, ENDING, "counter-signatures", MOST)
    found = tuple(_read(bundle, f"{FOLDER}/{name}") for name in there)
    check_apart(bundle, [each.signature for each in found])
    first = {each.key for each in signatures(bundle)}
    for each in found:
        if each.signature.key in first:
            raise IntegrityError(
                f"{each.signature.file} of {bundle.folder.name} is made with a key that signed the audit itself"
            )
    return found


def too_many(steps: Sequence[Again]) -> bool:
    """Whether more rows differ than another processor can explain."""
    return sum(len(each.differing) for each in steps) > DIFFERING * sum(len(each.rows) for each in steps)


def _read(bundle: Bundle, file: str) -> Countersignature:
    shown = f"{file} of {bundle.folder.name}"
    data = files.content(bundle.folder, file, LARGEST)
    if not data.endswith(b"\n") or data.count(b"\n") != 1:
        raise IntegrityError(f"{shown} is damaged: it does not have exactly one line, as `probe countersign` writes it")
    found = envelope.read(data[:-1], shown)
    key = key_of(found, shown)
    document = parse(found.payload, shown)
    if (document.get("_type"), document.get("predicateType")) != (STATEMENT, COUNTERSIGNATURE):
        raise IntegrityError(f"{shown} does not contain a statement of type {COUNTERSIGNATURE}")
    check_subject(bundle, document.get("subject"), shown)
    rerun = typed(Rerun, document.get("predicate"), shown)
    if found.payload != statement(bundle.manifest, COUNTERSIGNATURE, plain(rerun)):
        raise IntegrityError(f"{shown} is not written as `probe countersign` writes it")
    if not beside.is_time(rerun.signed) or rerun.tolerance != TOLERANCE:
        raise IntegrityError(f"{shown} was made with a tolerance other than {TOLERANCE:g}, or has no valid time")
    beside.check_time(bundle, rerun.signed, shown)
    _check_rows(bundle, key, rerun, shown)
    return Countersignature(Signature(file, key, rerun.signed, (), (found,)), rerun)


def _check_rows(bundle: Bundle, key: str, rerun: Rerun, shown: str) -> None:
    steps = comparable(bundle)
    if [each.step for each in rerun.steps] != [step.name for step in steps]:
        raise IntegrityError(f"{shown} does not cover every step that can be run again row by row")
    for each, step in zip(rerun.steps, steps, strict=True):
        rows = rows_of(bundle, step)
        if each.of != len(rows) or each.rows != chosen(bundle.manifest.digest, key, rows):
            raise IntegrityError(
                f"{shown} covers other rows of {step.name} than those that the bundle's digest and the key select"
            )
        if not set(each.differing) <= set(each.rows) or len(set(each.differing)) != len(each.differing):
            raise IntegrityError(f"{shown} says that rows of {step.name} differ that were not run again")
    if not rerun.rows or too_many(rerun.steps):
        raise IntegrityError(f"{shown} says that too many rows differ; `probe countersign` does not sign such a result")
