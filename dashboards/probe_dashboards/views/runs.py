"""The audits of a folder, and their verification."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from probe import lock
from probe.audit import Bundle, find, read, reading, verification, verify
from probe.audit.expected import expected_steps
from probe.audit.manifest import Manifest
from probe.errors import ProbeError
from probe.npz import Arrays
from probe.text import visible
from probe_dashboards import state

T = TypeVar("T")

# Errors that a foreign manifest can raise after it passed the checks of `read`.
MALFORMED = (ProbeError, OSError, *verification.MALFORMED)


@dataclass(frozen=True)
class Run:
    """An audit that can be chosen."""

    id: str
    folder: str
    title: str


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


class Held(Bundle):
    """A bundle that reads, hashes and parses each file once: a page asks for the same arrays many times."""

    def arrays(self, name: str) -> Arrays:
        return dict(self._once(name, super().arrays))

    def table(self, name: str) -> pd.DataFrame:
        return self._once(name, super().table).copy()

    def groups(self) -> pd.DataFrame:
        return self._once("groups", lambda _: super(Held, self).groups()).copy()

    def _once(self, name: str, load: Callable[[str], T]) -> T:
        held = self.__dict__.setdefault("held", {})
        key = (name, getattr(load, "__name__", ""))
        if key not in held:
            held[key] = load(name)
        found: T = held[key]
        return found


@dataclass(frozen=True)
class Broken:
    """A folder with an audit.json that cannot be read, and why."""

    folder: str
    reason: str


@dataclass(frozen=True)
class Integrity:
    """The result of verifying an audit. `sentence` says what was checked, or what differs."""

    intact: bool
    sentence: str
    digests: tuple[str, ...] = ()  # any of them identifies this audit


@dataclass(frozen=True)
class Progress:
    """The progress of an audit that is being written."""

    done: int
    planned: int
    step: str  # the step that is running


def listing(runs: str | Path) -> tuple[list[Run], list[Broken]]:
    """The audits of a folder, newest first, and those that cannot be read."""
    found: list[Run] = []
    broken: list[Broken] = []
    for folder in find(runs):
        try:
            manifest = read(folder).manifest
            found.append(_run(folder, manifest))
        except MALFORMED as error:
            broken.append(Broken(folder.name, reason(error)))
    names = Counter(run.title for run in found)
    # The folder is named only where two audits have the same name.
    twice = [replace(r, title=f"{visible(Path(r.folder).name)}: {r.title}") if names[r.title] > 1 else r for r in found]
    return twice, broken


def opened(run: Run, pages: Mapping[str, Any], messages: Any = None) -> Opened:
    """Open an audit."""
    bundle = read(run.folder)
    return Opened(run.id, Held(bundle.folder, bundle.manifest), stamp(run.folder), pages, messages)


def stamp(folder: str | Path) -> str:
    """A text that changes when a file of the audit changes; the cache key of all that is derived from the audit."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    seen = hashlib.sha256()
    for path in files:
        # ctime is set by the kernel: unlike mtime, it cannot be set back.
        s = path.lstat()
        entry = f"{path} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino} {s.st_dev}\n"
        seen.update(entry.encode("utf-8", "backslashreplace"))
    return seen.hexdigest()


def progress(folder: str | Path) -> Progress | None:
    """The progress of an audit; None unless a process is writing it."""
    if lock.writer(folder) is None:
        return None
    try:
        manifest = read(folder).manifest
        done, planned = len(manifest.steps), expected_steps(manifest.plan)
    except MALFORMED:
        return Progress(0, 0, "")
    return Progress(done, len(planned), planned[done] if done < len(planned) else "its conclusions")


def check(folder: str | Path) -> Integrity:
    """Hash every file and recompute every number of an audit."""
    try:
        done = verify(folder)
    except MALFORMED as error:
        return Integrity(intact=False, sentence=reason(error))
    return Integrity(
        intact=True,
        sentence=f"{done.files} files have their recorded digests; {done.findings} findings and {done.numbers:,} "
        "numbers in tables follow from the stored evidence. This does not show who wrote the files: for that, compare "
        "the digest with one that you received separately.",
        digests=(done.digest, done.evidence_digest),
    )


def _run(folder: Path, manifest: Manifest) -> Run:
    status = reading.ended(manifest.status, written=lock.writer(folder) is not None)
    ended = "" if status == "complete" else f" ({visible(status)})"
    number = state.run_id(folder.name, manifest.digest)
    return Run(number, str(folder), f"{visible(manifest.name)}{ended}")


def reason(error: Exception) -> str:
    """Why something of an audit cannot be read, as a sentence without its full stop."""
    if isinstance(error, ProbeError):
        return visible(error)
    return f"audit.json is not shaped as an audit writes it ({type(error).__name__}: {visible(error)})"
