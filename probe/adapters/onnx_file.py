"""Inspection of an ONNX file: the declared sizes of its tensors, and its external data files.

ONNX is a protocol buffer. Only the messages that lead to tensors are parsed.
"""

from math import prod
from pathlib import Path

from probe.adapters.onnx_sizes import DIMENSIONS, made
from probe.adapters.protobuf import fields, numbers, parts
from probe.errors import DataError, UnsafeError

LARGEST = 2**31  # bytes: no protocol buffer is larger
LARGEST_BESIDE = 2**34  # bytes of the files beside it
LARGEST_MADE = 2**27  # numbers that nodes may create from constant shapes, beyond the size of the files
# Which fields of a message (onnx.proto) lead to tensors.
INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
EXTERNAL, KEY, VALUE, DENSE = 13, 1, 2, 3
PROPERTIES = 14  # of a model: names and texts


def files(path: Path) -> list[Path]:
    """The files of an ONNX model: itself, and its external data.

    Raises:
        UnsafeError: if it names a file outside its folder.
        DataError: if it is missing, damaged, too large, or declares or creates tensors that are larger than its files.
            `onnx_sizes` documents what cannot be known before it runs.
    """
    content = _content(path)
    size = len(content)
    try:
        beside, largest, grown = _sizes(content)
    except (ValueError, IndexError) as error:
        raise DataError(f"cannot read {path} as ONNX: {error}") from None
    found = [path, *(_beside(path, name) for name in sorted(beside))]
    held = sum(each.stat().st_size for each in found)
    if held - size > LARGEST_BESIDE:
        raise DataError(f"the tensors of {path.name} have {held - size:,} bytes, more than {LARGEST_BESIDE:,}")
    # No dtype packs more than two numbers into a byte.
    if largest > 2 * held:
        raise DataError(f"{path.name} declares a tensor of {largest:,} numbers, and its files have {held:,} bytes")
    if grown > max(LARGEST_MADE, 2 * held):
        raise DataError(
            f"{path.name} makes {grown:,.0f} numbers of shapes that are constants, and its files have {held:,} bytes; "
            f"no more than {LARGEST_MADE:,} are made of a small file"
        )
    return found


def properties(path: Path) -> dict[str, str]:
    """The metadata of the file, by name.

    Raises:
        DataError: if it is missing, damaged or too large.
    """
    content = _content(path)
    try:
        return {pair.get(KEY, b"").decode(): pair.get(VALUE, b"").decode() for pair in _pairs(content, PROPERTIES)}
    except (ValueError, IndexError) as error:
        raise DataError(f"cannot read {path} as ONNX: {error}") from None


def _content(path: Path) -> memoryview:
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    if size > LARGEST:
        raise DataError(f"{path.name} has {size:,} bytes, more than {LARGEST:,}, which no ONNX file has")
    return memoryview(content)


def _beside(path: Path, name: str) -> Path:
    folder, file = path.parent.resolve(), (path.parent / name).resolve()
    if not name or folder not in file.parents:
        raise UnsafeError(f"{path.name} names the file {name!r} outside its folder, so it was not opened")
    if not file.is_file():
        raise DataError(f"{path.name} keeps tensors in {name!r}, and there is no such file beside it; copy it too")
    return file


def _sizes(model: memoryview) -> tuple[set[str], int, float]:
    """The external files, the size of the largest tensor, and the numbers that nodes create."""
    found: dict[str, list[memoryview]] = {kind: [] for kind in (*INSIDE, "tensor")}
    left = [("model", model)]
    while left:
        kind, message = left.pop()
        found[kind].append(message)
        for number, content in fields(message) if kind in INSIDE else ():
            if number in INSIDE[kind] and isinstance(content, memoryview):
                left.append((INSIDE[kind][number], content))
    beside = {name for tensor in found["tensor"] for name in _locations(tensor)}
    largest = max((prod(numbers(tensor, DIMENSIONS)) for tensor in found["tensor"]), default=0)
    # onnxruntime expands sparse tensors.
    dense = sum(prod(map(float, numbers(sparse, DENSE))) for sparse in found["sparse"])
    return beside, largest, dense + made(found["node"], found["tensor"])


def _locations(tensor: memoryview) -> set[str]:
    return {pair.get(VALUE, b"").decode() for pair in _pairs(tensor, EXTERNAL) if pair.get(KEY) == b"location"}


def _pairs(message: memoryview, field: int) -> list[dict[int, bytes]]:
    """The key-value pairs of a field."""
    return [
        {number: bytes(content) for number, content in fields(entry) if isinstance(content, memoryview)}
        for entry in parts(message, field)
    ]
