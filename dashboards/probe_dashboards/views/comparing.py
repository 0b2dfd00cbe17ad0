"""Two audits beside each other: what changed, by how much, and how sure that is."""

import shlex
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from probe.audit.changes import Change, Changes
from probe.audit.pairing import Comparison, Pair, compare
from probe.finding import Finding
from probe.formatting import DASH, counted, moment
from probe.statistics import Estimate
from probe.statuses import look
from probe_dashboards.views.runs import Run
from probe_dashboards.views.words import estimate, md, status

__all__ = ["compare"]

VERDICTS = {"worse": ":orange[✕ worse]", "better": ":blue[✓ better]"}


def titles(runs: Sequence[Run]) -> dict[str, str]:
    """The audits that can be chosen, by id: their titles and dates."""
    return {run.id: f"{run.title}, {moment(run.created) or 'no date'}, {run.digest[:6]}" for run in runs}


def usual(runs: Sequence[Run]) -> tuple[str, str]:
    """The two newest audits of the same data, the older first; where there are none, the two newest."""
    newest = sorted(runs, key=lambda run: run.created, reverse=True)
    alike = [(b, a) for at, a in enumerate(newest) for b in newest[at + 1 :] if a.data_sha256 == b.data_sha256]
    first, second = (*alike, (newest[1], newest[0]))[0]
    return first.id, second.id


def said(found: Comparison) -> str:
    """The outcome in a sentence."""
    changed, seen = found.findings, Counter(pair.verdict for pair in found.pairs)
    told = [
        f"{len(part)} {what}"
        for part, what in (
            (changed.changed, "with another status"),
            (changed.new, "only in the second audit"),
            (changed.gone, "only in the first"),
        )
        if part
    ]
    findings = f"Findings: {', '.join(told)}." if told else "No finding has changed its status."
    return f"{findings} Readings: {seen['worse']} worse, {seen['better']} better."


def statuses(changes: Sequence[Change]) -> pd.DataFrame:
    """A row for each finding whose status changed, for a table that reads Markdown."""
    rows = [(_named(change.there, change.note), _outcome(change.first), _outcome(change.second)) for change in changes]
    return pd.DataFrame(rows, columns=["Finding", "First audit", "Second audit"])


def alone(changes: Changes) -> pd.DataFrame:
    """A row for each finding that only one audit has."""
    rows = [
        (_named(change.there, ""), where, _outcome(change.there))
        for where, part in (("new: only in the second", changes.new), ("gone: only in the first", changes.gone))
        for change in part
    ]
    return pd.DataFrame(rows, columns=["Finding", "Where", "Status"])


def unchanged(changes: Changes) -> str:
    """How many findings have the status that they had, in a line."""
    seen = Counter(change.there.status for change in changes.same)
    told = ", ".join(f"{number} {look(name).word.lower()}" for name, number in seen.most_common())
    return f"{len(changes.same)} findings have the status that they had: {told}." if seen else ""


def differing(found: Comparison) -> pd.DataFrame:
    """The readings whose whole interval lies on one side of 0, what is worse first."""
    shown = sorted((p for p in found.pairs if p.verdict in VERDICTS), key=lambda p: p.verdict != "worse")
    return _readings(shown)


def alike(found: Comparison) -> pd.DataFrame:
    """The readings without a difference that can be told from 0, and those that nobody judges."""
    return _readings([p for p in found.pairs if p.verdict in ("no difference shown", "not judged")])


def apart(found: Comparison) -> pd.DataFrame:
    """The readings that are not subtracted, with the reason."""
    return _readings([p for p in found.pairs if p.verdict == "not compared"])


def numbers(found: Comparison) -> pd.DataFrame:
    """Findings and readings in one table, as the CSV has them."""
    findings = pd.DataFrame(
        [
            (c.there.aspect, c.there.check, _status(c.first), _status(c.second), kind, c.note)
            for kind, part in found.findings._asdict().items()
            for c in part
        ],
        columns=["aspect", "name", "first_status", "second_status", "verdict", "note"],
    )
    readings = found.to_frame().drop(columns=["subject", "metric"], errors="ignore")
    readings.insert(min(1, readings.shape[1]), "name", [pair.named for pair in found.pairs])
    whole = pd.concat([findings, readings], ignore_index=True)
    whole[["first_status", "second_status"]] = whole[["first_status", "second_status"]].fillna("")
    return whole


def command(first: str, second: str) -> str:
    """The same on the command line."""
    folders = f"{shlex.quote(first)} {shlex.quote(second)}"
    return f"probe compare {folders}\nprobe compare {folders} --format csv --out comparison.csv"


def python(first: str, second: str) -> str:
    """The same from Python."""
    return (
        "from probe.audit import read\nfrom probe.audit.pairing import compare\n\n"
        f"found = compare(read({first!r}), read({second!r}))\nfound.findings.changed\nfound.to_frame()"
    )


def _readings(pairs: Sequence[Pair]) -> pd.DataFrame:
    rows = [
        (
            f"{md(pair.named)}{_small(pair.note)}",
            _estimate(pair, pair.first),
            _estimate(pair, pair.second),
            _difference(pair),
            VERDICTS.get(pair.verdict, pair.verdict),
        )
        for pair in pairs
    ]
    return pd.DataFrame(rows, columns=["Reading", "First", "Second", "Second minus first [95 % interval]", "Verdict"])


def _named(finding: Finding, note: str) -> str:
    return f"{md(finding.check)}{_small(note)}"


def _small(note: str) -> str:
    return f"  \n:small[:grey[{md(note)}]]" if note else ""


def _outcome(finding: Finding | None) -> str:
    if finding is None:
        return DASH
    return f"{status(finding.status)}  \n:small[{md(finding.written().estimate)}]"


def _status(finding: Finding | None) -> str:
    return "" if finding is None else finding.status


def _estimate(pair: Pair, found: Estimate | None) -> str:
    return DASH if found is None else md(estimate(found.value, found.low, found.high, pair.unit))


def _difference(pair: Pair) -> str:
    if pair.difference is None:
        return DASH
    value, low, high, n = pair.difference
    said = "; ".join(filter(None, (f"over {counted(n)}", pair.test)))
    return f"{md(estimate(value, low, high, pair.apart))}  \n:small[:grey[{md(said)}]]"
