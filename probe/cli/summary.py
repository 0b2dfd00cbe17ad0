"""The findings of an audit as a table for a terminal and as a JSON document."""

from collections.abc import Sequence
from typing import Any

from probe.cli.app import print_out, visible_lines
from probe.statuses import look


def signed(status: str) -> str:
    """A status as a terminal shows it."""
    return f"{look(status).sign} {status}"


def document(bundle: Any) -> dict[str, Any]:
    """An audit as `--json` shows it: its verdict, counts and findings."""
    from probe.audit.reading import brackets, favourable, tally, verdict

    findings = bundle.manifest.findings
    model, methods = tally(findings)
    favoured, assumed = favourable(bundle.manifest)
    return {
        "name": bundle.name,
        "folder": str(bundle.folder),
        "report": str(bundle.folder / "report.html"),
        "status": bundle.manifest.status,
        "digest": bundle.manifest.digest,
        "verdict": verdict(bundle),
        "rows": bundle.manifest.data.role,
        "favourable": {"class": favoured, "assumed": assumed},
        "counts": {"model": dict(model), "methods": dict(methods)},
        "bracket": [
            {
                "at": each.certified.at,
                "eps": each.certified.eps,
                "certified": _share(each.certified),
                "withstood": _share(each.withstood),
            }
            for each in brackets(bundle)
        ],
        "findings": [finding.to_json() for finding in findings],
    }


def summary(bundle: Any) -> None:
    """Print the verdict of an audit, then a row for each finding."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from probe.audit.reading import brackets, left_out, origin, tally, verdict

    print_out(" ".join(verdict(bundle)))
    if caution := origin(bundle.manifest):
        print_out(caution)
    data, findings = bundle.manifest.data, bundle.manifest.findings
    table = Table(
        title=Text(visible_lines(f"{bundle.name} on {data.name} ({data.n:,} rows)")),
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("status", no_wrap=True)
    table.add_column("check")
    for heading in ("estimate [95 % interval]", "threshold", "n"):
        table.add_column(heading, no_wrap=True, justify="right")
    for own in (True, False):
        for finding in findings:
            if (finding.about == "model") == own:
                table.add_row(*(Text(visible_lines(cell)) for cell in _cells(bundle, finding)))
        table.add_section()
    console = Console()
    # A file or a pipe has no width, so lines are not wrapped.
    console.width = console.width if console.is_terminal else max(console.width, 120)
    console.print(table)
    for sentence in (*(each.sentence for each in brackets(bundle)), *left_out(bundle)):
        print_out(sentence)
    for title, counts in zip(("The model", "Checks of the explanations and attacks"), tally(findings), strict=True):
        print_out(f"{title}: {', '.join(f'{count} {status}' for status, count in counts.most_common()) or 'none'}")
    print_out(f"Report: {bundle.folder / 'report.html'}\n")


def table(documents: Sequence[dict[str, Any]]) -> None:
    """Print a row for each of several audits: how many checks of the model ended how, or why it was not run."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = Table(title=Text(f"{len(documents)} audits"), title_justify="left", box=SIMPLE_HEAD)
    for heading in ("audit", "the model", "explanations and attacks", "report"):
        found.add_column(heading)
    for done in documents:
        cells = [done["name"], *([done["error"]["message"], "", ""] if "error" in done else _counted(done))]
        found.add_row(*(Text(visible_lines(cell)) for cell in cells))
    console = Console()
    console.width = console.width if console.is_terminal else max(console.width, 160)
    console.print(found)


def _counted(done: dict[str, Any]) -> list[str]:
    counts = [done["counts"][of] for of in ("model", "methods")]
    said = [", ".join(f"{count} {status}" for status, count in each.items()) or "none" for each in counts]
    return [*said, done["report"]]


def _share(point: Any) -> dict[str, float]:
    return {name: getattr(point, name) for name in ("value", "low", "high", "n")}


def _cells(bundle: Any, finding: Any) -> tuple[str, ...]:
    from probe.audit.titles import check_of

    written, check = finding.written(), check_of(bundle.manifest, finding)
    return signed(finding.status), check, str(written.estimate), written.threshold, written.n
