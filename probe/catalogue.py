"""The methods of a package as its source declares them, without running it: names, summaries and settings."""

import ast
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probe.method import Method, param
from probe.numbers import written


class UnreadableError(Exception):
    """The source computes something that only running it can tell."""


def families(contracts: Path) -> tuple[str, ...]:
    """The families of methods that contracts declare, in the order of their names."""
    found = (_family([node]) for node in _classes(contracts).values())
    return tuple(sorted(filter(None, found)))


def catalogue(package: Path, *others: Path) -> Mapping[str, type[Method]]:
    """What `registry.discover` finds, as bare classes: they tell their settings, and do nothing.

    `others` are the folders that hold the classes which those of the package inherit from.

    Raises:
        UnreadableError: if a default is computed.
    """
    own = _classes(package)
    known = {name: node for path in others for name, node in _classes(path).items()} | own
    lines = [list(_line(node, known)) for node in own.values()]
    found = [_bare(line) for line in lines if _is_method(line) and not _is_abstract(line)]
    return {kind.name(): kind for kind in sorted(found, key=lambda kind: kind.name())}


def _classes(package: Path) -> dict[str, ast.ClassDef]:
    """The classes of a package's modules, by name."""
    files = sorted(package.rglob("*.py")) if package.is_dir() else [package]
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in files)
    return {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}


def _line(node: ast.ClassDef, known: Mapping[str, ast.ClassDef]) -> Iterator[ast.ClassDef]:
    """A class after all that it inherits from, as far as the source is known."""
    for name in _bases(node):
        if name in known:
            yield from _line(known[name], known)
    yield node


def _bases(node: ast.ClassDef) -> Iterable[str]:
    plain = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
    return [base.id for base in plain if isinstance(base, ast.Name)]


def _is_method(line: list[ast.ClassDef]) -> bool:
    return any(Method.__name__ in _bases(node) for node in line)


def _is_abstract(line: list[ast.ClassDef]) -> bool:
    open_: set[str] = set()
    for node in line:
        for function in (f for f in node.body if isinstance(f, ast.FunctionDef)):
            marked = any(ast.unparse(mark).endswith("abstractmethod") for mark in function.decorator_list)
            open_ = open_ | {function.name} if marked else open_ - {function.name}
        open_ -= {ast.unparse(entry.target) for entry in node.body if isinstance(entry, ast.AnnAssign) and entry.value}
    return bool(open_)


def _bare(line: list[ast.ClassDef]) -> type[Method]:
    settings: dict[str, tuple[str, Any]] = {}
    for node in line:
        for entry in (e for e in node.body if isinstance(e, ast.AnnAssign)):
            kind = ast.unparse(entry.annotation)
            if "ClassVar" not in kind and entry.value is not None:
                settings[ast.unparse(entry.target)] = (kind, _declared(entry.value))
    body = {
        "family": _family(line),
        "__doc__": ast.get_docstring(line[-1]),
        "__annotations__": {name: kind for name, (kind, _) in settings.items()},
        **{name: value for name, (_, value) in settings.items()},
    }
    bare = types.new_class(line[-1].name, (Method,), exec_body=lambda namespace: namespace.update(body))
    return dataclass(frozen=True, kw_only=True)(bare)


def _family(line: list[ast.ClassDef]) -> str:
    """The kind of method that a class says it is."""
    for node in reversed(line):
        for entry in (e for e in node.body if isinstance(e, ast.AnnAssign) and e.value is not None):
            if ast.unparse(entry.target) == "family" and isinstance(entry.value, ast.Constant):
                return str(entry.value.value)
    return ""


def _declared(node: ast.expr) -> Any:
    call = _call(node, "param")
    if call is None:
        return _value(node)
    named: dict[str | None, ast.expr] = {keyword.arg: keyword.value for keyword in call.keywords}
    given = named | dict(zip(("default", "help"), call.args, strict=False))
    return param(_value(given["default"]), str(_value(given["help"])))


def _value(node: ast.expr) -> Any:
    try:
        call = _call(node, "written")
        return ast.literal_eval(node) if call is None else written(ast.literal_eval(call.args[0]))
    except (ValueError, IndexError) as error:
        raise UnreadableError(ast.unparse(node)) from error


def _call(node: ast.expr, name: str) -> ast.Call | None:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    return node if called and isinstance(node, ast.Call) else None
