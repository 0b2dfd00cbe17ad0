"""audit.json: its bytes, its digests, and the shape that every manifest has."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath
from typing import Any

from probe.audit.readings import is_reading
from probe.errors import IntegrityError

SCHEMA = 2
LARGEST = 2**26  # bytes
DEEPEST = 30  # levels of tables within tables; Python's own end comes at about a thousand

REQUIRED = ("schema", "name", "status", "plan", "model", "data", "steps", "findings", "files", "digest")
# In the order in which they are written.
KEYS = (
    *("schema", "name", "status", "created", "finished", "plan", "model", "data", "machine", "steps", "findings"),
    *("files", "contents", "evidence_digest", "digest", "report_sha256"),
)
STATUSES = ("running", "interrupted", "complete")
STEP = {"name", "kind", "id", "lens", "method", "readings", "status", "note", "seconds", "forward", "backward"}
MORE = {"threat", "title", "caption"}  # of some steps only
ENDS = ("done", "not run", "error")
# What two honest runs may differ in: when and on what, and how long it took.
COSTS = ("seconds", "forward", "backward")


def dump(manifest: Mapping[str, Any]) -> bytes:
    """The one way in which a manifest is written."""
    return json.dumps(_ordered(manifest), indent=1, ensure_ascii=False, allow_nan=False).encode()


def parse(data: bytes, shown: str) -> dict[str, Any]:
    """A manifest from the bytes of its file, which is read in one way only.

    Raises:
        IntegrityError: if it is no JSON in UTF-8, names a key twice, holds NaN, or is nested without reason.
    """
    try:
        manifest = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
        json.dumps(manifest, ensure_ascii=False, allow_nan=False).encode()  # no half of a surrogate pair, no 1e999
    except (ValueError, RecursionError, MemoryError) as error:
        raise IntegrityError(f"{shown} is damaged: {str(error) or type(error).__name__}") from None
    if not isinstance(manifest, dict) or not set(REQUIRED) <= manifest.keys():
        raise IntegrityError(f"{shown} is not the manifest of an audit")
    if _depth(manifest) > DEEPEST:
        raise IntegrityError(f"{shown} is nested more than {DEEPEST} levels deep; no audit writes that")
    if manifest["schema"] != SCHEMA:
        raise IntegrityError(
            f"{shown} has schema {str(manifest['schema'])[:20]}, and this version of probe reads {SCHEMA}: read it "
            "with the version that wrote it, or audit again"
        )
    files = manifest["files"]
    if not isinstance(files, dict) or any(
        PurePosixPath(f).is_absolute() or ".." in PurePosixPath(f).parts for f in files
    ):
        raise IntegrityError(f"{shown} names files outside its folder; nothing was opened")
    return manifest


def digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of the manifest, which names every file's digest; of all but the digest itself and the report's."""
    covered = {k: v for k, v in _ordered(manifest).items() if k not in ("digest", "report_sha256")}
    return hashlib.sha256(json.dumps(covered, ensure_ascii=False).encode()).hexdigest()


def evidence_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of plan, model, data, arrays, groups and findings: two honest runs on the same kind of machine agree.

    Times, the machine, what compressed the arrays and the folders that files were in are left out.
    """
    covered = {
        **{key: manifest[key] for key in ("schema", "name", "status", "model", "data", "findings")},
        "plan": {key: _without_folders(part) for key, part in _items(manifest["plan"])},
        "steps": [[item for item in _items(step) if item[0] not in COSTS] for step in _listed(manifest["steps"])],
        "arrays": manifest.get("contents"),
        "groups": manifest["files"].get("tables/groups.csv"),
    }
    return hashlib.sha256(json.dumps(covered, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def check_shape(manifest: Mapping[str, Any]) -> None:
    """Raise IntegrityError unless every part of a manifest is of the kind that an audit writes."""
    kinds: dict[str, type | tuple[type, ...]] = dict.fromkeys(KEYS, str)
    kinds |= {"schema": int, "steps": list, "findings": list}
    kinds |= dict.fromkeys(("plan", "model", "data", "machine", "files", "contents"), dict)
    for key, value in manifest.items():
        if key not in kinds:
            raise IntegrityError(f"audit.json has {key[:60]!r}, which no audit writes")
        if not isinstance(value, kinds[key]):
            raise IntegrityError(f"audit.json: {key} is {str(value)[:60]!r}, which no audit writes")
    if manifest["status"] not in STATUSES:
        raise IntegrityError(f"audit.json: status is {manifest['status'][:60]!r}, expected {', '.join(STATUSES)}")
    for file, sha in [*manifest["files"].items(), *manifest.get("contents", {}).items()]:
        if not re.fullmatch(r"(arrays/[^/]+\.npz|tables/[^/]+\.csv)", file) or not re.fullmatch(
            r"[0-9a-f]{64}", str(sha)
        ):
            raise IntegrityError(f"audit.json lists the file {file[:60]!r}, which no audit writes")
    for at, step in enumerate(manifest["steps"]):
        _check_step(step, at)
    for finding in manifest["findings"]:
        if not isinstance(finding, dict) or not {"lens", "check", "status"} <= finding.keys():
            raise IntegrityError(f"audit.json: the finding {str(finding)[:60]!r} is none that an audit writes")


def _ordered(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {key: manifest[key] for key in (*KEYS, *sorted(manifest.keys() - {*KEYS})) if key in manifest}


def _check_step(step: Any, at: int) -> None:
    where = f"audit.json: step {at + 1}"
    if not isinstance(step, dict) or not STEP <= step.keys() <= STEP | MORE:
        raise IntegrityError(f"{where} is not what an audit writes of a step")
    texts = all(
        isinstance(step.get(key, ""), str)
        for key in ("name", "kind", "id", "lens", "status", "note", *MORE - {"threat"})
    )
    numbers = all(isinstance(step[key], int | float) and 0 <= step[key] < 2**63 for key in COSTS)
    named = isinstance(step["method"], dict) and isinstance(step["method"].get("method", ""), str)
    named &= isinstance(step["readings"], list) and all(is_reading(reading) for reading in step["readings"])
    if not (texts and numbers and named and _is_threat(step.get("threat", {}))) or step["status"] not in ENDS:
        raise IntegrityError(f"{where} is not what an audit writes of a step")


def _is_threat(value: Any) -> bool:
    """Whether it is what `Threat.to_json` writes; nothing where the step is of no attack."""
    texts = ("unit", "axis", "note")
    return value == {} or (
        isinstance(value, dict)
        and value.keys() == {*texts, "counted"}
        and all(isinstance(value[key], str) for key in texts)
        and isinstance(value["counted"], bool)
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _items(value: Any) -> list[tuple[str, Any]]:
    """What a table holds; a digest can be had of anything, so that what is no table is none of its parts."""
    return list(value.items()) if isinstance(value, dict) else [("", value)]


def _without_folders(source: Any) -> Any:
    """A part of a plan with files by their names: two auditors keep the same file in different folders."""
    if not isinstance(source, dict):
        return source
    return {
        key: PurePath(value).name
        if isinstance(value, str) and PurePath(value.rpartition(":")[2]).is_absolute()
        else value
        for key, value in source.items()
    }


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{twice[:60]!r} is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _depth(value: Any) -> int:
    """How many levels of tables and lists there are, without Python's own recursion."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        level = [
            item for v in level if isinstance(v, dict | list) for item in (v.values() if isinstance(v, dict) else v)
        ]
        depth += 1
    return depth
