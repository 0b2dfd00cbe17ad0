"""What the budgets of an audit's attacks are numbers of, as their threats declared it."""

from collections.abc import Mapping
from typing import Any

from probe.numbers import fraction

RADIUS = {"unit": "radius", "counted": False, "axis": "", "note": ""}


def threat(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the attacks of an audit may change. A plan has attacks of one threat."""
    return next((step["threat"] for step in attacks(manifest) if step.get("threat")), RADIUS)


def counted(manifest: Mapping[str, Any]) -> str:
    """What budgets are numbers of: a word, an edge; empty where they are lengths."""
    found = threat(manifest)
    return str(found["unit"]) if found["counted"] else ""


def spoken(amount: str, found: Mapping[str, Any]) -> str:
    """A budget as people say it: eps 8/255, 3 words, severity 2."""
    unit = str(found["unit"])
    if found["counted"]:
        return f"{amount} {unit}{'s' * (amount != '1')}"
    return f"{'eps' if unit == 'radius' else unit} {amount}"


def reached(manifest: Mapping[str, Any], eps: float) -> str:
    """A budget of an audit as its plan writes it and people say it."""
    written = {float(fraction(text)): str(text) for text in manifest["plan"]["attack"]["eps"] or ()}
    return spoken(written.get(eps, f"{eps:g}"), threat(manifest))


def attacks(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The steps that attacked, whatever came of them."""
    return [step for step in manifest["steps"] if step["kind"] == "attack"]
