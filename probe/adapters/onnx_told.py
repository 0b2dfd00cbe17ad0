"""The metadata of ONNX files that probe writes: task and space.

Both are text properties of the file: `probe.task` and `probe.space`.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from probe import store
from probe.adapters.onnx_file import properties
from probe.errors import DataError, IntegrityError
from probe.forms import ByShape
from probe.forms import known as known_forms
from probe.names import a_kind
from probe.space import Space
from probe.task import Task, from_json

TASK, SPACE = "probe.task", "probe.space"


@dataclass(frozen=True)
class Told:
    """The task and space in a file; None if it has none."""

    task: Task | None = None
    space: Space | None = None


def written(task: Task, space: Space) -> dict[str, str]:
    """The properties for a task and a space."""
    with TemporaryDirectory() as folder:
        stem = Path(folder, "space")
        store.write(stem, space)
        arrays, record = store.files(stem)
        held = {"record": json.loads(record.read_text()), "arrays": base64.b64encode(arrays.read_bytes()).decode()}
    return {TASK: json.dumps(task.to_json()), SPACE: json.dumps(held)}


def told(path: str | Path) -> Told:
    """Read the task and space of a file.

    Raises:
        DataError: if it cannot be read, or its properties are invalid.
    """
    path = Path(path)
    found = properties(path)
    try:
        task = from_json(_table(found[TASK])) if TASK in found else None
        return Told(task, _space(_table(found[SPACE])) if SPACE in found else None)
    except (DataError, IntegrityError, ValueError, LookupError, TypeError, RecursionError, binascii.Error) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"what {path.name} says of its inputs and answers is damaged ({reason}); export it again"
        ) from None


def _table(text: str) -> dict[str, Any]:
    held = json.loads(text)
    if not isinstance(held, dict):
        raise ValueError(f"{text:.40} is no table")
    return held


def _space(held: Mapping[str, Any]) -> Space:
    kinds = {kind.__name__: kind for kind in (Space, ByShape, *known_forms().values())}
    with TemporaryDirectory() as folder:
        stem = Path(folder, "space")
        arrays, record = store.files(stem)
        arrays.write_bytes(base64.b64decode(held["arrays"], validate=True))
        record.write_text(json.dumps(held["record"]))
        found = store.read(stem, kinds, _no_method)
    if not isinstance(found, Space):
        raise DataError(f"it holds {a_kind(found)}, expected a Space")
    return found


def _no_method(config: Mapping[str, Any]) -> Any:
    raise DataError(f"a space holds no method, and this one holds {config!r:.60}")
