"""What an ONNX file declares, read from its bytes: the sizes of its tensors, and the files beside it that it names.

ONNX is a protocol buffer: numbered fields, some of which hold further messages. Only those on the way to tensors are
followed.
"""

from collections.abc import Iterator
from math import prod
from pathlib import Path

from probe.errors import DataError, UnsafeError

LARGEST = 2**31  # bytes: no protocol buffer is larger
LARGEST_BESIDE = 2**34  # bytes of the files beside it
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
DIMENSIONS, EXTERNAL, KEY, VALUE = 1, 13, 1, 2
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def files(path: Path) -> list[Path]:
    """The files that an ONNX model is made of: itself, and those that hold its larger tensors.

    Raises:
        UnsafeError: if it names a file outside its folder.
        DataError: if it is missing, damaged, too large, or declares tensors that are larger than its files.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    if size > LARGEST:
        raise DataError(f"{path.name} has {size:,} bytes, more than {LARGEST:,}, which no ONNX file has")
    try:
        beside, largest = _tensors(memoryview(content))
    except (ValueError, IndexError) as error:
        raise DataError(f"cannot read {path} as ONNX: {error}") from None
    found = [path, *(_beside(path, name) for name in sorted(beside))]
    held = sum(each.stat().st_size for each in found)
    if held - size > LARGEST_BESIDE:
        raise DataError(f"the tensors of {path.name} have {held - size:,} bytes, more than {LARGEST_BESIDE:,}")
    # Two numbers in a byte are the most that any type packs.
    if largest > 2 * held:
        raise DataError(f"{path.name} declares a tensor of {largest:,} numbers, and its files have {held:,} bytes")
    return found


def _beside(path: Path, name: str) -> Path:
    folder, file = path.parent.resolve(), (path.parent / name).resolve()
    if not name or folder not in file.parents:
        raise UnsafeError(f"{path.name} names the file {name!r} outside its folder, so it was not opened")
    if not file.is_file():
        raise DataError(f"{path.name} keeps tensors in {name!r}, and there is no such file beside it; copy it too")
    return file


def _tensors(model: memoryview) -> tuple[set[str], int]:
    """The files that tensors are kept in, and how many numbers the largest tensor has."""
    beside, largest, left = set(), 0, [("model", model)]
    while left:
        kind, message = left.pop()
        if kind == "tensor":
            beside |= _locations(message)
            largest = max(largest, prod(_dimensions(message)))
            continue
        for number, _, content in _fields(message):
            if number in INSIDE[kind] and isinstance(content, memoryview):
                left.append((INSIDE[kind][number], content))
    return beside, largest


def _locations(tensor: memoryview) -> set[str]:
    entries = [
        content for number, _, content in _fields(tensor) if number == EXTERNAL and isinstance(content, memoryview)
    ]
    pairs = [{n: bytes(c) for n, _, c in _fields(entry) if isinstance(c, memoryview)} for entry in entries]
    return {pair.get(VALUE, b"").decode() for pair in pairs if pair.get(KEY) == b"location"}


def _dimensions(tensor: memoryview) -> Iterator[int]:
    for number, kind, content in _fields(tensor):
        if number == DIMENSIONS and isinstance(content, int):
            yield content
        elif number == DIMENSIONS and isinstance(content, memoryview) and kind == BYTES:
            place = 0
            while place < len(content):
                value, place = _varint(content, place)
                yield value


def _fields(message: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Number, wire type and content of each field."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield tag >> 3, kind, value
            continue
        if kind == BYTES:
            length, place = _varint(message, place)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise ValueError("it is no protocol buffer")
        if place + length > len(message):
            raise ValueError("it is cut short; copy it again")
        yield tag >> 3, kind, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number in groups of 7 bits, the lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("it is no protocol buffer")
