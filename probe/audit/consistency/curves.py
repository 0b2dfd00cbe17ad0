"""The curves under which the evidence of a metric is the area, such as of deletion."""

import numpy as np

from probe.audit.consistency.parts import Array, check_form, expect
from probe.audit.consistency.step import TIE, Step
from probe.audit.readings import Reading, curves_of, evidence_of
from probe.registry import declared

CLOSE = 1e-6  # of an area, as a share of the largest value of its curves


def check_curves(step: Step) -> None:
    """Check that evidence is the area under its curves, which show the recorded answers where inputs are whole."""
    metrics = declared("metric")
    named = {curves_of(reading.metric) for reading in step.record.readings if reading.status == "done"}
    odd = [part for part in step.arrays if part.startswith(curves_of("")) and part not in named]
    expect(not odd, step.name, "it holds curves of a metric that was not measured")
    for reading in step.record.readings:
        found = metrics.get(str(reading.settings["method"]))
        whole = "" if found is None else str(found.said.get("whole", ""))
        curves = step.arrays.get(curves_of(reading.metric))
        if reading.status != "done" or (curves is None and not whole):
            continue
        expect(
            curves is not None, step.name, f"it lacks the curves of {reading.metric}, of which its evidence is the area"
        )
        assert curves is not None
        _check(step, reading, curves, whole)


def shown_by(step: Step, reading: Reading) -> str:
    """Which output the curves of a metric show: the one that was explained, unless its settings name another."""
    asked = str(reading.settings.get("output", "explained"))
    return step.output if asked == "explained" else asked


def _check(step: Step, reading: Reading, curves: Array, whole: str) -> None:
    name, rows = step.name, len(step.arrays["rows"])
    check_form(name, curves, (rows, 3, int(reading.settings["steps"]) + 1), "f")
    expect(bool(np.isfinite(curves).all()), name, f"the curves of {reading.metric} hold NaN or infinity")
    drawn, share = curves[:, :2], curves[:, 2]
    grows = bool((np.diff(share) >= 0).all() and (share[:, 0] == 0).all() and (share <= 1).all())
    expect(grows, name, f"the points of the curves of {reading.metric} are not in order")
    if shown_by(step, reading) == "probability" and step.answers.task.one_class:
        within = bool(((drawn >= -TIE) & (drawn <= 1 + TIE)).all())
        expect(within, name, f"the curves of {reading.metric} show probabilities that are not between 0 and 1")
    areas = np.trapezoid(drawn, curves[:, 2:], axis=2)
    slack = CLOSE * np.abs(drawn).max(2) + 1e-12
    fits = bool((np.abs(areas - step.arrays[evidence_of(reading.metric)]) <= slack).all())
    expect(fits, name, f"the evidence of {reading.metric} is not the area under its curves")
    if whole:
        _check_whole(step, reading, drawn[:, :, 0 if whole == "start" else -1])


def _check_whole(step: Step, reading: Reading, ends: Array) -> None:
    """Check that curves show the outputs of their rows where no feature is missing."""
    outputs = step.outputs(shown_by(step, reading))[:, None]
    fits = bool((np.abs(ends - outputs) <= TIE * np.maximum(np.abs(outputs), 1)).all())
    expect(fits, step.name, f"the curves of {reading.metric} do not show the answers of their rows to whole inputs")
