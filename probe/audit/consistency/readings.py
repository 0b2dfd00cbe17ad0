"""The readings of a step's metrics."""

from probe.audit.consistency.parts import expect
from probe.audit.consistency.settings import check_same
from probe.audit.consistency.step import Step
from probe.audit.expected import metrics_of
from probe.audit.kinds import BY_RADIUS
from probe.audit.readings import evidence_of


def check_readings(step: Step) -> None:
    """Check that each metric of the plan has its reading and settings, and one row of evidence per example."""
    name, plan, kind, readings = step.name, step.plan, step.record.kind, step.record.readings
    wanted = metrics_of(plan, kind)
    expect([r.metric for r in readings] == [id_ for id_, _ in wanted], name, "its metrics are not the plan's")
    for reading, (_, config) in zip(readings, wanted, strict=True):
        asked = plan.threshold(config["method"])
        expect(reading.threshold == asked, name, f"the threshold of {reading.metric} is not the plan's")
        check_same(f"{name}: {reading.metric}", reading.settings, config)
        held = step.arrays.get(evidence_of(reading.metric))
        expect((held is not None) == (reading.status == "done"), name, f"{reading.metric} has no evidence")
        if held is not None:
            rows = (len(step.arrays["rows"]),)
            shape = (len(step.arrays["eps"]), *rows) if kind in BY_RADIUS else rows
            fits = held.dtype.kind in "fiub" and held.shape[: len(shape)] == shape
            expect(fits, name, "evidence does not match its rows")
