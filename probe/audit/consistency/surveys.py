"""The evidence of a survey."""

import numpy as np

from probe.audit.consistency.parts import check_drawn, check_rows, expect
from probe.audit.consistency.settings import check_same
from probe.audit.consistency.step import Step
from probe.audit.readings import evidence_of


def check_survey(step: Step) -> None:
    """Check that the evidence is of the plan's rows, and that its reading is the survey's."""
    name, arrays, readings, count = step.name, step.arrays, step.record.readings, len(step.answers.labels)
    rows = arrays["rows"]
    check_rows(name, rows, count)
    check_drawn(name, len(rows), step.plan.survey.sample, count)
    expect(len(readings) == 1 and readings[0].status == "done", name, "it does not have exactly one reading")
    reading = readings[0]
    expect(reading.metric == step.record.method["method"], name, "its reading is of another survey")
    check_same(name, reading.settings, step.record.method)
    asked = step.plan.threshold(reading.metric)
    expect(reading.threshold == asked, name, "its threshold is not the plan's")
    seen, items = arrays.get(evidence_of(reading.metric), np.zeros(0)), (len(rows), len(arrays["items"]))
    expect(
        seen.dtype.kind in "fiub" and seen.shape[:2] == items, name, "its evidence does not match its rows and items"
    )
