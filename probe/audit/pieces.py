"""What one batch of a step gives, and the arrays of the whole step that batches are joined to. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from probe.audit.kinds import ATTACKS, BY_RADIUS
from probe.audit.readings import Reading, curves_of, evidence_of, explained_by, values_by
from probe.errors import ContractError
from probe.npz import Arrays

SHOWN = 24  # rows of an attack whose inputs are kept, and explained again
WHOLE = frozenset({"eps", "items"})  # arrays that are the same for all rows
# Arrays whose first axis is the radius and whose second is the row, besides the evidence of metrics.
OF_ATTACKS = frozenset({"success", "predicted", "probability", "movable", "shown", "moved", "after"})
# Arrays of the first rows alone, for display, by the kind of the step.
_MOVED = frozenset({"inputs", "shown", "moved", "before", "after", "candidates"})
FIRST = {"attack": _MOVED, "label attack": _MOVED, "counterfactual": _MOVED}
# Arrays of the rows that an attack broke and that are explained again: which rows, and what each explainer gave.
AGAIN = ("explained", values_by(""))


@dataclass(frozen=True, eq=False)
class Piece:
    """The arrays and readings of the rows from `start` to `stop` of a step."""

    start: int
    stop: int
    arrays: Arrays
    readings: tuple[Reading, ...] = ()


def joined(kind: str, pieces: Sequence[Piece]) -> Piece:
    """The pieces of one step, in the order of their rows, as one.

    A metric that could not be measured for some rows is left out for all, with the first reason.

    Raises:
        ContractError: if the batches gave arrays that do not fit together.
    """
    readings = tuple(map(_one, zip(*(piece.readings for piece in pieces), strict=True)))
    measured = {
        name(reading.metric): reading.status == "done" for reading in readings for name in (evidence_of, curves_of)
    }
    arrays: Arrays = {}
    explained = sum("explained" in piece.arrays for piece in pieces)  # those with rows that were explained again
    for name in dict.fromkeys(name for piece in pieces for name in piece.arrays):
        parts = [piece.arrays[name] for piece in pieces if name in piece.arrays]
        again = kind in ATTACKS and name.startswith(AGAIN)
        few = explained if again else len(pieces)
        if not measured.get(name, True) or (len(parts) < few and name not in FIRST.get(kind, ())):
            continue
        try:
            arrays[name] = parts[0] if name in WHOLE else np.concatenate(parts, _axis(kind, name))
        except ValueError as error:
            raise ContractError(f"the batches of rows gave {name} of different shapes: {error}") from None
        if name in WHOLE and any(not np.array_equal(parts[0], part) for part in parts):
            raise ContractError(f"the batches of rows gave different {name}")
    if not any(name.startswith(explained_by("")) for name in arrays):
        arrays.pop("explained", None)  # each method refused some rows
    return Piece(pieces[0].start, pieces[-1].stop, arrays, readings)


def _one(readings: Sequence[Reading]) -> Reading:
    """What is recorded of a metric: the first reason why it was not measured, if there is one."""
    whole = next((reading for reading in readings if reading.status != "done"), readings[0])
    return replace(whole, notes=readings[0].notes)


def _axis(kind: str, name: str) -> int:
    """The axis of the rows."""
    if name.startswith((evidence_of(""), curves_of(""))):
        return int(kind in BY_RADIUS)
    return int(kind in ATTACKS and name in OF_ATTACKS)
