"""A pretend accelerator for tests: it refuses what a real one refuses, and counts what makes the program wait.

It is compiled once, by the compiler of this machine, into a cache outside of the tree.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

SOURCE = Path(__file__).with_name("accelerator.cpp")
NAME = "pretend"


class NoCompiler(Exception):
    """There is no compiler, or it does not take what torch's headers ask for."""


def compiled(cache: Path) -> Path:
    """The library, which is made where the cache has none of this source and this torch.

    Raises:
        NoCompiler: with what the compiler said.
    """
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    made_of = f"{torch.__version__} {sys.version} {torch.compiled_with_cxx11_abi()}".encode() + SOURCE.read_bytes()
    library = cache / f"{hashlib.sha256(made_of).hexdigest()[:16]}.so"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several processes one compiles, and the others wait for it
        if library.exists():
            return library
        if compiler is None:
            raise NoCompiler("there is no C++ compiler here (c++, g++ or clang++)")
        home, part = Path(torch.__file__).parent, library.with_suffix(".part")
        command = [compiler, "-std=c++20", "-O0", "-shared", "-fPIC", str(SOURCE), "-o", str(part)]
        command += [f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"]
        command += [f"-I{home / 'include'}", f"-I{home / 'include/torch/csrc/api/include'}"]
        command += [f"-L{home / 'lib'}", "-ltorch", "-ltorch_cpu", "-lc10"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoCompiler(f"{compiler} does not compile {SOURCE.name}: {done.stderr[-2000:]}")
        part.rename(library)
    return library


def started(library: Path) -> torch.device:
    """The device, in this process from now on."""
    if not hasattr(torch, NAME):
        torch.ops.load_library(str(library))
        torch.utils.rename_privateuse1_backend(NAME)
        torch._register_device_module(NAME, _module())
        torch.ops.accelerator.start()
    return torch.device(NAME, 0)


def _module() -> types.ModuleType:
    """What torch asks of the module of a device."""
    module, usual = types.ModuleType(f"torch.{NAME}"), []

    def generator() -> torch.Generator:
        if not usual:
            usual.append(torch.Generator(NAME))
        return usual[0]

    module.is_available = lambda: True
    module.is_initialized = lambda: True
    module._is_in_bad_fork = lambda: False
    module.device_count = lambda: 1
    module.current_device = lambda: 0
    module.manual_seed = module.manual_seed_all = lambda seed: generator().manual_seed(seed)
    module.get_rng_state = lambda device=0: generator().get_state()
    module.set_rng_state = lambda state, device=0: generator().set_state(state)
    module.get_amp_supported_dtype = lambda: [torch.bfloat16, torch.float16]
    return module


@dataclass
class Traffic:
    """What the program waited for while it was counted, and how often it brought something to the device."""

    waits: list[str] = field(default_factory=list)
    arrivals: int = 0


@contextmanager
def traffic() -> Iterator[Traffic]:
    """Count what goes on in the block."""
    torch.ops.accelerator.take_waits()
    torch.ops.accelerator.take_arrivals()
    found = Traffic()
    try:
        yield found
    finally:
        found.waits, found.arrivals = torch.ops.accelerator.take_waits(), torch.ops.accelerator.take_arrivals()
