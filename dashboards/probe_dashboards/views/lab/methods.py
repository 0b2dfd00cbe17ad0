"""The methods that a model can be asked for."""

from collections.abc import Container, Mapping
from typing import Any

from probe.text import visible


def suited(described: Mapping[str, Any], family: str) -> dict[str, str]:
    """The methods of a family that suit the model: name to title."""
    return {
        name: visible(told["title"]) for name, told in described["methods"].get(family, {}).items() if not told["why"]
    }


def unsuited(described: Mapping[str, Any], family: str) -> dict[str, str]:
    """Those that do not: title to the reason."""
    known = described["methods"].get(family, {})
    return {visible(told["title"]): visible(told["why"]) for told in known.values() if told["why"]}


def usual(described: Mapping[str, Any], family: str) -> list[str]:
    """What is chosen before anybody chooses."""
    named = {"explainer": "explainers", "attack": "attacks"}.get(family, "")
    asked = [each["method"] if isinstance(each, Mapping) else each for each in described["usual"].get(named, [])]
    there = suited(described, family)
    return [name for name in asked if name in there] or list(there)[:1]


def offered(described: Mapping[str, Any], known: Container[str]) -> dict[str, str]:
    """All methods that the model can be asked for and that are explained elsewhere: name to title."""
    return {
        name: title
        for family in described["methods"]
        for name, title in suited(described, family).items()
        if name in known
    }
