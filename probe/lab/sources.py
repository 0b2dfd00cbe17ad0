"""The models that a lab offers: named by the operator, of the zoo, or of plans in a folder. Imports no torch."""

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probe.errors import ProbeError

LARGEST = 2**24  # bytes of a plan


class LabError(ProbeError):
    """The lab does not have what was requested, or it belongs to another owner."""


@dataclass(frozen=True)
class Source:
    """A model that a worker can open, by its name or folder in the zoo, or by a plan.

    >>> Source.named("adult-mlp").name
    'adult-mlp'
    """

    key: str  # its key in requests, links and pages
    name: str  # its display name
    zoo: str = ""  # a name of the zoo, or the folder of a model
    plan: str = ""  # the path of a plan
    why: str = ""  # why it is not offered; empty if it is

    @classmethod
    def named(cls, name: str, *, allow_code: bool = False) -> "Source":
        """A source from the operator's argument: NAME or FOLDER of the zoo, or PLAN.toml."""
        path = Path(name)
        if path.suffix == ".toml":
            path = path.resolve()
            return cls(_key(path), path.stem, plan=str(path), why=_refused(path, allow_code=allow_code))
        if "/" in name or path.is_dir():
            path = path.resolve()
            return cls(_key(path), path.name, zoo=str(path))
        return cls(name, name, zoo=name)


def offered(
    folder: str | Path = ".", named: Sequence[str] = (), zoo: Sequence[str] = (), *, allow_code: bool = False
) -> tuple[Source, ...]:
    """The models of a lab without duplicates, those named by the operator first.

    Args:
        folder: searched for plans (*.toml).
        named: names of the zoo, folders or plans.
        zoo: the names of the zoo.
        allow_code: whether plans may run their own code.
    """
    plans = sorted(str(path) for path in Path(folder).glob("*.toml") if path.is_file() and _is_plan(path))
    found = [Source.named(name, allow_code=allow_code) for name in (*named, *plans, *zoo)]
    return tuple({source.key: source for source in reversed(found)}[key] for key in dict.fromkeys(s.key for s in found))


def _key(path: Path) -> str:
    """The key of a path, which does not show it: its name and a digest."""
    return f"{path.stem}-{hashlib.sha256(str(path).encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def _is_plan(path: Path) -> bool:
    """Whether a TOML file is a plan."""
    table = _table(path)
    return isinstance(table, dict) and isinstance(table.get("model"), dict)


def _refused(path: Path, *, allow_code: bool) -> str:
    table = _table(path)
    if isinstance(table, str):
        return table
    model = table.get("model")
    if not isinstance(model, dict):
        return f"{path.name} names no model; it needs [model], as `probe plan` writes it"
    if model.get("factory") and not allow_code:
        return (
            f"{path.name} takes its model from {model['factory']!s:.100}, whose code would be run; look at that code, "
            "and then allow it: probe dashboard --allow-code"
        )
    return ""


def _table(path: Path) -> dict[str, Any] | str:
    """The content of a plan, or why it cannot be read."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            return f"{path.name} is larger than {LARGEST >> 20} MiB, which is no plan"
        return tomllib.loads(text.decode("utf-8-sig"))
    except OSError as error:
        return f"cannot read {path.name}: {error.strerror or error}"
    except RecursionError:
        return f"{path.name} is nested too deeply"
    except ValueError as error:
        return f"{path.name} is not TOML: {str(error)[:200]}"
