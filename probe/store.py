"""Results as two plain files, STEM.npz and STEM.json, which hold every field exactly.

Nothing in the files is executed, and declared sizes are checked before memory is allocated.
"""

import hashlib
import json
import os
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import Field, fields, is_dataclass
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from torch import Tensor

from probe import npz
from probe.errors import DataError, ExistsError, RangeError, ShapeError, UnknownMethod, UnknownSetting
from probe.forms import named
from probe.method import Method
from probe.numbers import as_written

FORMAT = 3
LARGEST = npz.LARGEST
BROKEN = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, EOFError, ArithmeticError, MemoryError),
    *(RuntimeError, SyntaxError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)

Build = Callable[[Mapping[str, Any]], Method]


def files(stem: str | Path) -> tuple[Path, Path]:
    """The two files of a result saved as STEM."""
    stem = Path(stem)
    return stem.with_name(stem.name + ".npz"), stem.with_name(stem.name + ".json")


def write(stem: str | Path, result: Any) -> None:
    """Write a result atomically.

    Raises:
        ExistsError: if there is a file of that name.
    """
    arrays: dict[str, Any] = {}
    record = {"format": FORMAT, "result": _packed(result, "", arrays)}
    text = json.dumps(record, indent=1, allow_nan=False)
    targets = files(stem)
    if taken := [path for path in targets if path.exists()]:
        raise ExistsError(f"{taken[0]} exists and is left as it is; save under another name")
    parts = [path.with_name(f".{path.name}.{os.getpid()}") for path in targets]
    try:
        with parts[0].open("wb") as file:
            np.savez_compressed(file, **arrays)
        parts[1].write_text(text)
        # The record is written last: if it exists, its arrays do.
        for part, path in zip(parts, targets, strict=True):
            part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def read(stem: str | Path, kinds: Mapping[str, type], build: Build) -> Any:
    """Read what `write` wrote; `kinds` are the allowed classes, and `build` makes a method from its settings.

    Raises:
        DataError: if the files are missing, damaged, or not what `write` writes.
    """
    arrays_file, record_file = files(stem)
    try:
        record = json.loads(_plain(record_file, LARGEST >> 4).read_bytes())
        arrays = _arrays(_plain(arrays_file, LARGEST))
        version = record.get("format", 1)
        if version not in (1, 2, FORMAT):
            raise ValueError(f"it has format {version!r:.40}, and this version reads {FORMAT}")
        entry = _first_format(record, arrays) if version == 1 else record["result"]
        if version < FORMAT and "space" in entry["fields"]:
            entry["fields"]["space"]["fields"] = _with_form(entry["fields"]["space"]["fields"])
        return _unpacked(entry, arrays, kinds, build)
    except UnknownSetting as error:
        raise DataError(f"{stem} is not a saved result: {error}") from None
    except UnknownMethod:
        raise
    except (RangeError, ShapeError, *BROKEN) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else str(error)
        raise DataError(f"{stem} is not a saved result: {reason[:300] or type(error).__name__}") from None


def digest(value: Any) -> str:
    """SHA-256 of the saved form of a value."""
    arrays: dict[str, Any] = {}
    record = json.dumps(_packed(value, "", arrays), sort_keys=True)
    return hashlib.sha256(record.encode() + npz.fingerprint(arrays).encode()).hexdigest()


def saved(kind: Any) -> list[Field[Any]]:
    """The fields of a result or space that are saved: all but those that are valid in one process only."""
    return [f for f in fields(kind) if f.metadata.get("saved", True)]


def _packed(value: Any, where: str, arrays: dict[str, Any]) -> Any:
    if isinstance(value, Tensor | np.ndarray):
        key = where or "values"
        arrays[key], dtype = _as_array(torch.as_tensor(value))
        return {"array": key, "dtype": dtype}
    if isinstance(value, Method):
        return {"config": as_written(value.config())}
    if is_dataclass(value):
        inside = {f.name: _packed(getattr(value, f.name), f"{where}.{f.name}".strip("."), arrays) for f in saved(value)}
        return {"kind": type(value).__name__, "fields": inside}
    if isinstance(value, tuple | list):
        return [_packed(entry, f"{where}.{at}", arrays) for at, entry in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not isfinite(value):
        return {"number": str(value)}
    return value


def _as_array(tensor: Tensor) -> tuple[Any, str]:
    """The bits of a tensor as an array, and its dtype: numpy has no bfloat16."""
    tensor = tensor.detach().cpu().contiguous()
    dtype = str(tensor.dtype).removeprefix("torch.")
    if not hasattr(np, dtype) and dtype != "bool":
        tensor = tensor.view({1: torch.uint8, 2: torch.int16, 4: torch.int32}[tensor.element_size()])
    return tensor.numpy(), dtype


def _as_tensor(array: Any, dtype: str) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))
    if str(tensor.dtype) == f"torch.{dtype}":
        return tensor
    if hasattr(np, dtype) or tensor.is_floating_point():
        raise ValueError(f"an array of {tensor.dtype} is declared as {dtype!r:.40}")
    return tensor.view(getattr(torch, dtype))


