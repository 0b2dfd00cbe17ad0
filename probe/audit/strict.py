"""Plain data to frozen dataclasses and back, by their annotations, without conversions or unknown keys."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from probe.errors import IntegrityError

T = TypeVar("T")
# Errors that a foreign manifest can raise after the checks of its structure.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, MemoryError)
# Metadata of a field that older files lack: it is written only where it differs from its default, so that each content
# has one form.
ADDED = {"added": True}
SCALARS: dict[type, tuple[type, ...]] = {str: (str,), int: (int,), float: (int, float), bool: (bool,)}
FLAT = {*SCALARS, type(None)}


def typed(kind: type[T], value: Any, where: str) -> T:
    """An instance of a dataclass from a table that has exactly its fields.

    Raises:
        IntegrityError: if a key is missing or unknown, or a value is not of the annotated type.
    """
    if not isinstance(value, dict):
        raise IntegrityError(f"{where} is {value!s:.60}, which no audit writes")
    known = _hints(kind)  # type: ignore[arg-type]  # a class can be hashed
    missing = known.keys() - value.keys() - _added(kind).keys()  # type: ignore[arg-type]  # a class can be hashed
    if odd := [*(value.keys() - known.keys()), *missing]:
        has = "has" if odd[0] in value else "lacks"
        raise IntegrityError(f"{where} {has} {odd[0]!s:.60}, and no audit writes that")
    try:
        given = {key: hint for key, hint in known.items() if key in value}
        return kind(**{key: _value(hint, value[key], f"{where}: {key}") for key, hint in given.items()})
    except ValueError as error:  # the checks of the class itself
        raise IntegrityError(f"{where}: {error}") from None


def plain(value: Any) -> Any:
    """The same as tables, lists and scalars, with the fields in their order."""
    if is_dataclass(value):
        added = _added(type(value))  # type: ignore[arg-type]  # a class can be hashed
        kept = {f.name: getattr(value, f.name) for f in fields(value)}
        return {key: plain(item) for key, item in kept.items() if key not in added or item != added[key]}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list) and {*map(type, value)} <= FLAT:  # an image has a name for each pixel
        return list(value)
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


@cache
def _added(kind: type[Any]) -> dict[str, Any]:
    """The fields that may be missing, with their defaults."""
    return {f.name: f.default for f in fields(kind) if f.metadata.get("added")}


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(kind)}


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and type(None) in arguments:
            return None
        hint = next(each for each in arguments if each is not type(None))
        origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return typed(hint, value, where)
    if hint is Any:
        return value
    if origin is tuple and isinstance(value, list):
        if arguments[0] in SCALARS and {*map(type, value)} <= {arguments[0]}:
            return tuple(value)
        return tuple(_value(arguments[0], item, f"{where} {at + 1}") for at, item in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {key: _value(arguments[1], item, f"{where}.{key:.60}") for key, item in value.items()}
    if origin is Literal and isinstance(value, str) and value in arguments:
        return value
    if hint in SCALARS and isinstance(value, SCALARS[hint]) and isinstance(value, bool) == (hint is bool):
        return value
    raise IntegrityError(f"{where} is {value!r:.60}, which no audit writes")
