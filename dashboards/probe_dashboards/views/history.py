"""The audits of a folder as a history: chosen by status and text, sorted, counted, as a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from probe.formatting import moment
from probe.statuses import STATUSES
from probe.text import visible
from probe_dashboards.views.runs import Integrity, Run
from probe_dashboards.views.words import md, status

PER_PAGE = 20

# What the list can be narrowed to: the word of the link, what the reader sees, and which runs are meant.
FILTERS: Mapping[str, tuple[str, Callable[[Run], bool]]] = {
    "all": ("all audits", lambda run: True),
    "fail": ("with a finding that fails", lambda run: run.counts.get("fail", 0) > 0),
    "inconclusive": ("with a finding that is inconclusive", lambda run: run.counts.get("inconclusive", 0) > 0),
    "not-run": ("with a check that was not run", lambda run: run.counts.get("not run", 0) > 0),
    "passed": ("complete, and all findings pass", lambda run: run.ended == "complete" and set(run.counts) == {"pass"}),
    "unfinished": ("not complete", lambda run: run.ended != "complete"),
}
ORDERS: Mapping[str, tuple[str, Callable[[Run], Any], bool]] = {
    "newest": ("newest first", lambda run: run.created, True),
    "oldest": ("oldest first", lambda run: run.created, False),
    "model": ("by model", lambda run: (run.model.lower(), run.title.lower()), False),
    "data": ("by data", lambda run: (run.data.lower(), run.title.lower()), False),
    "name": ("by name", lambda run: run.title.lower(), False),
    "fails": ("most findings that fail first", lambda run: run.counts.get("fail", 0), True),
}


def chosen(runs: Sequence[Run], which: str = "all", text: str = "", order: str = "newest") -> list[Run]:
    """The runs that are asked for, in an order. Every word of the text has to stand in what the list shows of a run."""
    _, wanted = FILTERS[which]
    words = text.lower().split()
    found = [run for run in runs if wanted(run) and all(word in _said(run) for word in words)]
    _, key, reverse = ORDERS[order]
    return sorted(sorted(found, key=lambda run: run.title.lower()), key=key, reverse=reverse)


def pages(runs: Sequence[Run]) -> list[Sequence[Run]]:
    """The runs by pages; one page, which is empty, where there are none."""
    return [runs[at : at + PER_PAGE] for at in range(0, len(runs), PER_PAGE)] or [[]]


def line(run: Run) -> str:
    """What was audited, and when, in Markdown."""
    return f"{md(moment(run.created)) or 'no date'} · model {md(run.model)} · data {md(run.data)}"


def outcome(run: Run, *, intact: bool = True) -> str:
    """How many findings have each status, in Markdown; statuses that no finding has are left out."""
    if not intact:
        return ":orange[✕ not intact: its findings are not shown]"
    if run.ended != "complete":
        return f":orange[{'!' if run.ended != 'running' else '…'} {md(run.ended)}: without all of its findings]"
    told = [f"{status(name)} {run.counts[name]}" for name in (*STATUSES, *run.counts) if name in run.counts]
    return " · ".join(dict.fromkeys(told)) or "no findings"


def seal(integrity: Integrity) -> str:
    """What was verified of a run, in Markdown, by a sign and a word before a colour."""
    if integrity.intact:
        return md(_intact(integrity))
    return f":orange[✕ **differs from what was recorded**: {md(integrity.sentence)}]"


def table(runs: Sequence[Run], seals: Mapping[str, Integrity]) -> pd.DataFrame:
    """A row for each run."""
    columns = ["Audit", "Ended", "Date", "Model", "Data", *(look.word for look in STATUSES.values()), "Seal", "Digest"]
    rows = [
        (
            run.title,
            run.ended,
            moment(run.created),
            run.model,
            run.data,
            *(run.counts.get(name, 0) for name in STATUSES),
            _verified(seals.get(run.id)),
            run.digest,
        )
        for run in runs
    ]
    return pd.DataFrame(rows, columns=columns).map(lambda cell: visible(cell) if isinstance(cell, str) else cell)


def python(folder: str) -> str:
    """The same from Python."""
    return (
        "from probe.audit import find, read\n\n"
        f"for folder in find({folder!r}):\n"
        "    manifest = read(folder).manifest\n"
        "    print(folder.name, manifest.status, manifest.digest)"
    )


def _verified(integrity: Integrity | None) -> str:
    if integrity is None:
        return "not verified here"
    return _intact(integrity) if integrity.intact else f"differs: {integrity.sentence}"


def _intact(integrity: Integrity) -> str:
    number = len(integrity.signatures)
    signed = f"{number} signature{'s' * (number != 1)}, whose is not checked here" if number else "not signed"
    return f"consistent with itself, {signed}"


def _said(run: Run) -> str:
    """All that a search looks at."""
    return " ".join((run.title, run.ended, run.created, run.model, run.data, run.digest, run.id)).lower()
