"""What the metrics of a step were read from."""

from probe.audit.consistency.parts import expect
from probe.audit.consistency.settings import check_same
from probe.audit.consistency.step import Step
from probe.audit.expected import metrics_of
from probe.audit.kinds import BY_RADIUS
from probe.audit.readings import evidence_of


def check_readings(step: Step) -> None:
    """Each metric that the plan asks for was read, as it asks; its evidence is there, a row for each example."""
    name, plan, kind, readings = step.name, step.plan, step.record.kind, step.record.readings
    wanted = metrics_of(plan, kind)
    expect([r.metric for r in readings] == [id_ for id_, _ in wanted], name, "its metrics are not the plan's")
    for reading, (_, config) in zip(readings, wanted, strict=True):
        asked = plan.threshold(config["method"])
        expect(reading.threshold == asked, name, f"{reading.metric} has another threshold than the plan asks for")
        check_same(f"{name}: {reading.metric}", reading.settings, config)
        held = step.arrays.get(evidence_of(reading.metric))
        expect((held is not None) == (reading.status == "done"), name, f"{reading.metric} was read without evidence")
        if held is not None:
            rows = (len(step.arrays["rows"]),)
            shape = (len(step.arrays["eps"]), *rows) if kind in BY_RADIUS else rows
            fits = held.dtype.kind in "fiub" and held.shape[: len(shape)] == shape
            expect(fits, name, "evidence is not of its rows")
