"""Certificates, counterfactuals and surveys. No torch."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from probe.audit.aspects.common import Assessment, read
from probe.audit.bundle import Bundle
from probe.audit.manifest import StepRecord
from probe.audit.readings import parts
from probe.audit.titles import name_of
from probe.calibrated import diagram
from probe.finding import Finding
from probe.statistics import proportion

ABSTENTIONS = "abstentions"
COLUMNS = ["survey", "asks", "item", "unit", "value", "low", "high", "n"]
CERTIFIED = "certified_accuracy"
CALIBRATED = "debiased calibration error"
DIAGRAM = ["step", "item", "from", "to", "confidence", "accuracy", "low", "high", "n"]


def assess(bundle: Bundle, result: Assessment) -> None:
    """The readings of each certificate at each radius, and the table of all surveys."""
    for step in bundle.manifest.steps:
        if not step.done or step.kind not in ("certificate", "counterfactual", "survey"):
            continue
        before = len(result.findings)
        if step.kind == "certificate":
            result.readings += _besides(bundle, step)
        read(bundle, step, result, "explanation" if step.kind == "counterfactual" else "model")
        if step.kind == "survey":
            result.calibrated += _diagrams(bundle, step)
        if step.kind == "survey" and any(reading.notes.get("about") == "attack" for reading in step.readings):
            # What shows how far an attack can be trusted belongs with what withstood it.
            result.findings[before:] = [
                replace(finding, aspect="robustness", about="attack") for finding in result.findings[before:]
            ]
        if step.kind == "certificate":
            name = name_of(bundle.manifest, step)
            result.findings[before:] = [_certified(step, name, finding) for finding in result.findings[before:]]
    if result.surveyed:
        result.tables["surveys"] = pd.DataFrame(result.surveyed, columns=COLUMNS)
    if result.calibrated:
        result.tables["calibration"] = pd.DataFrame(result.calibrated, columns=DIAGRAM)


def _diagrams(bundle: Bundle, step: StepRecord) -> Iterator[Sequence[Any]]:
    """The bins of each item of a survey of confidence."""
    for reading in step.readings:
        if reading.reduction == CALIBRATED:
            for item, seen in parts(step.kind, bundle.arrays(step.name), reading):
                for row in diagram(seen, reading.settings["bins"]):
                    yield step.name, item, *row[:-1], int(row[-1])


def _certified(step: StepRecord, name: str, finding: Finding) -> Finding:
    """A certificate of the model itself can prove robustness; what it does not certify may be robust as well."""
    finding = replace(finding, note="; ".join(filter(None, (step.caption, finding.note))))
    if step.certifies or finding.metric != CERTIFIED:
        return finding
    start = f"{name}: "
    title = f"{start}robust{finding.check.removeprefix(f'{start}certified accuracy')}"
    if finding.status != "fail":
        return replace(finding, check=title)
    note = f"{finding.note}; what is not certified may still be robust: only an attack disproves that"
    return replace(finding, check=title, status="inconclusive", note=note)


def _besides(bundle: Bundle, step: StepRecord) -> Iterator[Sequence[Any]]:
    """The share of abstentions, and the start of the curve: certified accuracy at radius 0."""
    arrays = bundle.arrays(step.name)
    yield step.aspect, step.name, ABSTENTIONS, "abstentions", "", None, "share", *proportion(arrays["predicted"] < 0)
    begins = (arrays["predicted"] == bundle.arrays("predictions")["labels"][arrays["rows"]]) & (arrays["radius"] > 0)
    title = next((reading.title for reading in step.readings if reading.metric == CERTIFIED), "")
    if title:
        yield step.aspect, step.name, CERTIFIED, title, "", 0.0, "share", *proportion(begins)
