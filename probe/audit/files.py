"""Files of a bundle: read only if they are regular files of limited size, and replaced atomically."""

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from probe.errors import IntegrityError

ASKED = "asked.npz"  # what explanations share, in the folder of an audit that has not ended
LARGEST = 2**30  # the most bytes of a file, and of an unpacked array file: a foreign bundle cannot fill the memory
TEMPORARY = re.compile(r"\..+\.\d+")  # temporary files of `replace`; only a killed process leaves one


def content(folder: Path, file: str, most: int = LARGEST) -> bytes:
    """The bytes of a file of a bundle.

    Raises:
        IntegrityError: if it does not exist, is a link, a device or a pipe, is outside the folder, or is too large.
        MemoryError: if there is not enough memory.
    """
    path, shown = folder / file, f"{file} of {folder.name}"
    name = PurePosixPath(file)
    parents = [folder / parent for parent in name.parents if parent.name]
    if name.is_absolute() or ".." in name.parts or any(p.is_symlink() for p in (path, *parents)):
        raise IntegrityError(f"{shown} points outside the bundle; it was not opened")
    try:
        # Non-blocking: opening a pipe would otherwise wait for a writer before it can be recognised as one.
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > most:
                raise IntegrityError(
                    f"{shown} is not a regular file, or is larger than {most >> 20} MiB; it was not opened"
                )
            data = stream.read(found.st_size + 1)
    except (OSError, ValueError) as error:  # a name with a zero byte in it is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise IntegrityError(f"{shown} cannot be read: {reason}") from None
    if len(data) > found.st_size:
        raise IntegrityError(f"{shown} grew while it was read")
    return data


def is_file(folder: Path, file: str) -> bool:
    """Whether the bundle has that file, as a regular file."""
    path = folder / file
    return path.is_file() and not path.is_symlink()


def recorded(folder: Path, file: str, digests: Mapping[str, str], writer: str, remedy: str = "") -> bytes:
    """The bytes of a file, if their SHA-256 is the recorded one; messages name its writer and end with the remedy.

    Raises:
        IntegrityError: if it is not recorded, has another digest, or cannot be read.
    """
    if file not in digests:
        raise IntegrityError(f"{folder.name} has no {file}; the step that writes it was not run{remedy}")
    data = content(folder, file)
    if hashlib.sha256(data).hexdigest() != digests[file]:
        raise IntegrityError(f"{file} of {folder.name} is not the file that {writer} wrote: its digest differs{remedy}")
    return data


def write(folder: Path, file: str, data: bytes, digests: Mapping[str, str]) -> dict[str, str]:
    """Write a file atomically; the digests with its own."""
    replace(folder / file, data)
    return {**digests, file: hashlib.sha256(data).hexdigest()}


def replace(path: Path, data: bytes) -> None:
    """Write a file atomically: after a crash or on a full disk there is the old or the new file, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        # An error of writing to an open file lacks its name, which the message needs.
        raise OSError(error.errno, error.strerror, str(path)) from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def leftovers(folder: Path) -> list[Path]:
    """Temporary files left by a killed process."""
    places = (folder, folder / "arrays", folder / "tables")
    there = [path for place in places if place.is_dir() for path in place.iterdir()]
    return [path for path in there if TEMPORARY.fullmatch(path.name) and not path.is_dir()]
