"""Inspection of a Hugging Face folder before transformers opens it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from threading import get_ident
from typing import Any, NamedTuple

import torch
from torch.nn.modules.module import register_module_module_registration_hook

from probe.adapters.safetensor import declared
from probe.errors import DataError, UnsafeError, Unsupported
from probe.names import a_kind

LARGEST_COUNT = 2**20  # largest integer in config.json that exceeds every side of a tensor
# Name parts of settings that repeat nothing; what they enlarge is counted on the meta device.
BOUNDLESS = ("position", "length", "theta", "token")
MODULES, SPARE = 8, 1000  # modules per tensor, plus a constant; no network of transformers has more than 3 per tensor


class Found(NamedTuple):
    """A classifier found in a folder."""

    folder: Path
    kind: str  # the end of the architecture's name
    tensors: int  # in the files of weights
    numbers: int  # in all of them


def look(folder: Path) -> Found:
    """Inspect a folder before transformers opens anything in it."""
    config = read_json(folder / "config.json")
    if (folder / "adapter_config.json").exists():
        raise Unsupported(
            f"{folder.name} holds an adapter for another model; merge the two (merge_and_unload) and save that"
        )
    architecture = next(iter(config.get("architectures") or [""]), "")
    kind = next(
        (k for k in ("ForSequenceClassification", "ForImageClassification") if str(architecture).endswith(k)), ""
    )
    if not kind:
        raise Unsupported(
            f"{folder.name} holds {architecture or 'no named architecture'}, expected one that ends in "
            "ForSequenceClassification or ForImageClassification"
        )
    shapes = [part.shape for file in _weights(folder) for part in declared(file).values()]
    _check_counts(folder, config, max((side for shape in shapes for side in shape), default=0))
    return Found(folder, kind, len(shapes), sum(map(prod, shapes)))


def _check_counts(folder: Path, config: dict[str, Any], longest: int) -> None:
    """Raise DataError for numbers in config.json that would allocate memory before any weights are read.

    Vocabulary, number of classes and widths are sides of a tensor in the file; all others are small.
    """
    left = list(config.items())
    while left:
        name, value = left.pop()
        if isinstance(value, dict):
            left += value.items()
        elif not any(part in name for part in BOUNDLESS) and (count := _total(value)) > max(longest, LARGEST_COUNT):
            raise DataError(
                f"config.json of {folder.name} declares {name} = {count:,}, and no tensor of its weights has a side "
                f"longer than {longest:,}; copy the folder again"
            )


def _total(value: Any) -> int:
    """The sum of the integers in a value, including nested lists."""
    total, left = 0, [value]
    while left:
        part = left.pop()
        if isinstance(part, list | dict):
            left += part.values() if isinstance(part, dict) else part
        elif isinstance(part, int):
            total += min(max(0, part), 2**63)  # Python writes no number of thousands of digits
    return total


def read_json(path: Path) -> dict[str, Any]:
    """The table of settings in a JSON file."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}; expected the folder that save_pretrained wrote "
            "(names of the hub are not downloaded)"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}); copy it again") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} holds {a_kind(content)}, expected a table of settings")
    return content


def _weights(folder: Path) -> list[Path]:
    """The weight files: one, or those that an index lists."""
    if (folder / "model.safetensors").exists():
        return [folder / "model.safetensors"]
    if (folder / "model.safetensors.index.json").exists():
        named = read_json(folder / "model.safetensors.index.json").get("weight_map")
        files = sorted(set(map(str, named.values()))) if isinstance(named, dict) else []
        if not files or any(Path(file).name != file for file in files):
            raise UnsafeError(f"the index of {folder.name} names files outside its folder, or none; it was not opened")
        return [folder / file for file in files]
    pickles = [file.name for file in folder.glob("*.bin")]
    if pickles:
        raise UnsafeError(
            f"{folder.name} keeps its weights in {pickles[0]}, which is a pickle, so it was not opened; "
            "model.save_pretrained(folder) of a new transformers writes model.safetensors"
        )
    raise DataError(f"{folder.name} has no model.safetensors")


@contextmanager
def no_more_modules_than(found: Found) -> Iterator[None]:
    """Raise while a network is built that has far more modules than there are weights.

    The number of modules follows from the config differently for each architecture, so they are counted during
    construction.
    """
    count, most, thread = 0, MODULES * found.tensors + SPARE, get_ident()

    def counted(*_: Any) -> None:
        nonlocal count
        count += get_ident() == thread  # other threads may build networks
        if count > most and get_ident() == thread:
            raise DataError(
                f"config.json of {found.folder.name} declares more than {most:,} modules, its weights "
                f"{found.tensors:,} tensors; copy the folder again"
            )

    handle = register_module_module_registration_hook(counted)
    try:
        yield
    finally:
        handle.remove()


def check_numbers(found: Found, outline: torch.nn.Module) -> None:
    """Raise DataError if a network on the meta device has more numbers than the files."""
    weights = sum(parameter.numel() for parameter in outline.parameters())
    # Masks and position tables are computed and in no file.
    beside = sum(buffer.numel() for buffer in outline.buffers())
    if weights > 2 * found.numbers + 10_000_000 or beside > 2 * found.numbers + 2**26:
        raise DataError(
            f"config.json of {found.folder.name} declares {weights:,} weights and {beside:,} numbers beside them, "
            f"its files {found.numbers:,}"
        )
