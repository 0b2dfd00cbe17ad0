"""A lock on a folder: one process writes at a time, and a reader can ask which.

The kernel releases the lock when the process ends in any way; the existence of the lock file means nothing.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from probe.errors import ExistsError

NAME = "probe.lock"
PATIENCE = 0.5  # seconds to wait, as a reader that asks holds the lock for a moment


@contextmanager
def writing(folder: str | Path, patience: float = PATIENCE) -> Iterator[int | None]:
    """Hold the lock for writing into a folder, which is created if it does not exist; wait for it for some seconds.

    Gives the id of a process that left its lock as it was killed, 0 if it cannot be read; None if none did.

    Raises:
        ExistsError: if another process, or another thread, writes into it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    held, left = _acquire(folder, patience)
    try:
        yield left
    finally:
        # Removed while the lock is held: a process that waits for this file finds it gone and creates another.
        with suppress(OSError):
            (folder / NAME).unlink()
        os.close(held)


def writer(folder: str | Path) -> int | None:
    """The id of the process that writes into a folder; None if there is none, 0 if its id cannot be read."""
    try:
        opened = os.open(Path(folder) / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _process(opened)
    except OSError:
        return None
    finally:
        os.close(opened)
    return None


def _process(opened: int) -> int:
    text = os.read(opened, 20).decode("ascii", "replace").strip()
    return int(text) if text.isdecimal() and text.isascii() else 0


def _acquire(folder: Path, patience: float) -> tuple[int, int | None]:
    path, patient_until = folder / NAME, time.monotonic() + patience
    while True:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            if time.monotonic() < patient_until:
                time.sleep(0.02)
                continue
            pid = writer(folder)
            raise ExistsError(
                f"process {pid or 'of another user'} is writing into {folder}; wait until it is done, end it, or "
                "choose another out"
            ) from None
        except OSError:
            return opened, None  # a file system without locks: nothing is protected, and nothing is refused
        if _is_at(path, opened):
            left = _process(opened) if os.fstat(opened).st_size else None
            os.ftruncate(opened, 0)
            os.pwrite(opened, f"{os.getpid()}\n".encode(), 0)
            return opened, left
        os.close(opened)


def _is_at(path: Path, opened: int) -> bool:
    """Whether the open file is still the file at that path."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(opened), path.lstat())
    return False
