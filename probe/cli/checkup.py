"""What this machine has and lacks: a check for each part, with its remedy. Only another process imports torch."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Literal

from probe.extras import EXTRAS, NEEDED
from probe.threads import SPINS

Status = Literal["here", "lacking", "broken"]
PATIENCE = 120  # seconds in which torch is imported
OLDEST, NEWEST = (3, 11), (3, 13)
# What torch finds, asked in another process: a torch that cannot be imported may end its process.
ASKED = """
import json, torch
found = [f"cuda:{i} {torch.cuda.get_device_name(i)}, {torch.cuda.get_device_properties(i).total_memory >> 30} GiB"
         for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
found += ["mps"] * torch.backends.mps.is_available()
print(json.dumps([torch.__version__, ["cpu", *found], torch.get_num_threads()]))
"""


@dataclass(frozen=True)
class Check:
    """A part of this machine.

    Attributes:
        part: what was looked for.
        status: *here*; *lacking*, where only what `found` names cannot be done; *broken*, where probe cannot work.
        found: what is there, in words.
        remedy: what to do about it; "" where nothing is to be done.
    """

    part: str
    status: Status
    found: str
    remedy: str = ""

    def config(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def checks() -> Iterator[Check]:
    """Every check, in the order in which a new user needs what it looks for."""
    yield python(sys.version_info[:3])
    yield from (package(module, requirement) for module, requirement in NEEDED.items())
    yield torch()
    yield threads(dict(os.environ))
    yield from map(extra, EXTRAS)
    yield from files()
    yield folder()
    yield program("chromium", _browsers(), "report --pdf, pictures and tests of pages", "install Chromium or Chrome")
    yield program("ssh-keygen", ("ssh-keygen",), "sign, and verify --signers", "install OpenSSH 8.2 or newer")
    yield program("openssl", ("openssl",), "signatures with keys in PEM", "install OpenSSL 3")


def python(found: tuple[int, ...]) -> Check:
    """The interpreter."""
    name = ".".join(map(str, found))
    good = OLDEST <= found[:2] <= NEWEST
    remedy = "" if good else "make the environment with Python 3.11, 3.12 or 3.13: python3.13 -m venv .venv"
    return Check("Python", "here" if good else "broken", f"{name}, {sys.executable}", remedy)


def package(module: str, requirement: str) -> Check:
    """A package that probe cannot do without."""
    name, least = requirement.split(">=")
    found = _version(name) if find_spec(module) else None
    install = f'{sys.executable} -m pip install "{requirement}"'
    if found is None:
        return Check(name, "broken", "not installed", install)
    if _numbers(found) < _numbers(least):
        return Check(name, "broken", f"{found}, older than {least}", install)
    return Check(name, "here", found)


def torch() -> Check:
    """What torch computes on."""
    if find_spec("torch") is None:
        return Check("devices", "broken", "none without torch", "install torch as above")
    try:
        done = subprocess.run(
            [sys.executable, "-c", ASKED], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        found, devices, threads = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return Check("devices", "broken", f"torch was not imported within {PATIENCE} s", "try again on an idle machine")
    except (ValueError, IndexError):
        said = done.stderr.strip().splitlines()
        why = said[-1][:200] if said else f"its process ended with code {done.returncode}"
        remedy = f'{sys.executable} -m pip install --force-reinstall "{NEEDED["torch"]}"'
        return Check("devices", "broken", f"torch cannot be imported: {why}", remedy)
    return Check("devices", "here", f"{', '.join(devices)}; torch {found}, threads on the CPU: {threads}")


def threads(environment: dict[str, str]) -> Check:
    """How torch's threads wait; the command line sets that, a notebook does not."""
    told = [f"{name}={environment[name]}" for name in ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
            if name in environment]  # fmt: skip
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    said = f"{cores} cores; {', '.join(told)}; in a notebook set GOMP_SPINCOUNT={SPINS} yourself"
    return Check("threads", "here", said)


def extra(name: str) -> Check:
    """An optional part."""
    part = EXTRAS[name]
    names = {module: re.split("[<>=]", requirement)[0] for module, requirement in part.packages.items()}
    found = {module: _version(of) if find_spec(module) else None for module, of in names.items()}
    told = ", ".join(f"{names[module]} {at}" if at else f"no {names[module]}" for module, at in found.items())
    if all(found.values()):
        return Check(f"extra {name}", "here", f"{part.purpose}: {told}")
    return Check(f"extra {name}", "lacking", f"{part.purpose}: {told}", f"{sys.executable} -m {part.install()}")


def files() -> Iterator[Check]:
    """The data sets and the weights, by their digests."""
    from probe_models import inventory
    from probe_models.datasets import BUNDLED

    again = "restore it from the repository, or install probe again"
    kept = inventory.data()
    changed = [file.name for file in kept if file.state == "changed"]
    # The table of COMPAS is not in a wheel.
    missing = [file.name for file in kept if file.state == "missing" and file.name not in inventory.COMPAS]
    good = not (changed or missing)
    told = [f"{sum(file.state == 'unchanged' for file in kept)} files with the recorded SHA-256, in {BUNDLED}"]
    told += [f"changed: {', '.join(changed)}"] * bool(changed) + [f"missing: {', '.join(missing)}"] * bool(missing)
    yield Check("data", "here" if good else "broken", "; ".join(told), "" if good else again)

    weights = inventory.weights()
    odd = [file.name for file in weights if file.state != "unchanged"]
    told = [f"the weights of {len(weights) - len(odd)} networks with the recorded SHA-256"]
    told += [f"changed or missing: {', '.join(odd)}"] * bool(odd)
    yield Check("zoo", "broken" if odd or not weights else "here", "; ".join(told), again if odd or not weights else "")

    for source in inventory.elsewhere():
        at = str(source.at or "not on this machine")
        yield Check(source.name, "here" if source.at else "lacking", at, "" if source.at else source.remedy)


def folder() -> Check:
    """Where downloads are kept."""
    from probe_models.datasets.elsewhere import kept_in

    place = kept_in()
    there = next(path for path in (place, *place.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return Check("cache", "here", f"{place} can be written to")
    except OSError as error:
        said = f"{place} cannot be written to ({error.strerror or error}), so no data set is kept"
        return Check("cache", "lacking", said, "set PROBE_DATA to a folder of yours")


def program(name: str, commands: tuple[str, ...], purpose: str, remedy: str) -> Check:
    """A program of another package."""
    at = next(filter(None, map(shutil.which, commands)), None)
    return Check(name, "here" if at else "lacking", f"{purpose}: {at or 'not found'}", "" if at else remedy)


def _browsers() -> tuple[str, ...]:
    from probe.report.pdf import BROWSERS

    return BROWSERS


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(written: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", written.split("+")[0])[:3]))
