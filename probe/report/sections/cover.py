"""The first page: what was audited, how it came out, and how to check that."""

import re
from dataclasses import dataclass

from probe.audit.bundle import Bundle
from probe.audit.reading import about, left_out, origin, tally, verdict, waiting
from probe.formatting import count, moment
from probe.statuses import STATUSES
from probe.text import visible


@dataclass(frozen=True)
class Cover:
    """What the first page shows."""

    name: str
    model: str
    data: str
    rows: str
    created: str
    finished: str
    status: str
    digest: str
    seal: str  # what is known of the bundle; empty of an audit that is not complete
    printed_digest: str  # below each printed page; empty unless it is one, as it goes into the style sheet
    verdict: list[str]
    origin: str
    tally: list[tuple[str, int, float]]  # status, findings about the model, share of these in percent
    findings: int
    methods: str  # how the checks of explanations and attacks came out
    unfinished: list[str]
    about: list[tuple[str, str]]  # what the plan says of the model's use
    notices: list[str]  # what to know about the data and the model before reading any number


def cover(bundle: Bundle, seal: str) -> Cover:
    """The cover of a bundle's report."""
    manifest = bundle.manifest
    model, methods = tally(manifest.findings)
    total = sum(model.values())
    return Cover(
        name=visible(bundle.name, 80),
        model=visible(manifest.model.name, 80),
        data=visible(manifest.data.name, 80),
        rows=count(manifest.data.n),
        created=moment(manifest.created),
        finished=moment(manifest.finished),
        status=manifest.status,
        digest=manifest.digest,
        seal=visible(seal, 200),
        printed_digest=manifest.digest if re.fullmatch("[0-9a-f]{64}", manifest.digest) else "",
        verdict=verdict(bundle),
        origin=origin(manifest),
        tally=[(word, model[word], round(100 * model[word] / max(1, total), 2)) for word in STATUSES],
        findings=total,
        methods=", ".join(f"{methods[word]} {word}" for word in STATUSES if methods[word]),
        about=[(title, visible(text, 1000)) for title, text in about(manifest)],
        notices=[
            *manifest.data.notices,
            *manifest.model.notices,
            *left_out(bundle),
        ],
        unfinished=waiting(manifest),
    )
