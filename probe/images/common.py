"""What both readers of images refuse."""

from collections.abc import Sequence

import numpy as np

from probe.errors import DataError

LARGEST = 2**32  # bytes of all images together, as float32

Size = tuple[int, int]  # height and width


def refuse_twice(names: Sequence[str]) -> None:
    """Raise DataError where a class is named twice."""
    if len(set(names)) < len(names):
        raise DataError(f"classes = {list(names)} name one twice; name each once")


def check_memory(rows: int, shape: tuple[int, ...]) -> None:
    """Raise DataError where so many images would take more memory than `LARGEST`."""
    if rows * int(np.prod(shape)) * 4 > LARGEST:
        raise DataError(
            f"{rows:,} images of {' x '.join(map(str, shape))} need more than {LARGEST >> 30} GiB; "
            "give a smaller size, or fewer files"
        )