def _unpacked(entry: Any, arrays: Mapping[str, Any], kinds: Mapping[str, type], build: Build) -> Any:
    if isinstance(entry, list):
        return tuple(_unpacked(one, arrays, kinds, build) for one in entry)
    if not isinstance(entry, dict):
        return entry
    if "array" in entry:
        return _as_tensor(arrays[entry["array"]], entry["dtype"])
    if "number" in entry:
        return float(entry["number"])
    if "config" in entry:
        return build(entry["config"])
    entry = _with_task(_with_sampling_rate(entry))
    kind = kinds[entry["kind"]]
    inside = {name: _unpacked(value, arrays, kinds, build) for name, value in entry["fields"].items()}
    known, hints = {f.name for f in saved(kind)}, get_type_hints(kind, include_extras=True)
    for name, value in inside.items():
        if name not in known:
            raise ValueError(f"{entry['kind']} has no field {name!r:.40}")
        if not _fits(value, hints[name]):
            raise ValueError(f"{entry['kind']}.{name} is {value!r:.40}, which is not a valid value")
    return kind(**inside)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value has an annotated type."""
    if get_origin(hint) is Annotated:  # `Passed`: the type that a caller should pass
        hint = get_args(hint)[1]
    inner = get_args(hint)
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            return False
        each = (inner[0],) * len(value) if inner[-1] is Ellipsis else inner
        return len(each) == len(value) and all(map(_fits, value, each))
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if hint in (int, float):
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    # `Given` is what may be passed; stored values are tensors.
    return isinstance(value, Tensor if hint is Any else hint)


def _plain(path: Path, most: int) -> Path:
    """The path, if it is a regular file that is not too large: reading a pipe could block forever."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > most:
        raise ValueError(f"{path.name} is not a regular file, or is larger than {most >> 20} MiB; it was not opened")
    return path


def _arrays(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        npz.check(archive, path.name, kinds="biuf", most=LARGEST)
    with np.load(path, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def _with_task(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record of a Prediction with its task; the files of earlier versions have its settings by themselves."""
    held = dict(entry["fields"])
    if entry["kind"] != "Prediction" or "task" in held:
        return entry
    task = {name: held.pop(name) for name in ("classes", "threshold") if name in held}
    return {**entry, "fields": {**held, "task": {"kind": "Classification", "fields": task}}}


def _with_sampling_rate(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record of a Series; earlier files have its sampling rate as `rate`."""
    held = dict(entry["fields"])
    if entry["kind"] != "Series" or "rate" not in held:
        return entry
    held["sampling_rate"] = held.pop("rate")
    return {**entry, "fields": held}


def _first_format(record: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """A record without a format number, which holds a part of the space by name, as one of today's."""

    def array(name: str) -> dict[str, str] | None:
        return {"array": name, "dtype": str(arrays[name].dtype)} if name in arrays else None

    space: dict[str, Any] = {name: record[name] for name in ("names", "kinds", "form", "words", "special")}
    space |= {"bounds": [array("low"), array("high")], "scale": array("scale"), "features": array("features")}
    inside = {
        "inputs": array("inputs"),
        "method": {"config": record["method"]},
        "space": {"kind": "Space", "fields": space},
        "cost": {"kind": "Usage", "fields": record["cost"]},
    }
    if record["kind"] == "Attribution":
        inside |= {"values": array("values"), "targets": array("targets")}
    else:
        answers = {"labels": array("labels"), "threshold": record.get("threshold")}
        inside["perturbed"] = array("perturbed")
        for when in ("clean", "attacked"):
            inside[when] = {"kind": "Prediction", "fields": answers | {"logits": array(when)}}
    return {"kind": record["kind"], "fields": inside}


def _with_form(space: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a space that has the name of a form, and beside it what is said of one, with the form itself."""
    geometry = {"bounds", "features", "reference", "mutable", "scale", "form"}
    said = {name: value for name, value in space.items() if name not in geometry and value}
    kind = type(named(space["form"], {name: tuple(value) for name, value in said.items() if name != "special"}))
    known = {f.name for f in saved(kind)}
    form = {"kind": kind.__name__, "fields": {name: value for name, value in said.items() if name in known}}
    return {name: value for name, value in space.items() if name in geometry} | {"form": form}
