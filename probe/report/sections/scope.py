"""What the audit was asked, and what it did not test."""

from probe.audit import reading
from probe.audit.bundle import Bundle
from probe.audit.titles import title_of
from probe.formatting import count
from probe.report.blocks import Block, NotMeasured, Section, Table, Text

NOT_EXAMINED = (
    "Not examined: training data and how it was gathered, whether the model suits its intended use, people who work "
    "with the answers, privacy, poisoning, and any group or feature that the data does not name."
)


def section(bundle: Bundle) -> Section:
    """The methods that were asked for, and everything that was not tested."""
    manifest = bundle.manifest
    kinds = dict.fromkeys(step.kind for step in manifest.steps)
    rows = [
        (kind, ", ".join(dict.fromkeys(title_of(manifest, step) for step in manifest.steps if step.kind == kind)))
        for kind in kinds
        if kind not in ("predictions", "instances")
    ]
    said = reading.about(manifest)
    groups = ", ".join(reading.attributes(bundle))
    rows = [
        ("predictions", "the only row" if manifest.data.n == 1 else f"all {count(manifest.data.n)} rows"),
        *rows,
        ("groups", groups or "none"),
    ]
    missing = reading.missing(bundle)
    blocks: list[Block] = [
        Table((), said, "What the model is for, as the plan says; the audit has not checked it")
        if said
        else Text("The plan does not say what the model is for: its section [about] is empty."),
        Table((), rows, "What was asked of the model"),
        Text("What was not tested", level=3),
        *([NotMeasured([(m.status, m.check, m.note) for m in missing])] if missing else []),
        Text(NOT_EXAMINED),
    ]
    return Section("scope", "Scope, and what was not tested", blocks)
