"""The names of augmentations and the ranges of their strengths, without torch."""

import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from probe.errors import PlanError, RangeError

MIXES = ("none", "flip and shift")
Strength = tuple[str, Callable[[float], bool]]
CHANCE: Strength = ("a chance from 0 to 1", lambda chance: 0 <= chance <= 1)
PIXELS: Strength = ("a whole number of pixels", lambda pixels: pixels >= 0 and float(pixels).is_integer())
# What the strength of each means, and which are possible.
STRENGTHS: dict[str, Strength] = {
    "flip": CHANCE,
    "shift": PIXELS,
    "crop": PIXELS,
    "cutout": PIXELS,
    "noise": ("a deviation of 0 or more, in input units", lambda deviation: 0 <= deviation < math.inf),
    "omit": CHANCE,
}


def check(augment: str | Mapping[str, float]) -> None:
    """Refuse unknown names and invalid strengths.

    Raises:
        PlanError: if a name is unknown.
        RangeError: if a strength is outside its range.
    """
    if isinstance(augment, str):
        if augment not in MIXES:
            raise PlanError(f"Settings.augment is {augment!r}{nearest(augment, MIXES)}")
        return
    for name, strength in augment.items():
        if name not in STRENGTHS:
            raise PlanError(f"Settings.augment has {name!r}{nearest(name, STRENGTHS)}")
        what, admits = STRENGTHS[name]
        if not admits(strength):
            raise RangeError(f"Settings.augment: {name} takes {what}; got {strength}")


def nearest(name: Any, known: Any) -> str:
    """The end of a sentence about a name that does not exist: the one that may be meant, and all that there are."""
    near = get_close_matches(str(name), known, n=1)
    return (f", did you mean {near[0]!r}?" if near else ";") + f" there are {', '.join(known)}"
