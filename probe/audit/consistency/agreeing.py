"""What several explanations asked alike: answers to nothing and to the same features, and what chance gives."""

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from probe.audit.consistency.curves import shown_by
from probe.audit.consistency.parts import Array, expect
from probe.audit.consistency.step import TIE, Step
from probe.audit.readings import Reading, curves_of, evidence_of
from probe.catalogue import Facts
from probe.registry import declared

CLEAR = 1e-4  # lead of the last feature of a subset over the next, as a share of the largest value


def check_agreeing(steps: Sequence[Step]) -> None:
    """Raise IntegrityError where two explanations tell another answer to the same question.

    Args:
        steps: the finished steps of explainers.
    """
    chance: dict[tuple[str, str], tuple[Step, Reading]] = {}
    nothing: dict[tuple[str, int], tuple[str, float]] = {}
    subsets: dict[tuple[str, int, int, bytes], tuple[str, float]] = {}
    for step in steps:
        for reading, found in _measured(step):
            asked = shown_by(step, reading)
            first, other = chance.setdefault((json.dumps(reading.settings, sort_keys=True), asked), (step, reading))
            if first is not step:
                _check_chance(step, reading, found, (first, other))
            for target, told in _of_nothing(step, reading, found):
                whose, known = nothing.setdefault((asked, target), (step.name, told))
                what = f"{reading.metric} shows another answer to an input without features than {whose}"
                expect(_near(told, known), step.name, what)
            for row, target, kept, told in _of_subsets(step, reading, found):
                whose, known = subsets.setdefault((asked, row, target, kept), (step.name, told))
                what = f"{reading.metric} shows another answer to features of row {row} than {whose}"
                expect(_near(told, known), step.name, what)
    for step in steps:
        _check_promised(step, nothing)


def _measured(step: Step) -> Iterator[tuple[Reading, Facts]]:
    """The readings of a step that have evidence, with what the source of their metric says."""
    for reading in step.record.readings:
        found = declared("metric").get(str(reading.settings["method"]))
        if reading.status == "done" and found is not None:
            yield reading, found


def _check_chance(step: Step, reading: Reading, found: Facts, other: tuple[Step, Reading]) -> None:
    """Check what does not depend on the explanation, such as what random orders give, beside that of another one."""
    first, its = other
    columns = [list(found.said["columns"]).index(name) for name in found.said.get("alike", ())]
    if not columns:
        return
    told = [(each.arrays[evidence_of(of.metric)][:, columns], each.arrays.get(curves_of(of.metric)))
            for each, of in ((step, reading), (first, its))]  # fmt: skip
    (one, drawn), (two, its_drawn) = told
    same = step.arrays["targets"] == first.arrays["targets"]
    fits = _all_near(one[same], two[same])
    if drawn is not None and its_drawn is not None:
        fits = fits and _all_near(drawn[same][:, 1:], its_drawn[same][:, 1:])
    expect(fits, step.name, f"what random orders give for {reading.metric} is not what they give for {first.name}")


def _of_nothing(step: Step, reading: Reading, found: Facts) -> Iterator[tuple[int, float]]:
    """The target of each row, and the output for no feature at all that the curves of a metric show."""
    curves, blank = step.arrays.get(curves_of(reading.metric)), found.said.get("blank")
    if curves is None or not blank:
        return
    ends = curves[:, :2, 0 if blank == "start" else -1]
    for target, drawn in zip(step.arrays["targets"].tolist(), ends.tolist(), strict=True):
        for told in drawn:
            yield target, told


def _of_subsets(step: Step, reading: Reading, found: Facts) -> Iterator[tuple[int, int, bytes, float]]:
    """Row, target, features that are there, and the output that a curve shows for them, where the order is clear.

    Only where each feature differs from the reference, as the shares of the points tell, and has a point of its own.
    """
    curves, blank = step.arrays.get(curves_of(reading.metric)), found.said.get("blank")
    values, arrays = step.arrays["by_feature"], step.arrays
    count = values.shape[1]
    if curves is None or not blank or count >= curves.shape[2]:
        return
    every = np.isclose(curves[:, 2, : count + 1], np.linspace(0, 1, count + 1), rtol=0, atol=1e-6).all(1)
    orders = np.argsort(-values, axis=1, kind="stable")
    for at in np.flatnonzero(every).tolist():
        order, own = orders[at], values[at][orders[at]]
        clear = own[:-1] - own[1:] > CLEAR * np.abs(own).max()
        for moved in (np.flatnonzero(clear) + 1).tolist():
            there = np.zeros(count, dtype=bool)
            there[order[:moved] if blank == "start" else order[moved:]] = True
            told = float(curves[at, 0, moved])
            yield int(arrays["rows"][at]), int(arrays["targets"][at]), np.packbits(there).tobytes(), told


def _check_promised(step: Step, nothing: Mapping[tuple[str, int], tuple[str, float]]) -> None:
    """Check the evidence of completeness: how far the values are from what they promise, and what they promise.

    The promise is the answer of a row minus one to nothing, which is the same for all rows with a target.
    """
    method = declared("explainer").get(str(step.record.method.get("method")))
    evidence, arrays = step.arrays.get(evidence_of("completeness")), step.arrays
    if evidence is None or method is None or not method.said.get("completeness"):
        return
    off, promised = evidence[:, 0].astype(np.float64), evidence[:, 1].astype(np.float64)
    values = arrays["by_feature"].astype(np.float64)
    sums, slack = values.sum(1), CLEAR * (np.abs(values).sum(1) + promised) + 1e-12
    signed = np.stack([promised, -promised], 1)  # only its size is kept
    fits = np.abs(np.abs(sums[:, None] - signed) - off[:, None]) <= slack[:, None]
    expect(bool(fits.any(1).all()), step.name, "how far its values are from their sum does not follow from the values")
    outputs = step.outputs(step.output)
    told = outputs[:, None] - signed
    for target in np.unique(arrays["targets"]).tolist():
        same = arrays["targets"] == target
        candidates = told[same][0][fits[same][0]]
        known = nothing.get((step.output, target)) if method.said.get("completeness") == "baseline" else None
        if known is not None:
            candidates = np.array([known[1]])
        near = TIE * np.maximum(1.0, np.maximum(np.abs(outputs[same]), promised[same]))
        agree = (np.abs(told[same][:, :, None] - candidates) <= near[:, None, None]) & fits[same][:, :, None]
        what = "what its values should sum to is not what the answers of their rows differ by"
        expect(bool(agree.any(1).all(0).any()), step.name, what)


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= TIE * max(1.0, abs(one), abs(other))


def _all_near(one: Array, other: Array) -> bool:
    slack = TIE * max(1.0, float(np.abs(other).max(initial=0.0)))
    return one.shape == other.shape and bool((np.abs(one - other) <= slack).all())
