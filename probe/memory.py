"""Return freed memory to the system. Imports no torch."""

import ctypes
from functools import cache
from typing import Any


def give_back() -> None:
    """Return freed memory that glibc keeps to the system; this takes some milliseconds.

    Memory freed by one batch is fragmented, and a batch of another shape allocates new memory beside it.
    """
    if trim := _trim():
        trim(0)


@cache
def _trim() -> Any:
    try:
        return getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):  # a system whose C library cannot be opened
        return None
