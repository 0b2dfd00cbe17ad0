"""What inputs look like, a module for each form. Who looks a form up by its name finds it here."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from inspect import isclass
from types import MappingProxyType, ModuleType
from typing import Any

from probe.errors import RangeError
from probe.forms.form import Defaults, Form
from probe.forms.graph import Graph
from probe.forms.image import Image
from probe.forms.table import ByShape, Table
from probe.forms.tokens import Tokens

__all__ = ["ByShape", "Defaults", "Form", "Graph", "Image", "Table", "Tokens", "known", "named"]


@cache
def known() -> Mapping[str, type[Form]]:
    """Every form by its name."""
    home = importlib.import_module(__name__)
    modules = (importlib.import_module(info.name) for info in pkgutil.iter_modules(home.__path__, f"{__name__}."))
    return MappingProxyType({kind.name: kind for module in modules for kind in _defined(module)})


def named(given: Form | str = "", said: Mapping[str, Any] = MappingProxyType({})) -> Form:
    """A form from itself or its name, and what is said of it.

    Without a name it is Tokens where words are given, and else goes by the shape of the inputs.

    Raises:
        RangeError: if no form has that name, or it cannot have what is said.
    """
    if isinstance(given, Form):
        return replace(given, **_accepted(type(given), said))
    if given and given not in known():
        raise RangeError(f"Space.form = {given!r}, expected one of {', '.join(known())}")
    kind = known()[given] if given else Tokens if said.get("words") else ByShape
    return kind(**_accepted(kind, said))


def _accepted(kind: type[Form], said: Mapping[str, Any]) -> dict[str, Any]:
    """What is said, without what is empty; RangeError where something is said that only another form has."""
    accepted = {f.name for f in fields(kind)}
    for name in (name for name in said if said[name] and name not in accepted):
        others = [other for other in known().values() if name in {f.name for f in fields(other)}]
        raise RangeError(
            f"Space.{name} are the {name} of {' or '.join(other.name for other in others)}, "
            f"and Space.form is {kind.name or 'not named'}; leave one of them out"
        )
    return {name: value for name, value in said.items() if name in accepted}


def _defined(module: ModuleType) -> list[type[Form]]:
    kinds = [kind for kind in vars(module).values() if isclass(kind) and kind.__module__ == module.__name__]
    return [kind for kind in kinds if issubclass(kind, Form) and kind.name]
