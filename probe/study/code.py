"""The code of methods that are not probe's own, so that a result of a study is not taken for that of other code."""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import fields
from types import CodeType, FunctionType, NoneType
from typing import Any

from probe.contracts.blame import OURS
from probe.method import Method

KNOWN = sys.stdlib_module_names | {OURS}


def coded(method: Method) -> tuple[str, ...]:
    """A digest of the code of a method and of the methods among its settings; nothing where all are probe's own."""
    parts = [part for kind in _kinds(method) for part in _written(kind)]
    return (hashlib.sha256("\n".join(parts).encode()).hexdigest(),) if parts else ()


def _kinds(method: Method) -> Iterator[type]:
    yield from (kind for kind in type(method).__mro__ if kind.__module__.partition(".")[0] not in KNOWN)
    for field in fields(method):
        value = getattr(method, field.name)
        if isinstance(value, Method):
            yield from _kinds(value)


def _written(kind: type) -> Iterator[str]:
    """What a class defines: its functions as byte code, and values that are written out."""
    for name, value in sorted(vars(kind).items()):
        inner = getattr(value, "fget", getattr(value, "__func__", getattr(value, "func", value)))
        if isinstance(inner, FunctionType) and inner.__module__ == kind.__module__:
            yield f"{name} {_byte_code(inner.__code__)} {[_plain(each) for each in inner.__defaults__ or ()]}"
        elif not name.startswith("__"):
            yield f"{name} {_plain(value)}"


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
