"""The bytes of audit.json: one way to write them, one way to read them, and their digests."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from probe.errors import IntegrityError

LARGEST = 2**26  # bytes
DEEPEST = 30  # the deepest nesting of tables; Python's recursion limit is about a thousand
# What two honest runs may differ in: times, machine, duration.
COSTS = ("seconds", "forward", "backward")
SPACE, BREAK, COMMA = b" \n,"
GONE = 0xFF  # a byte that no text in UTF-8 holds

Document = dict[str, Any]


def dump(document: Mapping[str, Any]) -> bytes:
    """The canonical bytes of a manifest."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode()


def parse(data: bytes, shown: str) -> Document:
    """The document in the bytes of a file.

    Raises:
                    IntegrityError: if it is not JSON in UTF-8, names a key twice, holds NaN, or is nested too deeply.
    """
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()  # refuses lone surrogates and 1e999
    except (ValueError, RecursionError, MemoryError) as error:
        raise IntegrityError(f"{shown} is damaged: {str(error) or type(error).__name__}") from None
    if not isinstance(document, dict):
        raise IntegrityError(f"{shown} is not the manifest of an audit")
    if _depth(document) > DEEPEST:
        raise IntegrityError(f"{shown} is nested more than {DEEPEST} levels deep; no audit writes that")
    return document


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of the manifest without its own digest and the report's. The manifest holds every other file's digest."""
    covered = {k: v for k, v in document.items() if k not in ("digest", "report_sha256")}
    return hashlib.sha256(json.dumps(covered, ensure_ascii=False).encode()).hexdigest()


def has_digest(data: bytes, recorded: str) -> bool:
    """Whether canonical bytes have that digest; in a fraction of the time of `digest`. Other content never has it."""
    if GONE in data:
        return False
    covered, _, _ = _on_one_line(data).rpartition(b', "digest": "')
    return hashlib.sha256(covered + b"}").hexdigest() == recorded


def _on_one_line(data: bytes) -> bytes:
    """Canonical bytes as JSON without indents.

    Text in JSON holds no line break, so all of them stand between the items, as `dump` writes them. All lines are
    looked at together, one space of their indents after the other: a list of audits has a hundred thousand lines.
    """
    held = bytearray(data + b"\0")  # a last byte that no indent reaches beyond
    bytes_ = np.frombuffer(held, dtype=np.uint8)
    breaks = np.flatnonzero(bytes_ == BREAK)
    bytes_[breaks] = np.where(bytes_[breaks - 1] == COMMA, SPACE, GONE)
    for _ in range(DEEPEST + 1):
        breaks = breaks + 1
        breaks = breaks[bytes_[breaks] == SPACE]
        if not len(breaks):
            break
        bytes_[breaks] = GONE
    return bytes(held[:-1].translate(None, bytes([GONE])))


def evidence_digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of plan, model, data, arrays, groups and findings: equal for two honest runs on the same kind of machine.

    Times, the machine, the compression of the arrays and the folders of files are left out.
    """
    covered = {
        **{key: document[key] for key in ("schema", "name", "status", "model", "data", "findings")},
        "plan": {key: _without_folders(part) for key, part in _items(document["plan"])},
        "steps": [[item for item in _items(step) if item[0] not in COSTS] for step in _listed(document["steps"])],
        "arrays": document["contents"],
        "groups": document["files"].get("tables/groups.csv"),
    }
    return hashlib.sha256(json.dumps(covered, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _items(value: Any) -> list[tuple[str, Any]]:
    """The parts of a table; {} for anything else, so that any document has a digest."""
    return list(value.items()) if isinstance(value, dict) else [("", value)]


def _without_folders(source: Any) -> Any:
    """A part of a plan with file names instead of paths: two auditors keep the same file in different folders."""
    if not isinstance(source, dict):
        return source
    return {
        key: PurePath(value).name
        if isinstance(value, str) and PurePath(value.rpartition(":")[2]).is_absolute()
        else value
        for key, value in source.items()
    }


def _once(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{twice[:60]!r} is named twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _depth(value: Any) -> int:
    """The depth of nested tables and lists, computed without recursion."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        level = [
            item for v in level if isinstance(v, dict | list) for item in (v.values() if isinstance(v, dict) else v)
        ]
        depth += 1
    return depth
