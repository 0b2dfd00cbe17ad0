"""The folder of one part of an audit: part.json in canonical bytes, and the arrays of its batches. No torch."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from probe import npz
from probe.audit import files
from probe.audit.canonical import LARGEST, dump, parse
from probe.audit.manifest import Manifest, StepRecord
from probe.audit.pieces import Piece
from probe.audit.readings import Reading
from probe.audit.strict import plain, typed
from probe.errors import DataError, IntegrityError, PlanError
from probe.npz import Arrays

NAME, SCHEMA = "part.json", 1
GROUPS, ANSWERS = "tables/groups.csv", "arrays/answers.npz"
MOST = 10**6  # shards


@dataclass(frozen=True)
class Shard:
    """One of several parts, counted from 1.

    >>> Shard.read("3/16")
    Shard(number=3, count=16)
    """

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> "Shard":
        """The shard that a text such as "3/16" names. Raises PlanError if it names none."""
        number, slash, count = text.partition("/")
        digits = [part.strip() for part in (number, count)]
        if slash and all(part.isascii() and part.isdecimal() and len(part) < 8 for part in digits):
            shard = cls(*map(int, digits))
            if 1 <= shard.number <= shard.count <= MOST:
                return shard
        raise PlanError(f"shard {text!r:.40}, expected the number of a part and how many there are, such as 3/16")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True)
class Unit:
    """The rows of one batch, and the readings of metrics on them."""

    start: int
    stop: int
    readings: tuple[Reading, ...]


@dataclass(frozen=True, kw_only=True)
class StepPart:
    """What a shard did of one step."""

    record: StepRecord
    rows: int  # of the whole step
    units: tuple[Unit, ...]
    failed: int  # the first row of the batch that ended the step; -1 if it is done


@dataclass(frozen=True, kw_only=True)
class PartRecord:
    """The content of part.json."""

    schema: int = SCHEMA
    shard: str
    head: Manifest
    steps: tuple[StepPart, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)  # SHA-256 by name
    complete: bool = False
    digest: str = ""


@dataclass(eq=False)
class Part:
    """A part on disk; changes to its record are written by `save`."""

    folder: Path
    record: PartRecord

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def shard(self) -> Shard:
        return Shard.read(self.record.shard)

    def change(self, **entries: Any) -> None:
        """Replace entries of the record."""
        self.record = replace(self.record, **entries)

    def save(self) -> None:
        """Write part.json atomically."""
        self.change(digest=_digest(self.record))
        files.replace(self.folder / NAME, dump(plain(self.record)))

    def pieces(self, step: StepPart) -> list[Piece]:
        """What was computed of a step; nothing if it failed."""
        if not step.units:
            return []
        held = self._arrays(f"arrays/{step.record.name}.npz")
        found = []
        for unit in step.units:
            before = f"{unit.start}-{unit.stop}/"
            arrays = {name.removeprefix(before): held[name] for name in held if name.startswith(before)}
            found.append(Piece(unit.start, unit.stop, arrays, unit.readings))
        return found

    def write_pieces(self, step: str, pieces: Sequence[Piece]) -> None:
        """Store the pieces of a step."""
        arrays = {f"{p.start}-{p.stop}/{name}": array for p in pieces for name, array in p.arrays.items()}
        self._write(f"arrays/{step}.npz", npz.pack(arrays))

    def groups(self) -> bytes | None:
        """The table of groups, if this shard has it."""
        return self._bytes(GROUPS) if GROUPS in self.record.files else None

    def write_groups(self, groups: pd.DataFrame) -> None:
        """Store the table of groups."""
        self._write(GROUPS, groups.to_csv(index=False).encode())

    def answers(self) -> Any:
        """The first answers of a black box; None for a model with a digest."""
        return self._arrays(ANSWERS)["answers"] if ANSWERS in self.record.files else None

    def write_answers(self, answers: Any) -> None:
        """Store the first answers of a black box."""
        self._write(ANSWERS, npz.pack({"answers": answers}))
        self.save()

    def _arrays(self, file: str) -> Arrays:
        return npz.unpack(self._bytes(file), f"{file} of {self.name}")

    def _bytes(self, file: str) -> bytes:
        return files.recorded(self.folder, file, self.record.files, "its shard", "; run that shard again")

    def _write(self, file: str, data: bytes) -> None:
        self.change(files=files.write(self.folder, file, data, self.record.files))


def begin(folder: Path, record: PartRecord) -> Part:
    """Start a part in a folder that is new or empty."""
    for place in ("arrays", "tables"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    part = Part(folder, record)
    try:
        part.save()
    except UnicodeEncodeError as error:
        raise DataError(
            f"a name holds {error.object[error.start : error.end]!r}, which cannot be written to a file; rename it"
        ) from None
    return part


def read_part(folder: str | Path) -> Part:
    """Open a part. Its files are checked as they are read.

    Raises:
        IntegrityError: if it is none, or its record was changed.
    """
    folder = Path(folder)
    if not (folder / NAME).exists():
        raise IntegrityError(f"{folder} is not a part of an audit: it has no {NAME}; `probe audit --shard` makes one")
    shown = f"{NAME} of {folder.name}"
    document = parse(files.content(folder, NAME, LARGEST), shown)
    if document.get("schema", SCHEMA) != SCHEMA:
        raise IntegrityError(f"{shown} was written by another version of probe; run that shard again with this one")
    record = typed(PartRecord, document, shown)
    if record.digest != _digest(record):
        raise IntegrityError(f"{shown} was changed after its shard was run: its digest differs; run that shard again")
    return Part(folder, record)


def _digest(record: PartRecord) -> str:
    document = plain(replace(record, digest=""))
    return hashlib.sha256(json.dumps(document, ensure_ascii=False).encode()).hexdigest()
