"""Verified reading and atomic writing of files."""

import gzip
import hashlib
import io
import os
import tempfile
import zlib
from pathlib import Path

from probe.errors import DataError, IntegrityError


def read_known(path: Path, size: int, sha256: str) -> bytes:
    """The uncompressed content of a gzip file that must have that size and digest.

    Raises:
        DataError: if the file is missing or no whole gzip file.
        IntegrityError: if its content is not the recorded one.
    """
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; restore it or install again") from None
    return unpack(packed, path.name, size, sha256)


def unpack(packed: bytes, name: str, size: int, sha256: str) -> bytes:
    """The content of gzip bytes, of which no more than `size` are unpacked, once it proves to be the recorded one."""
    if not packed.startswith(b"\x1f\x8b"):
        raise DataError(
            f"{name} is not a whole gzip file: it is not compressed; compress it with gzip, or copy it again"
        )
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is not a whole gzip file ({error}); copy it again") from None
    if len(content) > size:
        raise IntegrityError(f"{name} unpacks to more than the recorded {size:,} bytes; copy it again")
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise IntegrityError(
            f"{name} has the SHA-256 {found[:12]}..., expected {sha256[:12]}...: it was changed; copy it again"
        )
    return content


def _sync(folder: Path) -> None:
    """Sync a folder, so that a rename survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read.
        Path(part).chmod(0o644)
        Path(part).replace(path)
        _sync(path.parent)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
