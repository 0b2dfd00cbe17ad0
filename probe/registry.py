"""The file system is the registry: every method in a package, by name."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from inspect import isabstract, isclass
from types import MappingProxyType
from typing import Any, TypeVar

from probe.errors import UnknownMethod
from probe.method import Method

M = TypeVar("M", bound=Method)

FAMILIES = {"explainer": "probe.explainers", "attack": "probe.attacks", "metric": "probe.metrics"}


@cache
def discover(family: str) -> Mapping[str, type[Any]]:
    """Import every module of a family; return the concrete methods defined there, by name."""
    home = importlib.import_module(FAMILIES[family])
    found = {}
    for info in pkgutil.iter_modules(home.__path__, home.__name__ + "."):
        for thing in vars(importlib.import_module(info.name)).values():
            defined_here = isclass(thing) and thing.__module__ == info.name
            if defined_here and issubclass(thing, Method) and not isabstract(thing):
                found[thing.name()] = thing
    return MappingProxyType(dict(sorted(found.items())))


def methods() -> Mapping[str, type[Any]]:
    """Every method there is, by name."""
    return MappingProxyType({name: kind for family in FAMILIES for name, kind in discover(family).items()})


def build(known: Mapping[str, type[M]], config: Mapping[str, Any]) -> M:
    """Make the method that `config` describes; the inverse of `Method.config`."""
    name = str(config.get("method"))
    if name not in known:
        raise UnknownMethod(f"no method named {name!r}{_nearest(name, known)}; there are {', '.join(known)}")
    kind, settings = known[name], {k: v for k, v in config.items() if k != "method"}
    allowed = [f.name for f in fields(kind)]
    for key in settings:
        if key not in allowed:
            raise UnknownMethod(f"{name} has no setting {key!r}{_nearest(key, allowed)}; it has {', '.join(allowed)}")
    return kind(**{k: build(methods(), v) if isinstance(v, Mapping) else v for k, v in settings.items()})


def _nearest(word: str, known: Any) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
