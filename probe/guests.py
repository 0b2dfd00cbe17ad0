"""Plug-ins: the methods, forms and drawers of installed packages appear beside probe's own.

A package names its modules as entry points, a module or package each:

    [project.entry-points."probe.methods"]
    mine = "my_package.methods"

    [project.entry-points."probe.drawers"]
    mine = "my_package.drawing"

Methods, goals and forms are found in the first, and imported when used. Drawers, which readers of bundles need, are
found in the second, and import no torch.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from probe.errors import ContractError

METHODS, DRAWERS = "probe.methods", "probe.drawers"  # groups of entry points


def named(group: str = METHODS) -> list[str]:
    """The modules that installed packages register, without duplicates."""
    return list(_named(group, *sys.path))


@cache
def _named(group: str, *places: str) -> list[str]:
    strangers = any(finder is not PathFinder and hasattr(finder, "find_distributions") for finder in sys.meta_path)
    if not strangers and not any(_may_declare(group, Path(place)) for place in places):
        return []
    from importlib.metadata import entry_points  # with it comes email: a tenth of a second

    return sorted({point.module for point in entry_points(group=group)})


def _may_declare(group: str, place: Path) -> bool:
    """Whether a package installed in a folder may have entry points of a group; always so of a zip file."""
    try:
        infos = [path for path in place.iterdir() if path.name.lower().endswith((".dist-info", "egg-info"))]
    except OSError:
        return place.is_file()
    return any(_declares(info / "entry_points.txt", f"[{group}]".encode()) for info in infos)


def _declares(file: Path, header: bytes) -> bool:
    try:
        return header in file.read_bytes()
    except OSError:
        return False


def modules(name: str) -> Iterator[ModuleType]:
    """A module and, for a package, all its modules."""
    home = importlib.import_module(name)
    yield home
    for info in pkgutil.walk_packages(getattr(home, "__path__", ()), home.__name__ + ".", onerror=_raise):
        yield importlib.import_module(info.name)


def brought(group: str = METHODS) -> Iterator[ModuleType]:
    """The registered modules of installed packages, with their submodules.

    Raises:
        ContractError: if one cannot be imported.
    """
    for name in named(group):
        try:
            yield from list(modules(name))
        except Exception as error:
            raise ContractError(
                f"{name}, which an installed package provides (entry point {group}), cannot be imported: "
                f"{type(error).__name__}: {error}; fix that package, or uninstall it"
            ) from error


def source(name: str) -> Path:
    """The file of a module or the folder of a package, found without importing it.

    Raises:
        OSError: if there is no source.
    """
    first, *rest = name.split(".")
    found = PathFinder.find_spec(first)
    places = [] if found is None else list(found.submodule_search_locations or [])
    if not rest:
        candidates = [Path(place) for place in places] or [Path(str(found.origin if found else ""))]
    else:
        inside = [Path(place, *rest) for place in places]
        candidates = [path for place in inside for path in (place, place.with_name(f"{place.name}.py"))]
    for path in candidates:
        if path.is_dir() or (path.suffix == ".py" and path.is_file()):
            return path
    raise FileNotFoundError(f"no source of {name}")


def _raise(name: str) -> None:
    raise
