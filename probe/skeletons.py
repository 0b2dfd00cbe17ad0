"""Top-level classes and constants of source files, without what functions do, kept beside Python's own bytecode.

Reading the syntax of a whole package takes longer than all else that listing its methods takes. What is kept is text,
which is parsed and never run, and is made anew when its source file has changed.
"""

import ast
import gc
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

NAME = "skeletons.json"
Kept = dict[str, Any]  # by file: when it was changed, its size, its skeleton


def definitions(path: Path) -> list[ast.stmt]:
    """The classes and assignments at the top level of a module or of a package's modules.

    Base classes have their original names. Functions are empty.
    """
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    stamps = [(file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    return list(_defined(path, tuple(zip(files, stamps, strict=True))))


@cache
def _defined(path: Path, files: tuple[tuple[Path, tuple[int, int]], ...]) -> tuple[ast.stmt, ...]:
    store = _store(path)
    kept, found, made = _kept(store), [], {}
    with _uncollected():
        for file, stamp in files:
            key = str(file.relative_to(path.parent))
            nodes = _of_text(kept.get(key), stamp)
            if nodes is None:
                nodes = _of_source(file)
                made[key] = (nodes, stamp)
            found += nodes
        if made and not sys.dont_write_bytecode:
            texts = {key: [*stamp, "\n".join(map(ast.unparse, nodes))] for key, (nodes, stamp) in made.items()}
            here = {str(file.relative_to(path.parent)) for file, _ in files}
            _keep(store, {key: each for key, each in kept.items() if key in here} | texts)
    return tuple(found)


def _of_source(file: Path) -> list[ast.stmt]:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    imported = [alias for node in body if isinstance(node, ast.ImportFrom) for alias in node.names]
    aliases = {alias.asname: alias.name for alias in imported if alias.asname}
    nodes = [node for node in body if isinstance(node, ast.ClassDef | ast.Assign)]
    bases = (base for node in nodes if isinstance(node, ast.ClassDef) for base in node.bases)
    for name in (each for base in bases for each in ast.walk(base) if isinstance(each, ast.Name)):
        name.id = aliases.get(name.id, name.id)
    for part in (part for node in nodes for part in getattr(node, "body", ())):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            part.body = [ast.Pass()]
    return list(nodes)


def _of_text(kept: Any, stamp: tuple[int, int]) -> list[ast.stmt] | None:
    """The definitions that were kept of a file, unless it has changed."""
    match kept:
        case [int() as changed, int() as size, str() as text] if (changed, size) == stamp:
            with suppress(SyntaxError, ValueError):
                return ast.parse(text).body
    return None


def _store(path: Path) -> Path | None:
    with suppress(NotImplementedError):  # a Python that keeps no bytecode
        home = path / "__init__.py" if path.is_dir() else path
        return Path(cache_from_source(str(home))).with_name(f"{path.stem}.{sys.implementation.cache_tag}.{NAME}")
    return None


def _kept(store: Path | None) -> Kept:
    with suppress(OSError, ValueError, RecursionError):
        kept = json.loads(store.read_text(encoding="utf-8")) if store else {}
        return kept if isinstance(kept, dict) else {}
    return {}


def _keep(store: Path | None, kept: Kept) -> None:
    """Write the file whole or not at all; a folder that cannot be written to keeps nothing."""
    if store is None:
        return
    with suppress(OSError):
        store.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=store.parent, prefix=f"{store.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(kept, file)
            Path(name).replace(store)
        except OSError:
            Path(name).unlink()
            raise


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for garbage: a syntax tree has none, and searching it takes as long as reading it."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            gc.enable()
