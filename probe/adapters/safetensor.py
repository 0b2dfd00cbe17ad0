"""Weights in a safetensors file: a JSON header, then plain numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from probe.errors import DataError, UnsafeError

# First bytes of a pickle (protocol 2 and later) and of a zip, the format of torch.save.
PICKLE, ZIP = b"\x80", b"PK"
PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".bin", ".ckpt", ".pt2")
REMEDY = "its author can convert it: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"


class Declared(NamedTuple):
    """The declaration of a tensor in a file."""

    shape: tuple[int, ...]
    decimal: bool  # floating point rather than integers or booleans


def read_safetensors(path: str | Path) -> dict[str, Tensor]:
    """Read a safetensors file; anything that could hold code is refused unopened.

    Raises:
        UnsafeError: if the file looks like a pickle.
        DataError: if it is missing, truncated, or not a safetensors file.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from safetensors.torch import save_file
    >>> from probe import read_safetensors
    >>> with TemporaryDirectory() as folder:
    ...     save_file({"weight": torch.ones(2, 2)}, Path(folder, "net.safetensors"))
    ...     found = read_safetensors(Path(folder, "net.safetensors"))
    >>> found["weight"]
    tensor([[1., 1.],
            [1., 1.]])
    """
    path = Path(path)
    with _whole(path):
        return load_file(path)


def declared(path: str | Path) -> dict[str, Declared]:
    """The declared tensors of the header, which the library compares with the file size; no tensor is read."""
    path = Path(path)
    with _whole(path), safe_open(path, framework="pt") as file:
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  # it is not a dict
        # BOOL begins with a B too.
        return {
            name: Declared(tuple(part.get_shape()), part.get_dtype().startswith(("F", "BF")))
            for name, part in parts.items()
        }


def refuse_pickle(path: Path) -> UnsafeError:
    """Raise UnsafeError for a file that is or could hold a pickle."""
    return UnsafeError(
        f"{path.name} is a pickle or holds one, and opening it could run foreign code, so it was not opened; {REMEDY}"
    )


def head(path: Path, size: int) -> bytes:
    """The first bytes of a file.

    Raises:
        DataError: if there is no file to read.
    """
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise DataError(f"cannot read weights {path}: {error.strerror or error}") from None


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    first = head(path, 9)
    # A safetensors file is the length of a JSON header in 8 bytes, then that header.
    is_safetensors = first[8:] == b"{"
    if not is_safetensors and (first.startswith((PICKLE, ZIP)) or path.suffix in PICKLE_SUFFIXES):
        raise refuse_pickle(path)
    try:
        yield
    except (SafetensorError, ValueError, OverflowError) as error:
        raise DataError(f"{path.name} is not a whole safetensors file ({error}); copy it again") from None
