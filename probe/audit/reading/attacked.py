"""What attacks did to the rows that an audit attacked."""

from collections.abc import Mapping, Sequence
from typing import Any


def changes(
    features: Sequence[Any], attacked: Mapping[str, Any], radius: int, index: int
) -> list[tuple[str, str, str, float]]:
    """What an attack changed of a kept row of a table: feature, value before, value after, move in units of the radius.

    Values are empty where the audit did not write them down in words.
    """
    moved = attacked["moved"][radius, index]
    told = "before" in attacked and attacked["before"].shape[1] == len(moved)
    old, new = (attacked["before"][index], attacked["after"][radius, index]) if told else (None, None)
    return [
        (
            str(features[at]) if at < len(features) else f"feature {at}",
            "" if old is None else str(old[at]),
            "" if new is None else str(new[at]),
            float(moved[at]),
        )
        for at in abs(moved).argsort(kind="stable")[::-1]
        if moved[at]
    ]
