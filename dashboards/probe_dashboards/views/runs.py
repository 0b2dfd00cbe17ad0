"""The audits of a folder, and their verification."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from probe import lock
from probe.audit import Bundle, find, read, reading, strict
from probe.audit.expected import planned
from probe.audit.glimpse import Glimpse, glimpse
from probe.audit.signing import Signature, signatures
from probe.audit.signing.countersignatures import Countersignature, countersignatures
from probe.audit.signoff import Signoff, signoffs
from probe.audit.titles import doing
from probe.errors import ProbeError
from probe.formatting import counted
from probe.memory import give_back
from probe.text import visible
from probe_dashboards import state
from probe_dashboards.views.held import held

# Errors that a foreign manifest can raise after it passed the checks of `read`.
MALFORMED = (ProbeError, OSError, *strict.MALFORMED)


@dataclass(frozen=True)
class Run:
    """An audit that can be chosen."""

    id: str
    folder: str
    title: str
    ended: str  # complete, interrupted, killed, or running while a process writes it
    created: str
    model: str
    data: str
    data_sha256: str
    counts: Mapping[str, int]  # of the findings about the model, by status
    digest: str
    # What each method cost there: examples forward and backward, and seconds.
    costs: Mapping[str, tuple[int, int, float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Opened:
    """The audit that is shown. `stamp` is part of the cache key of its figures."""

    id: str
    bundle: Bundle
    stamp: str
    # Set by the app; the views do not use them.
    pages: Mapping[str, Any]  # the targets of links between pages
    messages: Any  # where warnings are written, at the top of the page

    @property
    def folder(self) -> str:
        return str(self.bundle.folder)


@dataclass(frozen=True)
class Broken:
    """A folder with an audit.json that cannot be read, and why."""

    folder: str
    reason: str


@dataclass(frozen=True, eq=False)
class Folder:
    """The audits of a folder, for pages that show more than one, or none."""

    path: str
    runs: Sequence[Run]
    broken: Sequence[Broken]
    # Set by the app; the views do not use them.
    pages: Mapping[str, Any]  # the targets of links between pages
    messages: Any  # where warnings are written, at the top of the page


@dataclass(frozen=True)
class Integrity:
    """The result of verifying an audit. `sentence` says what was checked, or what differs."""

    intact: bool
    sentence: str
    digests: tuple[str, ...] = ()  # any of them identifies this audit
    signatures: tuple[Signature, ...] = ()
    signoffs: tuple[Signoff, ...] = ()
    countersignatures: tuple[Countersignature, ...] = ()


@dataclass(frozen=True)
class Progress:
    """The progress of an audit that is being written."""

    done: int
    planned: int
    step: str  # the step that is running, in words
    since: str = ""  # when the audit began


def listing(runs: str | Path) -> tuple[list[Run], list[Broken]]:
    """The audits of a folder, newest first, and those that cannot be read."""
    found: list[Run] = []
    broken: list[Broken] = []
    for folder in find(runs):
        seen = _seen(str(folder), _entry(folder / "audit.json"))
        if isinstance(seen, Broken):
            broken.append(seen)
        else:
            found.append(_as_it_is(seen))
    names = Counter(run.title for run in found)
    # The folder is named only where two audits have the same name.
    twice = [replace(r, title=f"{visible(Path(r.folder).name)}: {r.title}") if names[r.title] > 1 else r for r in found]
    return twice, broken


def opened(run: Run, pages: Mapping[str, Any], messages: Any = None) -> Opened:
    """Open an audit.

    Raises:
        One of MALFORMED: if its manifest is not one that an audit writes, of which a list checks only the digest.
    """
    seen = stamp(run.folder)
    return Opened(run.id, held(run.folder, seen), seen, pages, messages)


def stamp(folder: str | Path) -> str:
    """A text that changes when a file of the audit changes; the cache key of all that is derived from the audit."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    seen = hashlib.sha256()
    for path in files:
        seen.update(f"{path} {_entry(path)}\n".encode("utf-8", "backslashreplace"))
    return seen.hexdigest()


def _entry(path: Path) -> str:
    """A text that changes when a file does."""
    # ctime is set by the kernel: unlike mtime, it cannot be set back.
    try:
        s = path.lstat()
    except OSError:
        return "gone"
    return f"{s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino} {s.st_dev}"


def progress(folder: str | Path) -> Progress | None:
    """The progress of an audit; None unless a process is writing it."""
    if lock.writer(folder) is None:
        return None
    try:
        manifest = read(folder).manifest
        done, steps = len(manifest.steps), planned(manifest.plan)
        step = doing(manifest, steps[done]) if done < len(steps) else "drawing its conclusions"
    except MALFORMED:
        return Progress(0, 0, "")
    return Progress(done, len(steps), step, manifest.created)


def check(folder: str | Path) -> Integrity:
    """Hash every file and recompute every number of an audit, and read who signed it."""
    return recorded(folder, checked(folder))


def checked(folder: str | Path) -> Integrity:
    """Hash every file and recompute every number of an audit."""
    from probe.audit import verify  # which a process that asks another one to verify does without

    try:
        done = verify(folder)
    except MALFORMED as error:
        return Integrity(intact=False, sentence=reason(error))
    finally:
        give_back()  # a server lives long, and this was the most that it holds at a time
    return Integrity(
        intact=True,
        sentence=f"{done.files} files have their recorded digests; {done.findings} findings and {done.numbers:,} "
        "numbers in tables follow from the stored evidence. This does not show who wrote the files: for that, compare "
        "the digest with one that you received separately.",
        digests=(done.digest, done.evidence_digest),
    )


def recorded(folder: str | Path, found: Integrity) -> Integrity:
    """What was found of an audit, with what people signed and decided of it, if it is intact."""
    if not found.intact:
        return found
    try:
        bundle = held(str(folder), stamp(folder))
        signed, records, seconds = signatures(bundle), signoffs(bundle), countersignatures(bundle)
    except MALFORMED as error:  # changed since it was verified
        return Integrity(intact=False, sentence=reason(error))
    return replace(found, signatures=signed, signoffs=records, countersignatures=seconds)


@lru_cache(maxsize=10_000)
def _seen(folder: str, entry: str) -> Run | Broken:
    """What a folder holds, read once until its audit.json changes."""
    path = Path(folder)
    try:
        return _run(path, glimpse(path))
    except MALFORMED as error:
        return Broken(path.name, reason(error))


def _run(folder: Path, head: Glimpse) -> Run:
    return Run(
        id=state.run_id(folder.name, head.digest),
        folder=str(folder),
        title=visible(head.name),
        ended=head.status,
        created=head.created,
        model=head.model,
        data=f"{head.data}, {counted(head.rows)}",
        data_sha256=head.data_sha256,
        counts=dict(head.counts),
        digest=head.digest,
        costs=head.costs,
    )


def _as_it_is(run: Run) -> Run:
    """A run whose title says whether it ended, and how."""
    if run.ended == "complete":
        return run
    ended = reading.ended(run.ended, written=lock.writer(run.folder) is not None)
    return replace(run, ended=ended, title=f"{run.title} ({visible(ended)})")


def reason(error: Exception) -> str:
    """Why something of an audit cannot be read, as a sentence without its full stop."""
    if isinstance(error, ProbeError):
        return visible(error)
    return f"audit.json is not shaped as an audit writes it ({type(error).__name__}: {visible(error)})"
