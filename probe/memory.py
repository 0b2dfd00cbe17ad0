"""Return freed memory to the system. Imports no torch."""

import ctypes
from functools import cache
from typing import Any

M_ARENA_MAX = -8  # of malloc.h


def give_back() -> None:
    """Return freed memory that glibc keeps to the system; this takes some milliseconds.

    Memory freed by one batch is fragmented, and a batch of another shape allocates new memory beside it.
    """
    if trim := _of_glibc("malloc_trim"):
        trim(0)


def from_one_place() -> None:
    """Let all threads allocate where the first does, before there are others.

    Else glibc gives each its own places, in which what it freed stays with it: a fifth of a server with many readers.
    """
    if allocate := _of_glibc("mallopt"):
        allocate(M_ARENA_MAX, 1)


@cache
def _of_glibc(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # a system whose C library cannot be opened
        return None
