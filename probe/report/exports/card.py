"""A model card in Markdown (Mitchell et al. 2019), as far as an audit can fill it: what it does not know, it says."""

import re
from collections.abc import Iterable, Sequence

from probe.audit import reading
from probe.audit.bundle import Bundle
from probe.audit.manifest import Manifest
from probe.formatting import DASH, count, moment
from probe.statuses import look
from probe.text import visible

UNKNOWN = "The audit has no information on this; whoever publishes the model must add it."
RATES = ("selection_rate", "tpr", "fpr")


def write(bundle: Bundle) -> str:
    """The card of the audited model."""
    manifest = bundle.manifest
    parts = {
        "Model details": _details(manifest),
        "Intended use": _use(manifest),
        "Factors": _factors(bundle),
        "Metrics": _metrics(),
        "Evaluation data": _data(manifest),
        "Training data": _training(manifest),
        "Quantitative analyses": _analyses(bundle),
        "Ethical considerations": "Gaps between groups are measured above. Why they are there, whether they are "
        "justified, and what harm an error does, cannot be measured; people have to judge.",
        "Caveats and recommendations": _caveats(bundle),
    }
    title = f"# Model card of {escaped(manifest.model.name)}\n\n{escaped(' '.join(reading.verdict(bundle)))}"
    return "\n\n".join((title, *(f"## {heading}\n\n{text}" for heading, text in parts.items()))) + "\n"


def escaped(text: object) -> str:
    r"""Foreign text as text: nothing in it is Markdown, HTML or an address.

    >>> print(escaped("a|<b>"))
    a\|\<b\>
    """
    shown = re.sub(r"([\\`*_{}\[\]<>|#~$!&:+])|(?<=www)(?=\.)|^(?=[-=])|(?<=^\d)(?=[.)])", r"\\\1", visible(text))
    return shown.replace("@", "&#64;")


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _details(manifest: Manifest) -> str:
    rows = [
        ("name", manifest.model.name),
        ("SHA-256 of the weights", manifest.model.sha256 or "none: the model is a function without weights"),
        ("answers", ", ".join(manifest.model.classes[:60]) or "numbers"),
        ("decision", manifest.task.in_words() or "the most likely class"),
        ("audited", f"{moment(manifest.created)} by probe {manifest.machine.get('probe', DASH)}"),
        ("digest of the audit", manifest.digest),
        ("status of the audit", manifest.status),
        *((title, text) for title, text in reading.about(manifest) if title == reading.ABOUT["responsible"]),
    ]
    return _table(("of", "recorded"), rows)


def _use(manifest: Manifest) -> str:
    said = [(title, text) for title, text in reading.about(manifest) if title != reading.ABOUT["responsible"]]
    return f"{_table(('of', 'as the plan says'), said)}\n\nThe audit has not checked it." if said else UNKNOWN


def _factors(bundle: Bundle) -> str:
    attributes = reading.attributes(bundle)
    named = ", ".join(map(escaped, attributes))
    return f"Compared by {named}." if attributes else "No groups were compared: the plan or the data name none."


def _metrics() -> str:
    return (
        "Every number has a 95 % interval. A check passes or fails only if its whole interval lies on one side of the "
        "threshold; otherwise it is inconclusive, which is not a pass. Thresholds are engineering choices of the plan."
    )


def _data(manifest: Manifest) -> str:
    data = manifest.data
    rows = [
        ("name", data.name),
        ("rows", count(data.n)),
        ("source", data.source or "not stated"),
        ("role", data.role),
        ("SHA-256 of the rows", data.sha256),
    ]
    return _table(("of", "recorded"), rows)


def _training(manifest: Manifest) -> str:
    return escaped(reading.origin(manifest)) or UNKNOWN


def _analyses(bundle: Bundle) -> str:
    columns = ("status", "check", "estimate [95 % interval]", "threshold", "n")
    parts = []
    for part in reading.register(bundle.manifest):
        rows = [
            (
                look(f.status).word,
                f.check,
                str(f.written().estimate),
                f.written().threshold or DASH,
                f.written().n or DASH,
            )
            for f in part.findings
        ]
        parts.append(f"### {escaped(part.title)}\n\n{_table(columns, rows)}")
    for attribute in reading.attributes(bundle):
        compared = reading.compared_by(bundle)
        for rate in (rate for rate in RATES if rate in compared):
            found = reading.rates(bundle, attribute, rate)
            groups = [(each.group, str(each.written), count(each.n)) for each in found]
            heading = f"### {escaped(compared[rate].label)} by {escaped(attribute)}"
            parts.append(f"{heading}\n\n{_table(('group', 'estimate [95 % interval]', 'n'), groups)}")
    return "\n\n".join(parts) or "The audit ended before its findings were computed."


def _caveats(bundle: Bundle) -> str:
    said = [
        *bundle.manifest.data.notices,
        *bundle.manifest.model.notices,
        *reading.left_out(bundle),
        *(f"{look(m.status).word}: {m.check}: {m.note}" for m in reading.missing(bundle)),
    ]
    always = "All numbers hold for the audited rows, and for rows drawn in the same way."
    return "\n".join(f"- {escaped(sentence)}" for sentence in (always, *said))
