"""The findings of an audit, its subject, and how to repeat it."""

import hashlib
import shlex
from dataclasses import dataclass

import pandas as pd

from probe import formatting
from probe.audit import Bundle, reading
from probe.audit.files import content
from probe.audit.reading import CHAPTERS
from probe.audit.strict import plain
from probe.audit.toml import to_toml
from probe.errors import ProbeError
from probe.formatting import DASH
from probe.statuses import STATUSES, look
from probe.text import visible
from probe_dashboards.views.once import once
from probe_dashboards.views.panels import Panel
from probe_dashboards.views.words import md, number, status, unbroken

PAGES = {"explanation": "explanations", "": "explanations"} | {
    aspect: aspect for aspect in ("performance", "robustness", "bias")
}


@dataclass(frozen=True)
class Group:
    """The findings of one aspect, and the page that shows their evidence ("" if there is none)."""

    title: str
    page: str
    findings: pd.DataFrame
    measured: pd.DataFrame


def counts(bundle: Bundle) -> dict[str, int]:
    """How many findings about the model have each status; every status is there."""
    seen, _ = reading.tally(bundle.manifest.findings)
    return {name: seen[name] for name in STATUSES} | {visible(s): n for s, n in seen.items() if s not in STATUSES}


def checks(bundle: Bundle) -> str:
    """How the checks of explanations and attacks came out; empty where there are none."""
    _, seen = reading.tally(bundle.manifest.findings)
    return ", ".join(f"{n} {visible(name)}" for name, n in seen.most_common())


@once
def verdict(bundle: Bundle) -> list[str]:
    """The audit in a few sentences."""
    return [visible(sentence) for sentence in reading.verdict(bundle)]


@once
def sentences(bundle: Bundle) -> dict[str, str]:
    """The audit in three sentences, by what each says."""
    heads = ("What was tested", "What failed, and where it breaks", "What was not tested")
    return dict(zip(heads, map(visible, reading.sentences(bundle)), strict=True))


@once
def few_rows(bundle: Bundle) -> str:
    """The groups with too few rows, in a line; empty if there are none."""
    return visible(reading.few_rows(bundle))


def behind(bundle: Bundle, wanted: str = "all") -> Panel:
    """What stands behind the findings that are shown."""
    found = [f for f in bundle.manifest.findings if wanted in ("all", f.status)]
    kept = (
        "about",
        "aspect",
        "check",
        "status",
        "estimate",
        "low",
        "high",
        "threshold",
        "direction",
        "n",
        "seed",
        "note",
    )
    return Panel(
        "findings",
        "Findings",
        lambda: pd.DataFrame([{key: getattr(f, key) for key in kept} for f in found], columns=list(kept)),
        "checks that the plan does not ask for; that a check passed says nothing of what it does not measure.",
        "[finding for finding in bundle.manifest.findings]"
        if wanted == "all"
        else f"[finding for finding in bundle.manifest.findings if finding.status == {wanted!r}]",
    )


def origin(bundle: Bundle) -> str:
    """A note on where the rows come from; empty for rows of a test split."""
    return reading.origin(bundle.manifest)


def plan(bundle: Bundle) -> str:
    """The plan as a TOML file."""
    return to_toml(plain(bundle.manifest.plan))


def report(bundle: Bundle) -> bytes | None:
    """The report, if it was written with this audit and is unchanged."""
    try:
        page = content(bundle.folder, "report.html")
    except ProbeError:
        return None
    return page if hashlib.sha256(page).hexdigest() == bundle.manifest.report_sha256 else None


CHANGED = b"The report has changed since its page was shown; load the page again."


@once
def has_report(bundle: Bundle) -> bool:
    """Whether it was."""
    return report(bundle) is not None


def write_report(bundle: Bundle) -> str:
    """The command that writes the report."""
    return f"probe report {shlex.quote(str(bundle.folder))}"


@once
def groups(bundle: Bundle, wanted: str = "all") -> list[Group]:
    """The findings by aspect, all of them or those of one status, ready for a table that reads Markdown."""
    return [_group(part) for part in reading.register(bundle.manifest, "" if wanted == "all" else wanted)]


