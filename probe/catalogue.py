"""The methods of a package as its source declares them, without running it: names, summaries and settings."""

import ast
import collections.abc
import operator
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import reduce
from pathlib import Path
from typing import Any, Literal, NamedTuple

from probe.method import Method, named_after, param, required
from probe.numbers import Number, written
from probe.skeletons import definitions

TYPES: Mapping[str, Any] = {"int": int, "float": float, "str": str, "bool": bool, "Number": Number, "Method": Method}


class UnreadableError(Exception):
    """The source computes a value that only importing it can tell."""


@dataclass(frozen=True)
class _Source:
    """Top-level definitions of modules, by name."""

    classes: Mapping[str, ast.ClassDef]
    assigned: Mapping[str, ast.expr]  # such as Norm = Literal["linf", "l2"]
    stubs: dict[str, type[Method]] = field(default_factory=dict)  # those that are made

    @classmethod
    def of(cls, paths: Iterable[Path]) -> "_Source":
        nodes = [node for path in paths for node in definitions(path)]
        return cls(
            {node.name: node for node in nodes if isinstance(node, ast.ClassDef)},
            {
                target.id: node.value
                for node in nodes
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            },
        )


class Kind(NamedTuple):
    """A kind of method, as its contract declares it."""

    family: str
    verb: str  # its command; "" if there is none
    summary: str  # the verb in its descriptions


class Facts(NamedTuple):
    """What the source of a method says of its class besides settings."""

    title: str  # the name of the class
    summary: str  # the first line of its docstring
    said: Mapping[str, Any]  # class variables by name; of a value that is computed the source
    functions: frozenset[str]  # of its own and of its bases but the contract


def facts(package: Path, *others: Path) -> Mapping[str, Facts]:
    """What the methods of a package declare of themselves, by name, as far as their source says it; nothing is run.

    `others` are as in `catalogue`.
    """
    own, rest = _Source.of([package]), _Source.of(others)
    known = {**rest.classes, **own.classes}
    found: dict[str, Facts] = {}
    for node in own.classes.values():
        line = list(_line(node, known))
        if _is_public(line):
            theirs = [each for each in line if own.classes.get(each.name) is each]
            functions = {part.name for each in theirs for part in each.body if isinstance(part, ast.FunctionDef)}
            summary = (ast.get_docstring(node) or "").partition("\n")[0]
            found[named_after(node.name)] = Facts(
                node.name, summary, _class_variables(line, unread=ast.unparse), frozenset(functions)
            )
    return found


def families(contracts: Path) -> tuple[Kind, ...]:
    """The kinds of methods that contracts declare, sorted by name."""
    nodes = _Source.of([contracts]).classes.values()
    found = (
        Kind(_said([node], "family"), _said([node], "verb"), (ast.get_docstring(node) or "").partition("\n")[0])
        for node in nodes
    )
    return tuple(sorted(kind for kind in found if kind.family))


def catalogue(package: Path, *others: Path) -> Mapping[str, type[Method]]:
    """The methods that `registry.discover` finds, as stub classes with their settings only.

    `others` are folders and modules with classes that those of the package inherit from or refer to.

    Raises:
        UnreadableError: if a default or a type is computed.
    """
    own, rest = _Source.of([package]), _Source.of(others)
    known = _Source({**rest.classes, **own.classes}, {**rest.assigned, **own.assigned})
    lines = [list(_line(node, known.classes)) for node in own.classes.values()]
    found = [_bare(line, known) for line in lines if _is_public(line)]
    return {kind.name(): kind for kind in sorted(found, key=lambda kind: kind.name())}


def _line(
    node: ast.ClassDef, known: Mapping[str, ast.ClassDef], heirs: tuple[ast.ClassDef, ...] = ()
) -> Iterator[ast.ClassDef]:
    """A class after its base classes, as far as their source is known."""
    if node in heirs:
        raise UnreadableError(f"{node.name} inherits from a class with the same name")
    for name in _bases(node):
        if name in known:
            yield from _line(known[name], known, (*heirs, node))
    yield node


