"""The inputs that an audit keeps, and what attacks made of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.audit.bundle import Bundle, Stored
from probe.audit.manifest import Manifest
from probe.audit.reading.explained import features_of
from probe.audit.reading.steps import steps

NONE_KEPT = "As its plan says, the bundle keeps no inputs."
NOT_KEPT = "The input was not kept: an audit keeps the inputs that it explains and the first 24 that it attacks."


class Kept(NamedTuple):
    """One input."""

    numbers: NDArray[Any]  # as the model gets them
    words: Sequence[str]  # what each feature is, in words; empty where nobody wrote it down
    features: NDArray[Any] | None  # the feature of each number; None: each is its own
    truth: NDArray[Any] | None = None  # where it was planted: not 0 there, shaped as `numbers`


class Moved(NamedTuple):
    """One input before and after an attack."""

    before: Kept
    after: Kept
    by_feature: NDArray[Any]  # how far each feature moved, in units of the radius


def why_not_kept(manifest: Manifest) -> str:
    """Why an input is not there."""
    return NOT_KEPT if manifest.plan.keeps_inputs else NONE_KEPT


def kept(bundle: Bundle, row: int) -> Kept | None:
    """The input of a row, if the audit kept it: of explained rows, and of the first that were attacked."""
    if not bundle.manifest.plan.keeps_inputs:
        return None
    places = [("instances", "described")] if bundle.has("arrays/instances.npz") else []
    places += [(step.name, "before") for step in steps(bundle.manifest, "attack")]
    for name, told in places:
        stored = bundle.arrays(name)
        at = place(stored, row)
        if at is not None and at < len(stored.get("inputs", ())):
            truth = stored["truth"][at] if "truth" in stored else None
            return Kept(stored["inputs"][at], _words(stored, told, at), features_of(bundle, row), truth)
    return None


def moved(bundle: Bundle, step: str, row: int, radius: int) -> Moved | None:
    """What an attack made of the input of a row at a radius of its grid, by number; None if the audit kept neither."""
    stored = bundle.arrays(step)
    at = place(stored, row)
    if at is None or not {"inputs", "shown", "moved"} <= stored.keys() or at >= stored["shown"].shape[1]:
        return None
    owner = features_of(bundle, row)
    return Moved(
        Kept(stored["inputs"][at], _words(stored, "before", at), owner),
        Kept(stored["shown"][radius, at], _words(stored, "after", (radius, at)), owner),
        stored["moved"][radius, at],
    )


def changes(features: Sequence[Any], found: Moved) -> list[tuple[str, str, str, float]]:
    """The changes of a kept row of a table: feature, value before, value after, change in units of the radius.

    The largest change comes first. Values are empty if the audit did not record them in words.
    """
    return listed(features, found.by_feature, found.before.words, found.after.words)


def listed(
    features: Sequence[Any], moved: NDArray[Any], old: Sequence[Any], new: Sequence[Any]
) -> list[tuple[str, str, str, float]]:
    """What moved, the largest change first: feature, value before, value after, change."""
    told = len(old) == len(new) == len(moved)
    return [
        (
            str(features[at]) if at < len(features) else f"feature {at}",
            str(old[at]) if told else "",
            str(new[at]) if told else "",
            float(moved[at]),
        )
        for at in abs(moved).argsort(kind="stable")[::-1]
        if moved[at]
    ]


def place(stored: Stored, row: int) -> int | None:
    """Where a row stands in the arrays of a step."""
    found = np.flatnonzero(stored["rows"] == row)
    return int(found[0]) if len(found) else None


def _words(stored: Stored, told: str, at: int | tuple[int, int]) -> Sequence[str]:
    words: Sequence[str] = stored[told][at].tolist() if told in stored else ()
    return words
