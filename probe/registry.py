"""The file system is the registry: every method in a package, by name."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from inspect import isabstract, isclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from probe.catalogue import UnreadableError, catalogue
from probe.errors import ContractError, UnknownMethod
from probe.method import Method, nearest

M = TypeVar("M", bound=Method)

FAMILIES = {"explainer": "probe.explainers", "attack": "probe.attacks", "metric": "probe.metrics"}


@cache
def discover(family: str) -> Mapping[str, type[Any]]:
    """Import every module of a family; return the concrete methods defined there, by name."""
    home = importlib.import_module(FAMILIES[family])
    found: dict[str, type[Any]] = {}
    for info in pkgutil.iter_modules(home.__path__, home.__name__ + "."):
        for thing in vars(importlib.import_module(info.name)).values():
            defined_here = isclass(thing) and thing.__module__ == info.name
            if defined_here and issubclass(thing, Method) and not isabstract(thing):
                _add(found, thing)
    return MappingProxyType(dict(sorted(found.items())))


def listed(family: str) -> Mapping[str, type[Method]]:
    """The methods of a family for a list: only their names, summaries and settings, and without loading torch."""
    home = Path(__file__).parent
    try:
        return catalogue(home / FAMILIES[family].rpartition(".")[2], home / "contracts")
    except (UnreadableError, OSError):  # a default that is computed, or an installation without source
        return discover(family)


def methods() -> Mapping[str, type[Any]]:
    """Every method there is, by name."""
    found: dict[str, type[Any]] = {}
    for family in FAMILIES:
        for kind in discover(family).values():
            _add(found, kind)
    return MappingProxyType(found)


def build(known: Mapping[str, type[M]], config: Mapping[str, Any]) -> M:
    """Make the method that `config` describes; the inverse of `Method.config`."""
    name = str(config.get("method"))
    if name not in known:
        raise UnknownMethod(f"no method named {name!r}{nearest(name, known)}; there are {', '.join(known)}")
    settings = {k: v for k, v in config.items() if k != "method"}
    return known[name](**{k: build(methods(), v) if isinstance(v, Mapping) else v for k, v in settings.items()})


def _add(found: dict[str, type[Any]], kind: type[Any]) -> None:
    """Enter a method by its name, which results, plans and files tell it apart by."""
    other = found.setdefault(kind.name(), kind)
    if other is not kind:
        both = " and ".join(f"{each.__module__}.{each.__qualname__}" for each in (other, kind))
        raise ContractError(f"two methods are named {kind.name()!r}: {both}; rename one of the classes")
