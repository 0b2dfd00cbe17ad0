"""What an audit runs unless its plan says otherwise, as the source declares it, without loading torch."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

HOME = Path(__file__).parent
TABLE = "table"  # stands for every form that says nothing else
METRICS = {HOME / "audit" / "asked.py": "METRICS", HOME / "study" / "cells.py": "USUAL"}


@cache
def metrics() -> frozenset[str]:
    """The metrics that are taken of every result that they suit."""
    found = (_assigned(_parsed(path), name) for path, name in METRICS.items())
    return frozenset(
        name for value in found if isinstance(value, ast.Dict) for each in value.values for name in _texts(each)
    )


@cache
def without_gradients() -> frozenset[str]:
    """The attacks that are run on models without gradients, such as a forest or an ONNX file."""
    told = _declared(_classes()["Defaults"], "without_gradients")
    return frozenset(_methods(told, {}))


@cache
def methods() -> Mapping[str, tuple[str, ...]]:
    """The explainers and attacks that are run on each form of input, by its name."""
    classes = _classes()
    base = {part: tuple(_methods(_declared(classes["Defaults"], part), {})) for part in ("explainers", "attacks")}
    found = {}
    for node in classes.values():
        called, said = _declared(node, "name"), _declared(node, "defaults")
        if isinstance(called, ast.Constant) and isinstance(said, ast.Call):
            given = {keyword.arg: tuple(_methods(keyword.value, base)) for keyword in said.keywords}
            found[str(called.value) or TABLE] = tuple(name for part in base for name in given.get(part, base[part]))
    return found


def _classes() -> Mapping[str, ast.ClassDef]:
    """The classes of forms by name."""
    trees = [_parsed(path) for path in sorted((HOME / "forms").glob("*.py"))]
    return {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _assigned(tree: ast.Module, name: str) -> ast.expr | None:
    """What a module assigns to a name at its top level."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            return node.value
    return None


def _declared(node: ast.ClassDef, name: str) -> ast.expr | None:
    return _assigned(ast.Module(body=node.body, type_ignores=[]), name)


def _texts(node: ast.expr) -> Iterator[str]:
    return (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))


def _methods(node: ast.expr | None, base: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """The names in ("saliency", *Defaults().explainers) or in ({"method": "pgd", "steps": 40},)."""
    for each in node.elts if isinstance(node, ast.Tuple) else ():
        match each:
            case ast.Constant(value=str(name)):
                yield name
            case ast.Dict(keys=keys, values=values):
                named = dict(zip((k.value for k in keys if isinstance(k, ast.Constant)), values, strict=True))
                yield from _texts(named["method"])
            case ast.Starred(value=ast.Attribute(attr=part)):
                yield from base.get(part, ())