@once
def subject(bundle: Bundle) -> pd.DataFrame:
    """What was audited, on what, with what."""
    m = bundle.manifest
    model, data, machine = m.model, m.data, m.machine
    shape = " by ".join(str(size) for size in data.shape)
    rows = {
        "Model": f"{model.name}, {len(model.classes)} classes: {', '.join(map(str, model.classes))}",
        "Decision": m.task.in_words() or "the most likely class",
        "Data": f"{data.name}: {number(int(data.n))} examples of {shape}"
        + (f", from {data.source}" if data.source else ""),
        "Rows": {"test": "of a test split", "train": "the model was trained on them"}.get(
            data.role, "not known whether the model was trained on them"
        ),
        "Groups": ", ".join(map(str, data.groups)) or "none declared",
        **{title.capitalize(): f"{text} (as the plan says)" for title, text in reading.about(m)},
        "Seed": str(m.plan.seed),
        "Made": " to ".join(formatting.moment(at) or "?" for at in (m.created, m.finished)),
        "Made with": ", ".join(f"{name} {value}" for name, value in machine.items()),
    }
    return pd.DataFrame({"Of": list(rows), "Recorded": [visible(text) for text in rows.values()]})


def digests(bundle: Bundle) -> str:
    """SHA-256 of what was audited and of what was found."""
    m = bundle.manifest
    parts = {"model": m.model.sha256, "data": m.data.sha256, "evidence": m.digest}
    return "\n".join(f"{name:9}{visible(value)}" for name, value in parts.items())


@once
def not_run(bundle: Bundle, aspect: str = "") -> pd.DataFrame:
    """What was not measured, and why: findings and steps that did not run, and steps that never started."""
    missing = reading.missing(bundle, aspect)
    return pd.DataFrame(
        [(_chapter(m.aspect), visible(m.check), look(m.status).word, visible(m.note)) for m in missing],
        columns=["Aspect", "Check", "Status", "Why"],
    )


def _chapter(aspect: str) -> str:
    return CHAPTERS[aspect].title if aspect in CHAPTERS else visible(aspect)


def steps(bundle: Bundle) -> pd.DataFrame:
    """The steps that ran, and their cost."""
    found = reading.costs(bundle.manifest)
    rows = [
        (visible(each.step), visible(each.status), *each.written, visible(each.note))
        for each in (*found, reading.total(found))
    ]
    return pd.DataFrame(rows, columns=["Step", "Ended", "Time", "Forward passes", "Backward passes", "Note"])


def reproduce(bundle: Bundle) -> str:
    """The commands that check this audit and make it again."""
    folder = shlex.quote(str(bundle.folder))
    return "\n".join(
        [
            "# hash every file and recompute every number from the stored evidence",
            f"probe verify {folder} --digest {shlex.quote(visible(bundle.manifest.digest))}",
            "# run the model again, with the same plan and seed, and compare the findings",
            f"probe verify {folder} --rerun",
            "# the plan of this audit, and a new audit by it",
            *reading.repeat(bundle.manifest, folder),
        ]
    )


def _group(part: reading.Register) -> Group:
    rows = [
        (
            status(f.status),
            _described(f.check, f.note),
            unbroken(written.estimate),
            written.threshold or DASH,
            written.n or DASH,
        )
        for f in part.findings
        for written in (f.written(),)
    ]
    measured = [(md(f.check), md(f.method), DASH if f.seed is None else str(f.seed)) for f in part.findings]
    return Group(
        visible(part.title),
        PAGES.get(part.aspect, ""),
        pd.DataFrame(rows, columns=["Status", "Finding", "Estimate [95 % interval]", "Threshold", "n"]),
        pd.DataFrame(measured, columns=["Check", "Measured by", "Seed"]),
    )


def _described(check: str, note: str) -> str:
    """The check; below it in small print, the reason of its status."""
    return f"{md(check)}  \n:small[:grey[{md(note)}]]" if note else md(check)
