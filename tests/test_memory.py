"""What a process asks of the C library about its memory."""

import ctypes
import subprocess
import sys

import pytest

# Threads that hold memory at once, each of which glibc would give a place of its own; then all places are listed.
PLACES = """
import ctypes, threading
from probe.memory import from_one_place
{}
libc, all_here = ctypes.CDLL(None), threading.Barrier(4)
libc.malloc.restype, libc.fdopen.restype = ctypes.c_void_p, ctypes.c_void_p
def hold():
    libc.malloc(5000)
    all_here.wait()
threads = [threading.Thread(target=hold) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"), reason="needs glibc, whose matter it is"
)
def test_threads_allocate_from_one_place_where_that_was_asked_for():
    for asked, one in (("from_one_place()", True), ("", False)):
        done = subprocess.run([sys.executable, "-c", PLACES.format(asked)], capture_output=True, text=True, check=True)
        assert (done.stdout.count("<heap nr=") == 1) == one
