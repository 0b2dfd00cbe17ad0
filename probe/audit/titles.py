"""What people call the methods of an audit, where one stands twice with its settings."""

from collections.abc import Mapping
from typing import Any

from probe.formatting import settings, words

Step = Mapping[str, Any]  # of a manifest


def name_of(manifest: Mapping[str, Any], step: Step) -> str:
    """A method by its name in code; where it is planned more than once, with the settings that tell it apart."""
    return f"{step['method'].get('method', '')}{_apart(manifest, step)}"


def title_of(manifest: Mapping[str, Any], step: Step) -> str:
    """A method as people call it: HotFlip for hot_flip, integrated gradients, lime (samples = 500)."""
    return f"{step.get('title') or words(step['method'].get('method', ''))}{_apart(manifest, step)}"


def titles(manifest: Mapping[str, Any], kind: str) -> dict[str, str]:
    """What people call the methods of a kind, by their ids."""
    return {str(step["id"]): title_of(manifest, step) for step in manifest["steps"] if step["kind"] == kind}


def _apart(manifest: Mapping[str, Any], step: Step) -> str:
    twins = [
        other["method"]
        for other in manifest["steps"]
        if other["kind"] == step["kind"] and other["method"].get("method") == step["method"].get("method")
    ]
    differing = {key: value for key, value in step["method"].items() if any(t.get(key) != value for t in twins)}
    return f" ({settings(differing)})" if differing else ""
