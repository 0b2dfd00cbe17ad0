"""What certificates prove, and what surveys find of each item. No torch."""

import pandas as pd

from probe.audit.budgets import reach_of
from probe.audit.bundle import Bundle
from probe.audit.lenses.common import Assessment, describe
from probe.audit.readings import evidence, parts, reducing
from probe.audit.titles import name_of
from probe.finding import Threshold, check

COLUMNS = ["survey", "asks", "item", "unit", "value", "low", "high", "n"]


def assess(bundle: Bundle, result: Assessment) -> None:
    """A finding at each radius of each certificate, and a table of all that was surveyed."""
    manifest, surveyed = bundle.manifest, []
    for step in manifest.steps:
        if step.status != "done" or step.kind not in ("certificate", "survey"):
            continue
        arrays, (reading,) = bundle.arrays(step.name), step.readings
        for at, seen in parts(step.kind, arrays, evidence(arrays, reading)):
            estimate = reducing(reading).estimate(seen, manifest.plan.seed)
            if step.kind == "survey":
                surveyed.append((name_of(manifest, step), reading.title, at, reading.unit, *estimate))
                continue
            result.readings.append((step.lens, step.name, reading.metric, reading.title, at, reading.unit, *estimate))
            finding = check(
                step.lens,
                f"{name_of(manifest, step)}: {reading.title} at {reach_of(manifest, step, float(at or 0))}",
                estimate,
                Threshold(float(reading.threshold or 0), reading.direction),
                unit=reading.unit,
                step=step.name,
                metric=reading.metric,
                method=f"{describe(step.method)}, {reducing(reading).method}",
                seed=manifest.plan.seed,
                note=reading.notes.get("", ""),
            )
            result.findings.append(finding)
    if surveyed:
        result.tables["surveys"] = pd.DataFrame(surveyed, columns=COLUMNS)
