"""The nearest rows of an explained row among the audited ones, apart by their answer."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from probe.audit.bundle import Bundle
from probe.audit.reading.answers import decisions
from probe.audit.reading.kept import place

LISTED = 5  # rows of a side


class Neighbour(NamedTuple):
    """A row near another."""

    row: int
    distance: float  # the changes of all coordinates, each in units of the space's scale, added up


@dataclass(frozen=True)
class Near:
    """The rows that are nearest to a row."""

    same: tuple[Neighbour, ...]  # with its answer, the nearest first
    other: tuple[Neighbour, ...]  # with another; all of them where nothing tells when two answers are the same
    within: float  # how far none is missing, as the nearest of each label are kept
    among: int  # how many rows were compared


def near(bundle: Bundle, row: int, most: int = LISTED) -> Near | None:
    """The nearest rows of an explained row, at most so many with its answer and with another; None if not kept.

    Example:
        >>> from probe.audit import read, reading  # doctest: +SKIP
        >>> reading.near(read("runs/adult-mlp"), 12).other[0].row  # doctest: +SKIP
    """
    stored = bundle.arrays("instances") if bundle.has("arrays/instances.npz") else None
    at = None if stored is None else place(stored, row)
    if stored is None or at is None or "near" not in stored:
        return None
    within = float(stored["near_within"][at])
    rows, far = stored["near"][at], stored["near_far"][at]
    there = rows >= 0
    rows, far, answers = rows[there], far[there], decisions(bundle)
    own, task = np.repeat(answers[[row]], len(rows), axis=0), bundle.manifest.task
    other = np.asarray(task.differs(answers[rows], own)) if task.judges else np.ones(len(rows), dtype=bool)
    sides = [
        tuple(Neighbour(int(one), float(away)) for one, away in zip(rows[side], far[side], strict=True))[:most]
        for side in (~other, other)
    ]
    return Near(sides[0], sides[1], within, int(stored["near_among"][at]))
