"""What a step says of the class of its method, beside what the source of that class says."""

import re
from collections.abc import Mapping

from probe.audit.consistency.parts import expect
from probe.audit.consistency.step import Step
from probe.audit.manifest import StepRecord
from probe.audit.readings import Reading
from probe.catalogue import Facts
from probe.formatting import SUMS
from probe.registry import KINDS, declared

FAMILIES = {"label attack": "attack"}  # of kinds of steps that are named otherwise
DIRECTIONS = {"higher": "at least", "lower": "at most"}
THREATS: Mapping[str, tuple[str, str]] = {
    "Ball(1.0)": ("radius", "l1"),
    "Ball(2.0)": ("radius", "l2"),
    "Ball(torch.inf)": ("radius", "linf"),
}  # unit and axis of a budget, by how the class declares its threat
EDITS = re.compile(r"Edits\('(\w+)'\)")
PROVED = "proved"


def check_declared(step: Step) -> None:
    """Check what a step and its readings say of their classes, unless their source is not installed here."""
    record, found = step.record, _class_of(step.record)
    titled = title_wanted(record)
    expect(
        record.title == titled, step.name, f"it is called {record.title!r:.60}, and its method {titled or 'nothing'}"
    )
    if found is not None:
        _check_method(step, found)
    for reading in record.readings:
        name = str(reading.settings.get("method"))
        _check_reading(step, reading, found if record.kind == "survey" else declared("metric").get(name))


def title_wanted(record: StepRecord) -> str:
    """The title that a step has by its method; what it says itself where the source of that is not installed here."""
    if record.threat is None:  # only attacks and certificates have one
        return ""
    found = _class_of(record)
    return record.title if found is None else found.title


def _class_of(record: StepRecord) -> Facts | None:
    family = FAMILIES.get(record.kind, record.kind)
    return declared(family).get(str(record.method.get("method"))) if family in KINDS else None


def _check_method(step: Step, found: Facts) -> None:
    name, record, said = step.name, step.record, found.said
    if record.threat is not None:
        threat = str(said.get("threat"))
        edits = EDITS.fullmatch(threat)
        fits = record.threat.unit == edits[1] if edits else _of(record.threat.unit, record.threat.axis, threat)
        expect(fits, name, f"its budgets are not those of {found.title}")
    for fact in ("finds", "certifies"):
        told, own = getattr(record, fact), said.get(fact, "")
        expect(told == own, name, f"it says {fact} = {told!r:.60}, and {found.title} says {own!r}")
    expect(_captioned(record.kind, record.caption, found), name, f"its caption is not that of {found.title}")


def _of(unit: str, axis: str, threat: str) -> bool:
    return (unit, axis) == THREATS.get(threat, (unit, axis))


def _captioned(kind: str, caption: str, found: Facts) -> bool:
    """Whether a caption is what the class gives; names of outputs and levels are the audit's own."""
    if kind == "certificate":
        whose = f"of {found.said['certifies']}, not of the model alone; " if found.said.get("certifies") else ""
        level = r"each radius holds with probability \d[\d.e-]*" if "level" in found.functions else PROVED
        return re.fullmatch(re.escape(whose) + level, caption) is not None
    if kind in ("counterfactual", "survey"):
        return caption == found.summary
    if kind != "explainer" or not isinstance(found.said.get("reads_as"), str):
        return True
    sums = SUMS.get(found.said.get("completeness"), "")
    parts = f"{found.said['reads_as']} {sums}".split("{output}")
    return re.fullmatch(".+".join(map(re.escape, parts)), caption) is not None


def _check_reading(step: Step, reading: Reading, found: Facts | None) -> None:
    """Check how the evidence is turned into a number, and how that is judged."""
    if found is None:
        return
    said, survey = found.said, step.record.kind == "survey"
    titled = said.get("asks") if survey else said.get("title") or reading.metric.replace("_", " ")
    told = {"reduction": reading.reduction, "unit": reading.unit, "direction": reading.direction}
    wanted = {"reduction": said.get("reduction"), "unit": said.get("unit")}
    wanted |= {"direction": DIRECTIONS.get(str(said.get("better")))}
    for fact, own in (wanted | {"title": titled}).items():
        given = (told | {"title": reading.title})[fact]
        expect(own in (None, given), step.name, f"{reading.metric} has the {fact} {given!r:.60}, expected {own!r:.60}")
