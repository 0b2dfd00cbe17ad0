"""The saved state of a run, from which it can be resumed.

States are written alternately to two files, each atomically: if the process is killed or the last file is damaged, the
previous state remains. Files are safetensors: tensors, with numbers as JSON metadata. Nothing in them is executed.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from probe.errors import DataError, ExistsError
from probe.tensors import sha256
from probe_models.files import write_whole

NAMES = ("state-a.safetensors", "state-b.safetensors")
Numbers = dict[str, Any]
_OWNED: ContextVar[frozenset[Path]] = ContextVar("_OWNED", default=frozenset())


class States:
    """The two state files of a run in a folder. `run` identifies the run: no other run resumes its state.

    A state is due every `every` seconds.
    """

    def __init__(self, folder: Path, run: str, every: float = 30.0) -> None:
        self.folder, self.run, self.every = folder, run, every
        self.serial, self.written = 0, time.monotonic()

    @property
    def due(self) -> bool:
        """Whether a state is due."""
        return time.monotonic() - self.written >= self.every

    def write(self, tensors: Mapping[str, Tensor], numbers: Numbers) -> None:
        """Write a state over the older one."""
        self.serial, self.written = self.serial + 1, time.monotonic()
        # Cloned, as safetensors refuses weights that share memory.
        contiguous = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        header = json.dumps({"serial": self.serial, "run": self.run, "numbers": numbers})
        content = save(contiguous, {"state": header, "sha256": _digest(header, contiguous)})
        try:
            write_whole(self.folder / NAMES[self.serial % 2], content)
        except OSError as error:
            raise DataError(f"cannot write the state of training to {self.folder}: {error.strerror or error}") from None

    def read(self) -> tuple[dict[str, Tensor], Numbers] | None:
        """The newest undamaged state; None if there is none.

        Raises:
            ExistsError: if it is the state of another run.
        """
        whole = [state for state in map(_read, (self.folder / name for name in NAMES)) if state is not None]
        if not whole:
            return None
        tensors, header = max(whole, key=lambda state: state[1]["serial"])
        if header["run"] != self.run:
            raise ExistsError(
                f"{self.folder} holds the state of a run with other settings, data or seed, and is left as it is; "
                f"give another folder, or remove {' and '.join(NAMES)} first"
            )
        self.serial = header["serial"]
        return tensors, header["numbers"]

    @staticmethod
    def left(folder: Path) -> bool:
        """Whether an unfinished run left a state."""
        return any((folder / name).exists() for name in NAMES)

    @staticmethod
    def clear(folder: Path) -> None:
        """Remove the state of a finished run, and leftovers of a killed writer."""
        for name in NAMES:
            for path in (folder / name, *folder.glob(f".{name}.*")):
                path.unlink(missing_ok=True)


def ensure_folder(folder: Path) -> None:
    """Create the folder of a run, unless it exists."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror or error}; give another folder") from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder against other training processes; reentrant.

    Raises:
        ExistsError: if another process or thread holds the lock.
    """
    if folder.resolve() in _OWNED.get():
        yield
        return
    # The lock is on the folder itself: it leaves no file, and the system releases it when the process ends.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ExistsError(f"another process trains into {folder}; wait for it, or give another folder") from None
    token = _OWNED.set(_OWNED.get() | {folder.resolve()})
    try:
        yield
    finally:
        _OWNED.reset(token)
        os.close(descriptor)


def _digest(header: str, tensors: Mapping[str, Tensor]) -> str:
    return hashlib.sha256((header + sha256(tensors)).encode()).hexdigest()


def _read(path: Path) -> tuple[dict[str, Tensor], Numbers] | None:
    """The content of a state file; None if it is missing or damaged."""
    try:
        with safe_open(path, "pt") as file:
            said = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
        if said["sha256"] != _digest(said["state"], tensors):
            return None
        header: Numbers = json.loads(said["state"])
    except (OSError, SafetensorError, ValueError, TypeError, KeyError):
        return None
    return tensors, header
