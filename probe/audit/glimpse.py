"""What a list of audits shows of each, without the cost of opening it."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from probe.audit import files
from probe.audit.bundle import read
from probe.audit.canonical import LARGEST, has_digest
from probe.audit.manifest import check_schema
from probe.finding import Status

ODD = (ValueError, LookupError, TypeError, AttributeError, RecursionError, MemoryError)
FINDINGS = b'\n "findings": ['
# In the order of the manifest.
LARGE = (b'\n "plan": {', b'\n  "features": [', FINDINGS, b'\n "files": {', b'\n "contents": {')
STATUSES: tuple[str, ...] = get_args(Status)
ENDS = ("running", "interrupted", "complete")


@dataclass(frozen=True)
class Glimpse:
    """The head of an audit, whose digest is that of its manifest."""

    name: str
    status: str
    created: str
    model: str
    data: str
    rows: int
    data_sha256: str
    digest: str
    counts: Mapping[str, int]  # of the findings about the model, by status
    costs: Mapping[str, tuple[int, int, float]]  # of each method: examples forward and backward, and seconds


def glimpse(folder: str | Path) -> Glimpse:
    """The head of the audit in a folder.

    Its digest is checked; the rest of the manifest is when it is opened, by `read`.

    Raises:
        IntegrityError: if there is no audit.json, it was changed, or this version does not read it.

    Example:
        >>> from probe.audit.glimpse import glimpse
        >>> glimpse("runs/adult-mlp").status  # doctest: +SKIP
        'complete'
    """
    folder = Path(folder)
    try:
        data = files.content(folder, "audit.json", LARGEST)
        head, findings = _apart(data)
        document = json.loads(head)
        check_schema(document, f"audit.json of {folder.name}")  # a folder may hold many of another version
        if has_digest(data, document["digest"]):
            return _head(document, _counted(findings))
    except ODD:
        pass
    document = read(folder).manifest.to_json()  # says what is wrong with it
    return _head(document, Counter(f["status"] for f in document["findings"] if f["about"] == "model"))


def _apart(data: bytes) -> tuple[bytes, bytes]:
    """The canonical bytes of a manifest without the large parts of which a list shows nothing, and its findings.

    No text in JSON holds a line break, so a part ends at the first line that begins as its own does and closes it.
    Where that is not so the bytes are not canonical, and `read` refuses them.
    """
    kept, at, findings = [], 0, b""
    for opened in LARGE:
        start, end = _lines(data, opened, at)
        kept.append(data[at:start])
        if opened is FINDINGS:
            findings = data[start:end]
        at = end
    return b"".join([*kept, data[at:]]), findings


def _lines(data: bytes, opened: bytes, after: int) -> tuple[int, int]:
    """Where the lines of a part begin and end; one place twice where it has none."""
    closed = (b"}" if opened.endswith(b"{") else b"]").rjust(opened.index(b'"'))
    start = data.find(opened + b"\n", after)
    end = data.find(b"\n" + closed, start)
    return (start + len(opened), end) if 0 <= start < end else (after, after)


def _counted(findings: bytes) -> Mapping[str, int]:
    """How many findings about the model have each status, by the lines that say so: to parse all takes longer."""
    found: Counter[str] = Counter()
    for said in findings.split(b'\n   "status": "')[1:]:
        status, between, about = said.split(b'"', 5)[:5:2]
        if between != b"about":
            raise ValueError("a finding that no audit writes")
        found[_one_of(status.decode(), STATUSES)] += about == b"model"
    return +found


def _head(document: Mapping[str, Any], counts: Mapping[str, int]) -> Glimpse:
    return Glimpse(
        name=_text(document["name"]),
        status=_one_of(document["status"], ENDS),
        created=_text(document["created"]),
        model=_text(document["model"]["name"]),
        data=_text(document["data"]["name"]),
        rows=_count(document["data"]["n"]),
        data_sha256=_text(document["data"]["sha256"]),
        digest=_text(document["digest"]),
        counts=counts,
        costs={_text(step["method"]["method"]): _cost(step) for step in document["steps"] if _named(step)},
    )


def _named(step: Mapping[str, Any]) -> bool:
    return step["status"] == "done" and "method" in step["method"]


def _cost(step: Mapping[str, Any]) -> tuple[int, int, float]:
    seconds = step["seconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 2**63:
        raise ValueError("no number of seconds")
    return _count(step["forward"]), _count(step["backward"]), seconds


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _one_of(value: Any, known: tuple[str, ...]) -> str:
    if _text(value) not in known:
        raise ValueError("no word that an audit writes")
    return str(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError("no number of examples")
    return value
