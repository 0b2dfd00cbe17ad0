"""Files of a bundle: read only if they are plain files of a decent size, and replaced whole or not at all."""

import os
import re
import stat
from pathlib import Path, PurePosixPath

from probe.errors import IntegrityError

LARGEST = 2**30  # bytes of one file, and of one array file once unpacked; a stranger's bundle cannot fill the memory
TEMPORARY = re.compile(r"\..+\.\d+")  # what `replace` writes first; only a process that was killed leaves one


def content(folder: Path, file: str, most: int = LARGEST) -> bytes:
    """The bytes of a file of a bundle.

    Raises:
        IntegrityError: if it is not there, is a link, a device or a pipe, lies outside the folder, or is too large.
        MemoryError: if there is no room for it.
    """
    path, shown = folder / file, f"{file} of {folder.name}"
    name = PurePosixPath(file)
    parents = [folder / parent for parent in name.parents if parent.name]
    if name.is_absolute() or ".." in name.parts or any(p.is_symlink() for p in (path, *parents)):
        raise IntegrityError(f"{shown} points outside the bundle; it was not opened")
    try:
        # Not blocking: a pipe would wait for a writer before it could be told from a file.
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > most:
                raise IntegrityError(f"{shown} is no file, or larger than {most >> 20} MiB; it was not opened")
            data = stream.read(found.st_size + 1)
    except (OSError, ValueError) as error:  # a name with a zero byte in it is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise IntegrityError(f"{shown} cannot be read: {reason}") from None
    if len(data) > found.st_size:
        raise IntegrityError(f"{shown} grew while it was read")
    return data


def is_file(folder: Path, file: str) -> bool:
    """Whether the bundle has that file, and it is a plain one."""
    path = folder / file
    return path.is_file() and not path.is_symlink()


def replace(path: Path, data: bytes) -> None:
    """Write a file so that a crash or a full disk leaves the old one or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        # Writing to an open file fails without its name, and the name is what a person can act on.
        raise OSError(error.errno, error.strerror, str(path)) from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def leftovers(folder: Path) -> list[Path]:
    """The temporary files that a process which was killed left behind."""
    places = (folder, folder / "arrays", folder / "tables")
    there = [path for place in places if place.is_dir() for path in place.iterdir()]
    return [path for path in there if TEMPORARY.fullmatch(path.name) and not path.is_dir()]
