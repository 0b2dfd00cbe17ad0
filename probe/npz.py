"""Arrays in an .npz, written without pickle and read after their declared sizes are verified."""

import hashlib
import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from probe.errors import IntegrityError

Arrays = dict[str, NDArray[Any]]
Stored = Mapping[str, NDArray[Any]]  # as they are read
LARGEST = 2**30  # bytes of the arrays once unpacked; a file of a stranger's cannot fill the memory
KINDS = "biufU"  # truth values, numbers, text: no objects, whose reading runs code, and no records
BROKEN = (
    *(ValueError, TypeError, KeyError, IndexError, EOFError, OSError, RuntimeError, NotImplementedError),
    *(SyntaxError, RecursionError, OverflowError, struct.error, tokenize.TokenError),
    *(zipfile.BadZipFile, zlib.error),
)


def pack(arrays: Mapping[str, Any], *, compressed: bool = True) -> bytes:
    """The arrays as the bytes of an .npz, deterministically."""
    buffer = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(buffer, **{k: np.asarray(v) for k, v in arrays.items()})  # type: ignore[arg-type]  # numpy types **kwds as its own keywords
    return buffer.getvalue()


def unpack(data: bytes, shown: str, *, only: str = "", most: int = LARGEST) -> Arrays:
    """The arrays of an .npz, or the one that is named, if it is there; `shown` is its name in messages.

    Raises:
        IntegrityError: if it is damaged, contradicts what it declares, unpacks to more than `most` bytes, or holds
        anything but numbers, booleans and text.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check(archive, shown, most=most)
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files if only in ("", key)}
    except MemoryError:
        raise IntegrityError(f"{shown} needs more memory than there is; it was not opened") from None
    except BROKEN as error:
        raise IntegrityError(f"{shown} cannot be read: {error}") from None


def names(data: bytes, shown: str) -> tuple[str, ...]:
    """The names of the arrays of an .npz, none of which is unpacked. Raises IntegrityError as `unpack` does."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check(archive, shown)
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except BROKEN as error:
        raise IntegrityError(f"{shown} cannot be read: {error}") from None


def check(archive: zipfile.ZipFile, shown: str, kinds: str = KINDS, most: int = LARGEST) -> None:
    """Raise ValueError unless an archive holds what it declares, within `most` bytes, and only numbers of `kinds`."""
    members = archive.infolist()
    if sum(member.file_size for member in members) > most:
        raise ValueError(f"{shown} unpacks to more than {most >> 20} MiB; it was not opened")
    if len({member.filename for member in members}) < len(members):
        raise ValueError("two arrays have the same name")
    for member in members:
        with archive.open(member) as stream:
            _check_header(stream, member, kinds)


def fingerprint(arrays: Arrays) -> str:
    """SHA-256 of the arrays, independent of compression."""
    seen = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        portable = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        seen.update(f"{name!r} {portable.dtype.str} {array.shape}\n".encode("utf-8", "backslashreplace"))
        seen.update(portable.tobytes())
    return seen.hexdigest()


def _check_header(stream: Any, member: zipfile.ZipInfo, kinds: str) -> None:
    """Raise ValueError unless the array that a member declares is as large as the member: numpy takes its word."""
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    reader = readers.get(npy.read_magic(stream))
    if reader is None or not member.filename.endswith(".npy"):
        raise ValueError(f"{member.filename} is not an array in a supported format")
    shape, _, dtype = reader(stream)
    if dtype.kind not in kinds or dtype.hasobject:
        text = ", truth values or text" if "U" in kinds else ""
        raise ValueError(f"{member.filename} holds {dtype}, expected numbers{text}")
    items = prod(shape)
    if min(shape, default=0) < 0 or items > LARGEST or stream.tell() + items * dtype.itemsize != member.file_size:
        raise ValueError(f"{member.filename} declares {shape} of {dtype}, which is not what it holds")
