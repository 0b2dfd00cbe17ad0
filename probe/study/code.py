"""The code of methods that are not probe's own, so that a result of a study is not taken for that of other code."""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import fields
from types import CellType, CodeType, FunctionType, NoneType
from typing import Any

from probe.contracts.blame import OURS
from probe.method import Method

KNOWN = sys.stdlib_module_names | {OURS}


def coded(method: Method) -> tuple[str, ...]:
    """A digest of the code of a method and of the methods among its settings; nothing where all are probe's own.

    It covers what the classes define and, of their own packages, the functions, classes and written-out values that
    their code names. Values of other kinds, such as tensors, count by their type alone.
    """
    seen: set[int] = set()
    parts = [part for kind in _kinds(method) for part in _defined(kind, seen)]
    return (hashlib.sha256("\n".join(parts).encode()).hexdigest(),) if parts else ()


def _kinds(method: Method) -> Iterator[type]:
    yield from (kind for kind in type(method).__mro__ if _home(kind) not in KNOWN)
    for field in fields(method):
        value = getattr(method, field.name)
        if isinstance(value, Method):
            yield from _kinds(value)


def _home(value: Any) -> str:
    """The package of a class or function; "" of anything else."""
    return str(getattr(value, "__module__", "")).partition(".")[0]


def _defined(kind: type, seen: set[int]) -> Iterator[str]:
    """What a class defines: its functions, and values that are written out."""
    for name, value in sorted(vars(kind).items()):
        inner = getattr(value, "fget", getattr(value, "__func__", getattr(value, "func", value)))
        if isinstance(inner, FunctionType) and inner.__module__ == kind.__module__:
            yield f"{name} {_function(inner, seen)}"
        elif not name.startswith("__"):
            yield f"{name} {_plain(value)}"


def _function(function: FunctionType, seen: set[int]) -> str:
    """A function as byte code, with what it names in its own package and what it encloses."""
    if id(function) in seen:
        return function.__qualname__
    seen.add(id(function))
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    enclosed = {name: _content(cell) for name, cell in cells if name != "__class__"}
    named = {name: function.__globals__.get(name) for name in _names(function.__code__)}
    used = [
        f"{name} {_used(value, _home(function), seen)}"
        for name, value in sorted((named | enclosed).items())
        if value is not None
    ]
    return f"{_byte_code(function.__code__)} {[_plain(each) for each in function.__defaults__ or ()]} {used}"


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty: the name is not assigned yet
        return None


def _used(value: Any, home: str, seen: set[int]) -> str:
    if _home(value) == home and isinstance(value, FunctionType):
        return _function(value, seen)
    if _home(value) == home and isinstance(value, type) and id(value) not in seen:
        seen.add(id(value))
        return str(list(_defined(value, seen)))
    return _plain(value)


def _names(code: CodeType) -> set[str]:
    inside = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*(_names(each) for each in inside))


def _byte_code(code: CodeType) -> str:
    constants = [_byte_code(each) if isinstance(each, CodeType) else _plain(each) for each in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {constants}"


def _plain(value: Any) -> str:
    """A value as text that is the same in every process; of an object only its type."""
    if isinstance(value, frozenset | set):
        return str(sorted(_plain(each) for each in value))
    if isinstance(value, tuple | list):
        return str([_plain(each) for each in value])
    return repr(value) if isinstance(value, str | bytes | int | float | complex | NoneType) else type(value).__name__
