"""A plan as the TOML file that gives it again."""

import json
from collections.abc import Mapping
from typing import Any


def to_toml(plan: Mapping[str, Any]) -> str:
    """A plan as a TOML file."""
    return "\n".join(_lines(plan, "")) + "\n"


def _lines(table: Mapping[str, Any], path: str) -> list[str]:
    plain = [f"{_key(k)} = {_value(v)}" for k, v in table.items() if v is not None and not isinstance(v, Mapping)]
    nested: list[str] = []
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            inner = f"{path}.{_key(key)}" if path else _key(key)
            nested += ["", f"[{inner}]", *_lines(value, inner)]
    return plain + nested


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        if any(isinstance(v, Mapping) for v in value):
            return "[\n" + "".join(f"  {_value(v)},\n" for v in value) + "]"
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(key: object) -> str:
    text = str(key)
    return text if text and all(c.isascii() and (c.isalnum() or c in "-_") for c in text) else json.dumps(text)
