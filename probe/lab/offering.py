"""The methods available for a model, with their settings described for forms."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from probe.contracts import Attack, Explainer
from probe.contracts.common import refuse_unmet
from probe.declared import type_name
from probe.errors import ProbeError
from probe.formatting import words
from probe.lab.opened import Opened
from probe.lab.telling import plain
from probe.method import Method
from probe.numbers import as_written
from probe.registry import discover, methods


def offered(family: str, opened: Opened) -> dict[str, Any]:
    """The methods of a family by name: summary, settings, and why a method does not suit the model, if so."""
    return {name: _told(kind, opened) for name, kind in discover(family).items()}


def settings(kind: type[Method], deep: int = 2) -> list[dict[str, Any]]:
    """The settings of a method in their order, each with its type, default, limits, choices and help.

    For a setting that is a method, the choices include their own settings, up to the given depth.
    """
    return [
        {
            "name": f.name,
            "default": _default(f.default),
            "required": f.default is MISSING and f.default_factory is MISSING,
            "help": f.metadata.get("help", ""),
            "limits": {name: at for name, at in vars(f.metadata["limits"]).items() if at is not None}
            if "limits" in f.metadata
            else {},
            **_typed(kind._hints[f.name], deep - 1),
        }
        for f in fields(kind)
    ]


def _told(kind: type[Any], opened: Opened) -> dict[str, Any]:
    record: dict[str, Any] = {
        "title": getattr(kind, "title", "") or (kind.__name__ if issubclass(kind, Attack) else words(kind.name())),
        "summary": kind.summary(),
        "doc": (kind.__doc__ or "").partition("Settings:")[0].strip(),
        "settings": settings(kind),
        "needs": sorted(getattr(kind, "needs", ())),
        "why": _unsuited(kind, opened),
    }
    if issubclass(kind, Attack):
        threat = getattr(_usual(kind), "threat", None)
        record |= {"budget": kind.budget, "threat": None if threat is None else plain(threat.to_json())}
    if issubclass(kind, Explainer):
        record |= {"completeness": kind.completeness, "imposed": kind.sums_by_construction}
    return record


def _unsuited(kind: type[Any], opened: Opened) -> str:
    """Why a method cannot be used on this model; empty if nothing rules it out."""
    model, inputs = opened.model, opened.data.inputs[:1]
    try:
        refuse_unmet(kind, getattr(kind, "needs", frozenset()), model)
        usual = _usual(kind)
        if isinstance(usual, Attack):
            usual.check_threat(model, inputs)
    except ProbeError as error:
        return str(error)
    return ""


def _usual(kind: type[Any]) -> Any:
    """The method with its defaults; None if a setting is required."""
    try:
        return kind()
    except ProbeError:
        return None


def _default(value: Any) -> Any:
    if value is MISSING:
        return None
    return plain(as_written({"it": value.config() if isinstance(value, Method) else value})["it"])


def _typed(hint: Any, deep: int) -> dict[str, Any]:
    """The type of a setting as one word, whether it is optional, and its choices."""
    if get_origin(hint) is Annotated:
        return _typed(get_args(hint)[0], deep)
    parts = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        known = [part for part in parts if part is not type(None)]
        one = _typed(known[0], deep) if len(known) == 1 else {"type": "text", "said": type_name(hint)}
        return one | {"optional": len(known) < len(parts)}
    if get_origin(hint) is Literal:
        return {"type": "choice", "choices": list(parts)}
    if hint in (bool, int, float, str):
        return {"type": {bool: "truth", int: "whole", float: "number", str: "text"}[hint]}
    if isinstance(hint, type) and issubclass(hint, Method):
        return {"type": "method", "choices": _of_kind(hint, deep)}
    return {"type": "list" if get_origin(hint) in (tuple, list) else "other", "said": type_name(hint)}


def _of_kind(hint: type[Method], deep: int) -> Mapping[str, Any]:
    """The methods that a setting accepts, by name, with their settings."""
    return {
        name: {"summary": kind.summary(), "settings": settings(kind, deep) if deep else []}
        for name, kind in methods().items()
        if issubclass(kind, hint)
    }
