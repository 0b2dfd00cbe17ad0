"""How inputs of each form are drawn: a module for each, found by the form's name. They know arrays, and no torch."""

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
    """Every drawer by the name of its form, those of other packages too, which probe's own go before."""
    modules = chain(guests.brought(guests.DRAWERS), guests.modules(__name__))
    return MappingProxyType({kind.form: kind for module in modules for kind in _defined(module)})


def drawer_of(record: Mapping[str, Any]) -> Drawer:
    """The drawer of a form, by what a bundle keeps of it: its name, and settings.

    An unknown form is drawn as bars of features.
    """
    kind = drawers().get(str(record.get("name")), Drawer)
    known = {f.name for f in fields(kind)}
    return kind(**{name: value for name, value in record.items() if name in known})


def _defined(module: ModuleType) -> Iterator[type[Drawer]]:
    for thing in vars(module).values():
        if isclass(thing) and issubclass(thing, Drawer) and thing.__module__ == module.__name__ and thing.form:
            yield thing