def _bases(node: ast.ClassDef) -> Iterable[str]:
    """The names of a class's bases, also for probe.Explainer or Metric[Attribution]."""
    return [_name(base) for base in node.bases]


def _name(node: ast.expr) -> str:
    """The last name of what is named, as Metric of probe.Metric[Attribution]; "" of anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _name(value)
        case ast.Constant(value=str(text)):
            return _name(ast.parse(text, mode="eval").body)
    return ""


def _is_method(line: list[ast.ClassDef]) -> bool:
    return any(Method.__name__ in _bases(node) for node in line)


def _is_public(line: list[ast.ClassDef]) -> bool:
    """Whether users may ask for it: a method that can be made, whose name does not begin with an underscore."""
    return _is_method(line) and not _is_abstract(line) and not line[-1].name.startswith("_")


def _is_abstract(line: list[ast.ClassDef]) -> bool:
    open_: set[str] = set()
    for node in line:
        for function in (f for f in node.body if isinstance(f, ast.FunctionDef)):
            marked = any(_name(mark) == "abstractmethod" for mark in function.decorator_list)
            open_ = open_ | {function.name} if marked else open_ - {function.name}
        open_ -= {_name(entry.target) for entry in node.body if isinstance(entry, ast.AnnAssign) and entry.value}
    return bool(open_)


class _Listed(Method):
    """A method of which only the settings are known; what a dataclass would compile for each is written once."""

    def __init__(self, **settings: Any) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, settings.get(each.name, each.default))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in fields(self))})"


def _bare(line: list[ast.ClassDef], known: _Source) -> type[Method]:
    name = line[-1].name
    if name not in known.stubs:
        known.stubs[name] = _made(line, known)
    return known.stubs[name]


def _made(line: list[ast.ClassDef], known: _Source) -> type[Method]:
    settings: dict[str, tuple[Any, Any]] = {}
    for node in line:
        for entry in (e for e in node.body if isinstance(e, ast.AnnAssign)):
            if _name(entry.annotation) != "ClassVar":
                settings[_name(entry.target)] = (_hint(entry.annotation, known), _declared(entry.value, known))
    body = {
        **_class_variables(line),
        "measures": _measured(line),
        "family": _said(line, "family"),
        "__doc__": ast.get_docstring(line[-1]),
        "__annotations__": {name: hint for name, (hint, _) in settings.items()},
        **{name: value for name, (_, value) in settings.items()},
    }
    bare = types.new_class(line[-1].name, (_Listed,), exec_body=lambda namespace: namespace.update(body))
    return dataclass(frozen=True, kw_only=True, eq=False, init=False, repr=False)(bare)


def _class_variables(line: list[ast.ClassDef], unread: Callable[[ast.expr], str] | None = None) -> dict[str, Any]:
    """What a class declares of itself besides its settings, such as its needs, as far as it is written out.

    A value that is computed is left out, or is what `unread` makes of it.
    """
    found: dict[str, Any] = {}
    for entry in (e for node in line for e in node.body):
        match entry:
            case ast.FunctionDef(name=name):  # a property instead
                found.pop(name, None)
                continue
            case ast.AnnAssign(target=target, annotation=said, value=ast.expr() as value) if _name(said) == "ClassVar":
                pass
            case ast.Assign(targets=[target], value=value):
                pass
            case _:
                continue
        if not _name(target).startswith("_"):
            found.pop(_name(target), None)
            try:
                found[_name(target)] = _literal(value)
            except UnreadableError:
                if unread is not None:
                    found[_name(target)] = unread(value)
    return found


def _literal(node: ast.expr) -> Any:
    call = _call(node, "frozenset")
    if call is None:
        return _value(node)
    return frozenset(_value(call.args[0])) if call.args else frozenset()


def _measured(line: list[ast.ClassDef]) -> str:
    """The result that a metric measures, as the annotation of its function says it; "" of any other method."""
    for node in reversed(line):
        for function in (f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "measure"):
            for argument in function.args.args:
                if argument.arg == "result" and argument.annotation is not None:
                    return ast.unparse(argument.annotation)
    return ""


def _said(line: list[ast.ClassDef], name: str) -> str:
    """A text attribute of a class or one of its bases, such as its family."""
    for node in reversed(line):
        for entry in (e for e in node.body if isinstance(e, ast.AnnAssign) and e.value is not None):
            if _name(entry.target) == name and isinstance(entry.value, ast.Constant):
                return str(entry.value.value)
    return ""


def _hint(node: ast.expr, known: _Source) -> Any:
    """The type of a setting; the type Method stands for any method, as its class is not loaded."""
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str(text)):
            return _hint(ast.parse(text, mode="eval").body, known)
        case ast.Name(id=name) if name in TYPES:
            return TYPES[name]
        case ast.Name(id=name) if name in known.assigned:
            return _hint(known.assigned[name], known)
        case ast.Name(id=name) if name in known.classes and _is_method(list(_line(known.classes[name], known.classes))):
            return Method
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return reduce(operator.or_, (_hint(left, known), _hint(right, known)))
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            return Literal[_value(choices)]
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[part, ast.Constant(value=end)])):
            if end is ...:
                return tuple[_hint(part, known), ...]  # type: ignore[misc]  # created at run time
        case ast.Subscript(value=ast.Name(id="Callable")):
            return collections.abc.Callable
    raise UnreadableError(ast.unparse(node))


def _declared(node: ast.expr | None, known: _Source) -> Any:
    if node is None:
        return required("")
    call = _call(node, "param") or _call(node, "required")
    if call is None:
        return _default(node, known)
    named: dict[str | None, ast.expr] = {keyword.arg: keyword.value for keyword in call.keywords}
    if _call(node, "required"):
        given = named | dict(zip(("help",), call.args, strict=False))
        return required(str(_value(given["help"])), **_limits(named))
    given = named | dict(zip(("default", "help"), call.args, strict=False))
    return param(_default(given["default"], known), str(_value(given["help"])), **_limits(named))


def _limits(named: Mapping[str | None, ast.expr]) -> dict[str, Any]:
    """The limits of a setting, as far as they are written out, as 1 or 10**4."""
    found = {}
    for key in ("low", "high", "above", "below"):
        if key in named:
            with suppress(UnreadableError):
                found[key] = _value(named[key])
    return found


def _default(node: ast.expr, known: _Source) -> Any:
    """A default, which may be another method, made with literals."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known.classes:
        line = list(_line(known.classes[node.func.id], known.classes))
        if _is_method(line) and not node.args:
            return _bare(line, known)(**{str(each.arg): _default(each.value, known) for each in node.keywords})
    return _value(node)


def _value(node: ast.expr) -> Any:
    try:
        call = _call(node, "written")
        return _literal_of(node) if call is None else written(ast.literal_eval(call.args[0]))
    except (ValueError, IndexError, ArithmeticError, TypeError) as error:
        raise UnreadableError(ast.unparse(node)) from error


OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
LARGEST, HIGHEST = 10**6, 64  # of a base and of a power


def _literal_of(node: ast.expr) -> Any:
    """A value that is written out, also as arithmetic with numbers, such as 8 / 255."""
    if not isinstance(node, ast.BinOp) or type(node.op) not in OPERATORS:
        return ast.literal_eval(node)
    left, right = _literal_of(node.left), _literal_of(node.right)
    if not all(isinstance(each, int | float) for each in (left, right)):
        raise ValueError(ast.unparse(node))
    if isinstance(node.op, ast.Pow) and not (abs(left) <= LARGEST and abs(right) <= HIGHEST):
        raise ValueError(ast.unparse(node))
    return OPERATORS[type(node.op)](left, right)


def _call(node: ast.expr, name: str) -> ast.Call | None:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    return node if called and isinstance(node, ast.Call) else None
