"""Arrays of bytes in the IDX format of MNIST: a header of magic number and sizes, then the values."""

import math
import struct

import torch
from torch import Tensor

from probe.errors import DataError


def size(shape: tuple[int, ...]) -> int:
    """The size in bytes of an IDX file of that shape."""
    return len(_header(shape)) + math.prod(shape)


def parse(content: bytes, shape: tuple[int, ...], name: str) -> Tensor:
    """The array of bytes in an IDX file, whose header must declare `shape`."""
    header = _header(shape)
    if not content.startswith(header):
        raise DataError(
            f"{name} begins with {content[: len(header)].hex(' ', 4)}, expected {header.hex(' ', 4)}, the IDX header "
            f"of bytes in the shape {shape}; use the original file"
        )
    if len(content) != size(shape):
        raise DataError(f"{name} has {len(content):,} bytes, its header declares {size(shape):,}; copy it again")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=len(header)).view(shape)


def _header(shape: tuple[int, ...]) -> bytes:
    # Two zero bytes, 8 for unsigned bytes, the number of dimensions, and each size in 4 bytes.
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
