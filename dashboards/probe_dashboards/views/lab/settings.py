"""The settings of a method as fields of a form, and what was filled in as the library reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from probe.formatting import words
from probe.text import visible

Kind = Literal["whole", "text", "truth", "choice", "method"]


@dataclass(frozen=True)
class Field:
    """A setting that a form asks for."""

    name: str
    label: str
    kind: Kind
    default: Any  # as the field holds it before anybody writes into it
    help: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)  # of a choice: as it is written to its value
    inner: Mapping[str, "tuple[Field, ...]"] = field(default_factory=dict)  # of a method: the fields of each choice
    low: int | None = None
    high: int | None = None
    placeholder: str = ""


def fields(settings: Sequence[Mapping[str, Any]], without: Sequence[str] = ()) -> tuple[Field, ...]:
    """The fields of a method's settings, without those that the page asks for in another way."""
    return tuple(_field(setting) for setting in settings if setting["name"] not in without)


def filled(asked: Sequence[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the defaults, as a request holds it; the library checks it and says what is wrong."""
    given: dict[str, Any] = {}
    for one in asked:
        value = values.get(one.name, one.default)
        if one.kind == "method":
            chosen, inside = value if isinstance(value, tuple) else (value, {})
            inner = filled(one.inner.get(chosen, ()), inside)
            if chosen != one.default or inner:
                given[one.name] = {"method": chosen, **inner} if chosen else None
        elif value != one.default:
            given[one.name] = one.options[value] if one.kind == "choice" else value
    return given


def _field(setting: Mapping[str, Any]) -> Field:
    name, kind, default = setting["name"], setting["type"], setting["default"]
    known: dict[str, Any] = {"name": name, "label": visible(words(name)), "help": _help(setting)}
    limits = setting.get("limits", {})
    if kind == "truth" and not setting.get("optional"):
        return Field(kind="truth", default=bool(default), **known)
    if kind == "choice":
        options = {visible(choice): choice for choice in setting["choices"]}
        if setting.get("optional"):
            options = {"none": None} | options
        shown = "none" if default is None else visible(default)
        return Field(kind="choice", default=shown, options=options, **known)
    if kind == "method":
        choices = {each: fields(told["settings"]) for each, told in setting["choices"].items()}
        usual = default["method"] if isinstance(default, Mapping) else default
        inner = ({"": ()} if setting.get("optional") or usual is None else {}) | choices
        return Field(kind="method", default=usual or "", inner=inner, **known)
    if kind == "whole" and isinstance(default, int) and not setting.get("optional"):
        low, high = _whole(limits, "low", "above", 1), _whole(limits, "high", "below", -1)
        return Field(kind="whole", default=default, low=low, high=high, **known)
    return Field(kind="text", default="", placeholder=_written(default, setting), **known)


def _whole(limits: Mapping[str, Any], closed: str, opened: str, step: int) -> int | None:
    if limits.get(closed) is not None:
        return int(limits[closed])
    return int(limits[opened]) + step if limits.get(opened) is not None else None


def _written(default: Any, setting: Mapping[str, Any]) -> str:
    if default is None:
        return "must be given" if setting.get("required") else "none"
    return visible(default)


def _help(setting: Mapping[str, Any]) -> str:
    limits = setting.get("limits", {})
    said = [
        f"{word} {visible(limits[key])}"
        for key, word in (("low", "at least"), ("above", "above"), ("high", "at most"), ("below", "below"))
        if limits.get(key) is not None
    ]
    return visible(setting.get("help", "")) + (f" ({', '.join(said)})" if said else "")
