"""A package outside of probe, and how the tests install it: without a network, by its entry points alone."""

import importlib
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from probe import forms, reductions, registry
from probe.plots import drawers

HOME = Path(__file__).parent


def install(site: Path) -> None:
    """What an installer leaves of it in a folder of packages: its code, and what its pyproject.toml declares."""
    project = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
    info = site / f"probe_guest-{project['version']}.dist-info"
    info.mkdir(parents=True)
    shutil.copytree(HOME / "probe_guest", site / "probe_guest", ignore=shutil.ignore_patterns("__pycache__"))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = (
        f"[{group}]\n" + "".join(f"{name} = {module}\n" for name, module in points.items())
        for group, points in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text("\n".join(groups))


def bring(site: Path, package: str, modules: Mapping[str, str]) -> None:
    """Install another package of these modules; its methods and drawers are looked for in all of it."""
    (site / package).mkdir()
    for name, code in {"__init__": f'"""What {package} brings."""\n', **modules}.items():
        (site / package / f"{name}.py").write_text(code)
    drawing = "".join(f"{name} = {package}.{name}\n" for name, code in modules.items() if "(Drawer)" in code)
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[probe.methods]\nall = {package}\n[probe.drawers]\n{drawing}")


def forget() -> None:
    """Look again for what is installed."""
    for found in (registry.methods, forms.known, drawers.drawers, reductions._brought):
        found.cache_clear()
    importlib.invalidate_caches()
    for name in [name for name in sys.modules if name.split(".")[0] in ("probe_guest", "rival", "stranger")]:
        del sys.modules[name]


@contextmanager
def installed(site: Path) -> Iterator[Path]:
    """The packages of a folder are there, and gone afterwards."""
    sys.path.insert(0, str(site))
    forget()
    try:
        yield site
    finally:
        sys.path.remove(str(site))
        forget()
