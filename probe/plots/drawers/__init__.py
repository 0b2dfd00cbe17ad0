"""Drawers of inputs, one module per form, found by the form's name. They take arrays and need no torch."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from inspect import isclass
from itertools import chain
from types import MappingProxyType, ModuleType
from typing import Any

from probe import guests
from probe.plots.drawers.drawer import Drawer, Example, Values

__all__ = ["Drawer", "Example", "Values", "drawer_of", "drawers"]


@cache
def drawers() -> Mapping[str, type[Drawer]]:
    """All drawers by the name of their form; probe's own take precedence over those of other packages."""
    modules = chain(guests.brought(guests.DRAWERS), guests.modules(__name__))
    return MappingProxyType({kind.form: kind for module in modules for kind in _defined(module)})


def drawer_of(record: Mapping[str, Any]) -> Drawer:
    """The drawer of a form, from its record in a bundle: name and settings.

    An unknown form is drawn as bars of features.
    """
    kind = drawers().get(str(record.get("name")), Drawer)
    known = {f.name for f in fields(kind)}
    return kind(**{name: value for name, value in record.items() if name in known})


def _defined(module: ModuleType) -> Iterator[type[Drawer]]:
    for thing in vars(module).values():
        if isclass(thing) and issubclass(thing, Drawer) and thing.__module__ == module.__name__ and thing.form:
            yield thing
