"""Memory that is no longer used. Imports no torch."""

import ctypes
from functools import cache
from typing import Any


def give_back() -> None:
    """Hand freed memory back to the system, where the C library keeps it: glibc, which takes some milliseconds.

    What one batch of a network frees lies in pieces between what is kept, and a batch of another shape takes new memory
    beside it.
    """
    if trim := _trim():
        trim(0)


@cache
def _trim() -> Any:
    try:
        return getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):  # of a system whose C library has no handle of its own
        return None
