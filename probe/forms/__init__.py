"""The forms of inputs, one module per form; `known` finds them by name."""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from inspect import isclass
from types import MappingProxyType, ModuleType
from typing import Any

from probe import guests
from probe.errors import ContractError, RangeError
from probe.forms.form import Defaults, Form
from probe.forms.graph import Graph
from probe.forms.image import Image
from probe.forms.series import Series
from probe.forms.table import ByShape, Table
from probe.forms.tokens import Tokens
from probe.names import Passed, a_kind

__all__ = ["ByShape", "Defaults", "Form", "Graph", "Image", "Series", "Table", "Tokens", "known", "named"]


@cache
def known() -> Mapping[str, type[Form]]:
    """All forms by name, including those of other packages."""
    found = dict(_own())
    for kind in (kind for module in guests.brought() for kind in _defined(module)):
        other = found.setdefault(kind.name, kind)
        if other is not kind:
            both = " and ".join(f"{each.__module__}.{each.__qualname__}" for each in (other, kind))
            raise ContractError(f"two forms are named {kind.name!r}: {both}; rename one of them")
    return MappingProxyType(found)


@cache
def _own() -> Mapping[str, type[Form]]:
    """The forms of probe itself, which need no other package."""
    return MappingProxyType({kind.name: kind for module in guests.modules(__name__) for kind in _defined(module)})


def named(given: Passed[Form | str] = "", said: Mapping[str, Any] = MappingProxyType({})) -> Form:
    """A form, from an instance or a name and its settings.

    Without a name it is Tokens if words are given; otherwise it follows from the shape of the inputs.

    Raises:
        RangeError: if there is no such form, or it does not have one of the settings.
    """
    if isinstance(given, Form):
        return replace(given, **_accepted(type(given), said))
    if not isinstance(given, str):
        raise RangeError(
            f"Space.form is {a_kind(given)}, expected a form such as Table(), or its name: {', '.join(known())}"
        )
    there = _own() if given in _own() else known() if given else {}
    if given and given not in there:
        raise RangeError(f"Space.form = {given!r}, expected one of {', '.join(there)}")
    kind = there[given] if given else Tokens if not _empty(said.get("words", ())) else ByShape
    return kind(**_accepted(kind, said))


def _accepted(kind: type[Form], said: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are not empty; RangeError for one that only another form has."""
    accepted = {f.name for f in fields(kind)}
    for name in (name for name in said if name not in accepted and not _empty(said[name])):
        others = [other for other in known().values() if name in {f.name for f in fields(other)}]
        raise RangeError(
            f"Space.{name} are the {name} of {' or '.join(other.name for other in others)}, "
            f"and Space.form is {kind.name or 'not named'}; leave one of them out"
        )
    return {name: value for name, value in said.items() if name in accepted}


def _empty(value: Any) -> bool:
    return isinstance(value, tuple | list) and not value


def _defined(module: ModuleType) -> list[type[Form]]:
    kinds = [kind for kind in vars(module).values() if isclass(kind) and kind.__module__ == module.__name__]
    return [kind for kind in kinds if issubclass(kind, Form) and kind.name]
