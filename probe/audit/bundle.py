"""A bundle: one folder of plain files that holds an audit. Reading and writing it needs no torch and runs no code."""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from numpy.typing import NDArray

from probe import lock, npz
from probe.audit import files
from probe.audit.canonical import LARGEST, digest, dump, evidence_digest
from probe.audit.manifest import Manifest, read_manifest
from probe.errors import DataError, ExistsError, IntegrityError
from probe.npz import Arrays, Stored
from probe.text import visible

__all__ = ["Arrays", "Bundle", "Stored", "create", "digest", "find", "parse", "read"]

T = TypeVar("T")

# Columns with names given by people: groups, classes, features, items of a survey.
NAMES = (
    "attribute",
    "group",
    "a",
    "b",
    "reference",
    "lowest",
    "highest",
    "smallest_group",
    "left_out",
    "item",
    "label",
)
# A group may be called NA, or be a blank, whose line would look empty.
EMPTY: dict[str, Any] = {"keep_default_na": False, "na_values": [""], "skip_blank_lines": False}


@dataclass(eq=False, repr=False)
class Bundle:
    """An audit on disk. `manifest` is the content of audit.json; changes to it are written by `save`."""

    folder: Path
    manifest: Manifest
    _tables: dict[tuple[str, str], pd.DataFrame] = field(default_factory=dict, init=False, repr=False)  # by digest

    def __repr__(self) -> str:
        """Where it is, and what it is known by; `probe.show` shows what it says."""
        return f"Bundle({str(self.folder)!r}, {self.manifest.status}, digest {self.manifest.digest})"

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def complete(self) -> bool:
        """Whether every step of the plan ended."""
        return self.manifest.status == "complete"

    def has(self, file: str) -> bool:
        """Whether the manifest lists that file."""
        return file in self.manifest.files

    def arrays(self, name: str) -> Stored:
        """The arrays of arrays/NAME.npz. Raises IntegrityError if they are not what was recorded."""
        file = f"arrays/{name}.npz"
        arrays = npz.unpack(self._bytes(file), f"{file} of {self.folder.name}")
        if npz.fingerprint(arrays) != self.manifest.contents.get(file):
            raise IntegrityError(f"{file} of {self.folder.name} does not hold the recorded arrays")
        return arrays

    def array(self, name: str, key: str) -> NDArray[Any] | None:
        """One array of arrays/NAME.npz, without unpacking the others, which may be large; None if it is not there."""
        file = f"arrays/{name}.npz"
        return npz.unpack(self._bytes(file), f"{file} of {self.folder.name}", only=key).get(key)

    def table(self, name: str) -> pd.DataFrame:
        """The table of tables/NAME.csv."""
        return self._parsed(f"tables/{name}.csv", dtype=dict.fromkeys(NAMES, str))

    def groups(self) -> pd.DataFrame:
        """The groups of the rows, as names: 01 and 1 are different. An empty cell is unknown."""
        return self._parsed("tables/groups.csv", dtype=str)

    def derived(self, what: tuple[str, ...], make: Callable[[], T]) -> T:
        """What follows from the bundle: made each time, unless a subclass keeps it, under the name `what`."""
        return make()

    def write_arrays(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Store arrays/NAME.npz."""
        data = npz.pack(arrays)
        self._write(f"arrays/{name}.npz", data)
        contents = {**self.manifest.contents, f"arrays/{name}.npz": npz.fingerprint(npz.unpack(data, name))}
        self.change(contents=contents)

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Store tables/NAME.csv."""
        self._write(f"tables/{name}.csv", table.to_csv(index=False).encode())

    def write_report(self, html: str) -> Path:
        """Store report.html, which the digest does not cover: it shows the digest, and follows from the other files."""
        data = html.encode()
        files.replace(self.folder / "report.html", data)
        self.change(report_sha256=hashlib.sha256(data).hexdigest())
        self.save()
        return self.folder / "report.html"

    def change(self, **parts: Any) -> None:
        """Replace parts of the manifest."""
        self.manifest = replace(self.manifest, **parts)

    def save(self) -> None:
        """Write audit.json atomically."""
        document = self.manifest.to_json()
        document["evidence_digest"] = evidence_digest(document)
        document["digest"] = digest(document)
        self.change(evidence_digest=document["evidence_digest"], digest=document["digest"])
        files.replace(self.folder / "audit.json", dump(document))

    def _parsed(self, file: str, dtype: Any) -> pd.DataFrame:
        """A table of its own for whoever asks; it is parsed once, and the file is checked at each time."""
        data = self._bytes(file)
        place = (self.manifest.files[file], str(dtype))
        try:
            if place not in self._tables:
                self._tables[place] = pd.read_csv(io.BytesIO(data), dtype=dtype, **EMPTY)
            return self._tables[place].copy()
        except (ValueError, LookupError, OverflowError, RecursionError, MemoryError) as error:
            raise IntegrityError(f"{file} of {self.folder.name} is not a table: {error}") from None

    def _bytes(self, file: str) -> bytes:
        return files.recorded(self.folder, file, self.manifest.files, "the audit")

    def _write(self, file: str, data: bytes) -> None:
        self.change(files=files.write(self.folder, file, data, self.manifest.files))


def parse(content: bytes) -> pd.DataFrame:
    """A table from its CSV. Names given by people stay text, even if they look like numbers."""
    return pd.read_csv(io.BytesIO(content), dtype=dict.fromkeys(NAMES, str), **EMPTY)


def create(folder: str | Path, manifest: Manifest) -> Bundle:
    """Start a bundle in a folder that is new or empty."""
    folder = Path(folder)
    if not is_unused(folder):
        raise ExistsError(f"{folder} exists and is not an audit, so it is left as it is; choose another --out")
    for part in ("arrays", "tables"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    bundle = Bundle(folder, manifest)
    try:
        bundle.save()
    except UnicodeEncodeError as error:
        raise DataError(
            f"a name holds {error.object[error.start : error.end]!r}, which cannot be written to a file; rename it"
        ) from None
    return bundle


def is_unused(folder: Path) -> bool:
    """Whether a folder is empty, except for leftovers of an audit that could not write its first file."""
    if not folder.exists():
        return True
    if not folder.is_dir():
        return False
    empty = [folder / part for part in ("arrays", "tables")]
    left = {lock.NAME, *(path.name for path in files.leftovers(folder))}
    return all(
        path.name in left or (path in empty and path.is_dir() and not set(path.iterdir()) - {*files.leftovers(folder)})
        for path in folder.iterdir()
    )


def read(folder: str | Path) -> Bundle:
    """Open a bundle. Its files are checked against the manifest as they are read.

    Raises:
        IntegrityError: if there is no audit.json, it was changed, or this version does not read it.
    """
    folder = Path(folder)
    if not (folder / "audit.json").exists():
        raise IntegrityError(f"{folder} is not a bundle: it has no audit.json; {_instead_of(folder)}")
    data = files.content(folder, "audit.json", LARGEST)
    return Bundle(folder, read_manifest(data, f"audit.json of {folder.name}"))


def _instead_of(folder: Path) -> str:
    """The bundle that somebody who gave another folder may have meant."""
    within = find(folder)
    around = next((each for each in folder.absolute().parents[:2] if (each / "audit.json").is_file()), None)
    if within:
        others = f", one of {len(within)} in it" if len(within) > 1 else ""
        return f"give {visible(str(within[0]))}{others}"
    return f"give {visible(str(around))}, which it is part of" if around else "`probe audit` makes one"


def find(runs: str | Path) -> list[Path]:
    """The folders below `runs` that hold a bundle, or `runs` itself if it is one, newest first."""
    runs = Path(runs)
    if (runs / "audit.json").is_file():
        return [runs]
    found = [path.parent for path in runs.glob("*/audit.json")] if runs.is_dir() else []
    return sorted(found, key=lambda folder: (folder / "audit.json").stat().st_mtime, reverse=True)
