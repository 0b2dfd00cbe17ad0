"""How many numbers an ONNX graph creates: a shape of 8 bytes can stand for a tensor of gigabytes.

Only constant shapes, repeats and ends are considered. Computed ones, arguments of functions, loop counts, and sizes
that grow with the inputs, such as an outer product, are not; in general they are unknown before the graph runs.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from math import prod
from typing import NamedTuple

import numpy as np

from probe.adapters.protobuf import numbers, parts

# Fields of onnx.proto.
INPUT, OUTPUT, OPERATOR, ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, REAL, INTEGER, TENSOR, INTEGERS = 1, 2, 3, 5, 8
DIMENSIONS, TYPE, NAME, RAW, BESIDE = 1, 2, 8, 9, 13
# The byte format of each tensor type, and the field that holds its numbers otherwise.
TYPES = {1: ("<f4", 4), 6: ("<i4", 5), 7: ("<i8", 7), 11: ("<f8", 10)}
MOST = 64  # numbers in a shape


class Constant(NamedTuple):
    """A constant tensor in the file."""

    shape: tuple[float, ...]  # overflow is treated as infinity
    values: Callable[[], Sequence[float]]


Given = Sequence[Constant | None]  # the inputs of a node, as far as they are constants


def made(nodes: Iterable[memoryview], tensors: Iterable[memoryview]) -> float:
    """The total of numbers that nodes create from constant shapes.

    Raises:
        ValueError: if such a shape is damaged, has too many dimensions, or is in another file.
    """
    constants = {_text(tensor, NAME): _constant(tensor) for tensor in tensors}
    growing, count = [], 0.0
    for node in nodes:
        operator = _text(node, OPERATOR)
        if operator in GROWS:
            growing.append((GROWS[operator], [bytes(name).decode() for name in parts(node, INPUT)]))
        elif operator == "Constant":
            constants |= {_text(node, OUTPUT): constant for constant in _written(node)}
        elif operator in ("RandomNormal", "RandomUniform"):
            count += prod(size for each in parts(node, ATTRIBUTE) for size in map(float, numbers(each, INTEGERS)))
    # Negative sizes must not cancel others.
    return count + sum(max(0.0, size([constants.get(name) for name in names])) for size, names in growing)


def _product(*places: int) -> Callable[[Given], float]:
    return lambda given: max((prod(_values(given, place)) for place in places if _values(given, place)), default=0)


def _expanded(given: Given) -> float:
    there = given[0].shape if given and given[0] else ()
    sides = zip_longest(reversed(there), reversed(_values(given, 1)), fillvalue=1.0)
    return prod(max(one, other) for one, other in sides)


def _tiled(given: Given) -> float:
    return prod(_values(given, 1)) * (prod(given[0].shape) if given and given[0] else 1)


def _range(given: Given) -> float:
    ends = [_values(given, place) for place in range(3)]
    if not all(ends) or not ends[2][0]:
        return 0
    return max(0.0, (ends[1][0] - ends[0][0]) / ends[2][0])


def _padded(given: Given) -> float:
    pads = _values(given, 1)
    return prod(1 + begin + end for begin, end in zip(pads, pads[len(pads) // 2 :], strict=False))


# Lower bound of the numbers that each operator creates, from its inputs.
GROWS: dict[str, Callable[[Given], float]] = {
    "ConstantOfShape": _product(0),
    "Expand": _expanded,
    "Tile": _tiled,
    "Range": _range,
    "Pad": _padded,
    "OneHot": _product(1),
    "Resize": _product(1, 2, 3),
    "Upsample": _product(1),
    "AffineGrid": _product(1),
    "CenterCropPad": _product(1),
    **dict.fromkeys(("HannWindow", "HammingWindow", "BlackmanWindow"), _product(0)),
}


def _values(given: Given, place: int) -> Sequence[float]:
    constant = given[place] if place < len(given) else None
    return constant.values() if constant else ()


def _constant(tensor: memoryview) -> Constant:
    return Constant(tuple(map(float, numbers(tensor, DIMENSIONS))), lambda: _numbers(tensor))


def _written(node: memoryview) -> list[Constant]:
    """The value of a Constant node: a tensor, or plain numbers."""
    found = []
    for attribute in parts(node, ATTRIBUTE):
        found += [_constant(tensor) for tensor in parts(attribute, TENSOR)]
        if _text(attribute, ATTRIBUTE_NAME) in ("value_int", "value_ints", "value_float"):
            plain = [*_signed(attribute, INTEGER), *_signed(attribute, INTEGERS)]
            plain += [float(np.frombuffer(part, "<f4")[0]) for part in parts(attribute, REAL)]
            found.append(Constant((len(plain),), lambda plain=plain: plain))  # type: ignore[misc]  # bound early
    return found


def _numbers(tensor: memoryview) -> Sequence[float]:
    kind = next(iter(numbers(tensor, TYPE)), 0)
    if parts(tensor, BESIDE):
        raise ValueError("a shape is kept in another file; save it with shapes inside (size_threshold=1024)")
    if prod(numbers(tensor, DIMENSIONS)) > MOST:
        raise ValueError(f"a shape has more than {MOST} sides")
    if kind not in TYPES:
        return ()
    written, field = TYPES[kind]
    if written[1] == "i" and not parts(tensor, RAW):
        return _signed(tensor, field)
    content = b"".join(bytes(part) for part in parts(tensor, RAW) or parts(tensor, field))
    return [float(number) for number in np.frombuffer(content, written)]


def _signed(message: memoryview, field: int) -> list[float]:
    """Signed integers from their unsigned 64-bit encoding."""
    return [float(value - 2**64 if value >= 2**63 else value) for value in numbers(message, field)]


def _text(message: memoryview, field: int) -> str:
    return b"".join(bytes(part) for part in parts(message, field)[:1]).decode()
