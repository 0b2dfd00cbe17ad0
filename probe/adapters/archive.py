"""State dicts in the zip format of torch.save: every part is inspected before torch reads it."""

import pickle
import pickletools
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import torch
from torch import Tensor

from probe.adapters.safetensor import REMEDY, ZIP, head, refuse_pickle
from probe.errors import DataError, ProbeError, UnsafeError

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
LARGEST = 2**34  # bytes of weights
LARGEST_INDEX = 2**24  # bytes of data.pkl, which names the tensors: 16 MB are about 100,000 of them
# What torch.save writes beside data.pkl and the tensors in data/.
PARTS = {"data.pkl", "version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id"}
SCRIPT, EXPORTED = {"code", "constants.pkl", "constants"}, {"models", "archive_format", "archive_version", "extra"}
# All that the index of a state dict needs; torch's own list is longer, and includes names that allocate memory.
BUILDERS = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"}
WRAPPERS = ("state_dict", "model_state_dict", "model")


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict written by torch.save, on the CPU, with torch's weights-only loader.

    A training checkpoint that holds the state dict as "state_dict", "model_state_dict" or "model" is unwrapped.

    Raises:
        UnsafeError: if the file is a plain pickle, TorchScript, a .pt2 archive, or names anything but tensors.
        DataError: if it is missing, damaged, compressed, or declares more than it holds.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from probe import read_state_dict
    >>> with TemporaryDirectory() as folder:
    ...     torch.save(torch.nn.Linear(2, 3).state_dict(), Path(folder, "net.pt"))
    ...     found = read_state_dict(Path(folder, "net.pt"))
    >>> {name: tuple(tensor.shape) for name, tensor in found.items()}
    {'weight': (3, 2), 'bias': (3,)}
    """
    path = Path(path)
    if path.suffix not in SUFFIXES or not head(path, 2).startswith(ZIP):
        raise refuse_pickle(path)
    try:
        # Opened once, so that what is read is what was inspected.
        with path.open("rb") as file, ZipFile(file) as archive:
            root = _check_parts(path, archive.infolist())
            _check_names(path, archive.read(f"{root}/data.pkl"))
            file.seek(0)
            found = torch.load(file, map_location="cpu", weights_only=True)
    except ProbeError:
        raise
    except (BadZipFile, RuntimeError, ValueError, EOFError, OSError, LookupError, TypeError) as error:
        raise DataError(f"{path.name} is not a whole file of torch.save ({_first(error)}); copy it again") from None
    except pickle.UnpicklingError as error:
        raise UnsafeError(
            f"{path.name} holds more than tensors ({_first(error)}), so it was not read; {REMEDY}"
        ) from None
    return _check_tensors(path, _unwrap(path, found))


def _check_parts(path: Path, parts: list[ZipInfo]) -> str:
    """The common folder of the archive's parts, after checking that they are uncompressed, unique and torch.save's."""
    names = [PurePosixPath(part.filename).parts for part in parts]
    inner = {"/".join(name[1:]) for name in names}
    tops = {name[1] for name in names if len(name) > 1}
    if tops & EXPORTED:
        raise UnsafeError(
            f"{path.name} is an archive of torch.export, whose loader unpickles, so it was not opened; {REMEDY}"
        )
    if tops & SCRIPT:
        raise UnsafeError(f"{path.name} is TorchScript, which is a program, so it was not opened; {REMEDY}")
    strange = sorted(n for n in inner if n not in PARTS and not (n.startswith("data/") and n[5:].isdigit()))
    if strange or len({name[0] for name in names if name}) != 1 or "data.pkl" not in inner:
        raise UnsafeError(
            f"{path.name} is not a state dict of torch.save (its zip holds {', '.join(strange[:3]) or 'other parts'}), "
            f"so it was not opened; {REMEDY}"
        )
    if len(inner) != len(parts):
        raise DataError(f"{path.name} holds a part twice, and readers could disagree which one counts; save it again")
    size = sum(part.file_size for part in parts)
    if any(part.compress_type != ZIP_STORED for part in parts) or size > path.stat().st_size:
        raise DataError(
            f"{path.name} is packed and would unpack to {size:,} bytes; torch.save packs nothing, save it again"
        )
    index = next(part.file_size for part in parts if part.filename.endswith("/data.pkl"))
    if size > LARGEST or index > LARGEST_INDEX:
        raise DataError(
            f"{path.name} has {size:,} bytes, {index:,} of them names; more than {LARGEST:,} or {LARGEST_INDEX:,} "
            "are not read"
        )
    return str(names[0][0])


def _check_names(path: Path, index: bytes) -> None:
    """Raise UnsafeError unless the pickle only builds tensors. It is read as text; nothing is run."""
    for opcode, argument, _ in pickletools.genops(index):
        named = str(argument) if opcode.name == "GLOBAL" else ""
        storage = named.startswith("torch ") and named.endswith("Storage") and named.count(" ") == 1
        if opcode.name in ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4") or (
            named and not storage and named not in BUILDERS
        ):
            what = named.replace(" ", ".") or f"the pickle instruction {opcode.name}"
            raise UnsafeError(f"{path.name} holds more than tensors ({what}), so it was not read; {REMEDY}")


def _unwrap(path: Path, found: Any) -> Mapping[str, Tensor]:
    for name in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if isinstance(found, dict) and found and all(isinstance(value, Tensor) for value in found.values()):
        return found
    holds = ", ".join(map(str, list(found)[:5])) if isinstance(found, dict) else type(found).__name__
    raise DataError(f"{path.name} holds {holds or 'nothing'}, expected a state dict: a name for each tensor")


def _check_tensors(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for name, tensor in tensors.items():
        # With a stride of 0 one number can appear a trillion times.
        if tensor.nbytes > tensor.untyped_storage().nbytes():
            raise DataError(
                f"{path.name} declares {name} as {tuple(tensor.shape)} and holds fewer numbers; save it again"
            )
    return {str(name): tensor.detach() for name, tensor in tensors.items()}


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
