"""Which steps a plan asks for: those that run an audit and those that verify one must agree on it."""

from collections.abc import Mapping
from typing import Any


def expected_steps(plan: Mapping[str, Any]) -> list[str]:
    """The names of the steps of a resolved plan, in the order in which they run.

    Args:
        plan: what `Plan.to_json` gives, as a manifest holds it
    """
    explain, attack = plan["explain"], plan["attack"]
    names = ["predictions"]
    if explain["methods"] and explain["sample"]:
        names += ["instances", *(f"explain-{config['method']}" for config in explain["methods"])]
    if attack["methods"] and attack["eps"] and attack["sample"]:
        names += [f"attack-{config['method']}" for config in attack["methods"]]
    return names
