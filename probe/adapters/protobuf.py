"""Protocol buffers, parsed without a schema: numbered fields, some of which are messages."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The number and content of each field: an integer, or bytes.

    Raises:
        ValueError: if it is not a protocol buffer, or truncated.
        IndexError: if it ends within a number.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        if kind == BYTES:
            length, place = _varint(message, place)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise ValueError("it is no protocol buffer")
        if place + length > len(message):
            raise ValueError("it is cut short; copy it again")
        yield tag >> 3, message[place : place + length]
        place += length


def numbers(message: memoryview, field: int) -> Iterator[int]:
    """The unsigned integers of a repeated field, packed or not."""
    for number, content in fields(message):
        if number == field and isinstance(content, int):
            yield content
        elif number == field and isinstance(content, memoryview):
            place = 0
            while place < len(content):
                value, place = _varint(content, place)
                yield value


def parts(message: memoryview, field: int) -> list[memoryview]:
    """The contents of a repeated field of bytes, text or messages."""
    return [content for number, content in fields(message) if number == field and isinstance(content, memoryview)]


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A varint, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("it is no protocol buffer")
