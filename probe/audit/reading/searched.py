"""What counterfactuals found: which answer each row could get, by which changes, and how far away that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from probe.audit.bundle import Bundle
from probe.audit.manifest import StepRecord
from probe.audit.reading.kept import listed
from probe.audit.reading.measured import Measurement, measured
from probe.audit.reading.steps import steps
from probe.audit.reading.subject import answer_name
from probe.audit.titles import title_of
from probe.formatting import number, settings

LISTED = 24  # rows that are looked at one by one


@dataclass(frozen=True, kw_only=True)
class Change:
    """A row and its best candidate, where the bundle keeps them."""

    before: NDArray[Any]
    after: NDArray[Any]
    words: tuple[Sequence[str], Sequence[str]]  # before and after; empty where the form is not put in words
    moved: NDArray[Any]  # one number per feature, in the unit of the space's scale


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What was found for one row: its best candidate."""

    row: int
    before: str  # what is answered to the row
    after: str  # what the model answers to the candidate
    reached: bool  # whether that is what was wanted
    changed: int  # features
    distance: float  # L1, in the unit of the space's scale
    change: Change | None

    @property
    def length(self) -> str:
        """The distance, as every page writes it."""
        return number(self.distance)


@dataclass(frozen=True, kw_only=True)
class Search:
    """What one method searched for, and found."""

    step: str
    title: str
    caption: str  # what the method does
    settings: str
    rows: Sequence[Measurement]  # what was measured of all that was found
    candidates: Sequence[Candidate]  # of the first rows
    n: int
    each: int  # candidates for each row


def searches(bundle: Bundle) -> list[Search]:
    """What each method for counterfactuals found."""
    return [
        _search(bundle, step)
        for step in steps(bundle.manifest, "counterfactual")
        if bundle.has(f"arrays/{step.name}.npz")
    ]


def moves(names: Sequence[Any], change: Change) -> list[tuple[str, str, str, float]]:
    """What a candidate changes: feature, value before, value after, move; the largest move first.

    Values are empty where the audit did not write them down in words.
    """
    return listed(names, change.moved, *change.words)


def _search(bundle: Bundle, step: StepRecord) -> Search:
    arrays, manifest = bundle.arrays(step.name), bundle.manifest
    told = "before" in arrays and "after" in arrays

    def change(at: int) -> Change | None:
        if not {"inputs", "candidates", "moved"} <= arrays.keys() or at >= len(arrays["inputs"]):
            return None
        words = (arrays["before"][at].tolist(), arrays["after"][at, 0].tolist()) if told else ((), ())
        return Change(
            before=arrays["inputs"][at], after=arrays["candidates"][at, 0], words=words, moved=arrays["moved"][at, 0]
        )

    return Search(
        step=step.name,
        title=title_of(manifest, step),
        caption=step.caption,
        settings=settings(step.method),
        rows=measured(bundle, step=step.name),
        candidates=[
            Candidate(
                row=int(row),
                before=answer_name(manifest, arrays["decided"][at]),
                after=answer_name(manifest, arrays["answers"][at, 0]),
                reached=bool(arrays["reached"][at, 0]),
                changed=int(arrays["changed"][at, 0]),
                distance=float(arrays["distance"][at, 0]),
                change=change(at),
            )
            for at, row in enumerate(arrays["rows"][:LISTED])
        ],
        n=len(arrays["rows"]),
        each=arrays["reached"].shape[1],
    )
