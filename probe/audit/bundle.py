"""A bundle: one folder of plain files that holds an audit. Reading and writing it needs no torch and runs no code."""

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from probe.errors import ExistsError, IntegrityError

SCHEMA = 1
LARGEST = 2**30  # bytes of one array file once unpacked; a bundle of somebody else's cannot fill the memory

# Columns whose entries people named: groups, classes, features.
NAMES = ("attribute", "group", "a", "b", "reference", "lowest", "highest", "smallest_group", "left_out")
# A group may be called NA, or be a blank, which would make its line look empty.
EMPTY: dict[str, Any] = {"keep_default_na": False, "na_values": [""], "skip_blank_lines": False}

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Bundle:
    """An audit on disk. `manifest` is what audit.json holds."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def complete(self) -> bool:
        """Whether every step of the plan ended."""
        return bool(self.manifest["status"] == "complete")

    def has(self, file: str) -> bool:
        """Whether the manifest lists that file."""
        return file in self.manifest["files"]

    def arrays(self, name: str) -> Arrays:
        """The arrays of arrays/NAME.npz. Raises IntegrityError if they are not what was recorded."""
        data = self._bytes(f"arrays/{name}.npz")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(member.file_size for member in archive.infolist()) > LARGEST:
                    raise IntegrityError(
                        f"arrays/{name}.npz unpacks to more than {LARGEST >> 20} MiB; it was not opened"
                    )
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except (ValueError, zipfile.BadZipFile, EOFError, RuntimeError, zlib.error) as error:
            raise IntegrityError(f"arrays/{name}.npz of {self.folder.name} cannot be read: {error}") from None

    def table(self, name: str) -> pd.DataFrame:
        """The table of tables/NAME.csv."""
        return parse(self._bytes(f"tables/{name}.csv"))

    def groups(self) -> pd.DataFrame:
        """The groups of the rows, as names: 01 and 1 are two of them. An empty cell is not known."""
        return pd.read_csv(io.BytesIO(self._bytes("tables/groups.csv")), dtype=str, **EMPTY)

    def write_arrays(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Store arrays/NAME.npz."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{k: np.asarray(v) for k, v in arrays.items()})  # type: ignore[arg-type]  # numpy types **kwds as its own keywords
        self._write(f"arrays/{name}.npz", buffer.getvalue())

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Store tables/NAME.csv."""
        self._write(f"tables/{name}.csv", table.to_csv(index=False).encode())

    def write_report(self, html: str) -> Path:
        """Store report.html. It is drawn from the rest, so the digest, which it shows, does not cover it."""
        data = html.encode()
        _replace(self.folder / "report.html", data)
        self.manifest["report_sha256"] = hashlib.sha256(data).hexdigest()
        self.save()
        return self.folder / "report.html"

    def save(self) -> None:
        """Write audit.json, whole or not at all."""
        self.manifest["digest"] = digest(self.manifest)
        text = json.dumps(self.manifest, indent=1, ensure_ascii=False, allow_nan=False)
        _replace(self.folder / "audit.json", text.encode())

    def _bytes(self, file: str) -> bytes:
        if not self.has(file):
            raise IntegrityError(f"{self.folder.name} has no {file}; the step that makes it was not run")
        path = self.folder / file
        if path.is_symlink() or not path.resolve().is_relative_to(self.folder.resolve()):
            raise IntegrityError(f"{file} of {self.folder.name} points outside the bundle; it was not opened")
        if path.exists() and not (path.is_file() and path.stat().st_size <= LARGEST):
            raise IntegrityError(f"{file} of {self.folder.name} is no file, or too large; it was not opened")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise IntegrityError(f"{file} of {self.folder.name} cannot be read: {error.strerror}") from None
        if hashlib.sha256(data).hexdigest() != self.manifest["files"][file]:
            raise IntegrityError(
                f"{file} of {self.folder.name} is not the file that the audit wrote: its digest differs"
            )
        return data

    def _write(self, file: str, data: bytes) -> None:
        _replace(self.folder / file, data)
        self.manifest["files"][file] = hashlib.sha256(data).hexdigest()


def parse(content: bytes) -> pd.DataFrame:
    """A table from its CSV: what people named stays text, also where it looks like a number."""
    return pd.read_csv(io.BytesIO(content), dtype=dict.fromkeys(NAMES, str), **EMPTY)


def create(folder: str | Path, manifest: Mapping[str, Any]) -> Bundle:
    """Start a bundle in a folder that does not exist yet, or is empty."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExistsError(f"{folder} exists and is left as it is; choose another --out, or --replace it")
    for part in ("arrays", "tables"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    start = {"schema": SCHEMA, "status": "running", "created": now, "steps": [], "findings": [], "files": {}}
    bundle = Bundle(folder, start | dict(manifest))
    bundle.save()
    return bundle


def read(folder: str | Path) -> Bundle:
    """Open a bundle. Its files are checked against the manifest as they are read.

    Raises:
        IntegrityError: if there is no audit.json, or it is not one that this version reads.
    """
    folder = Path(folder)
    path = folder / "audit.json"
    try:
        if not path.is_file() or path.stat().st_size > LARGEST >> 4:
            raise IntegrityError(f"{folder} is not a bundle: it has no audit.json, or too large a one")
        manifest = json.loads(path.read_bytes())
    except OSError:
        raise IntegrityError(f"{folder} is not a bundle: it has no audit.json; `probe audit` makes one") from None
    except ValueError as error:
        raise IntegrityError(f"{path} is damaged: {error}") from None
    required = {"schema", "name", "status", "plan", "model", "data", "steps", "findings", "files", "digest"}
    if not isinstance(manifest, dict) or not required <= manifest.keys():
        raise IntegrityError(f"{path} is not the manifest of an audit")
    if manifest["schema"] != SCHEMA:
        raise IntegrityError(f"{folder.name} has schema {manifest['schema']}, this version reads {SCHEMA}")
    names = [PurePosixPath(name) for name in manifest["files"]]
    if any(name.is_absolute() or ".." in name.parts for name in names):
        raise IntegrityError(f"{path} names files outside its folder; nothing was opened")
    return Bundle(folder, manifest)


def find(runs: str | Path) -> list[Path]:
    """The folders below `runs` that hold a bundle, or `runs` itself if it is one, newest first."""
    runs = Path(runs)
    if (runs / "audit.json").is_file():
        return [runs]
    found = [path.parent for path in runs.glob("*/audit.json")] if runs.is_dir() else []
    return sorted(found, key=lambda folder: (folder / "audit.json").stat().st_mtime, reverse=True)


def digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of the manifest, which names every file's digest; of all but the digest itself and the report's."""
    covered = {k: v for k, v in manifest.items() if k not in ("digest", "report_sha256")}
    return hashlib.sha256(json.dumps(covered, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that a crash or a full disk leaves the old one or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
