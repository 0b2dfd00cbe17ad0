"""`probe audit`, `probe verify`, `probe report`."""

import json
import re
import shutil
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from probe.cli.app import FINDINGS, INTERRUPTED, Json, Strict, command, exit_code, printable, say, show, tell
from probe.cli.signals import terminable
from probe.errors import ExistsError, IntegrityError, PlanError, ProbeError

SIGNS = {
    "pass": "✓ pass",
    "fail": "✗ fail",
    "inconclusive": "? inconclusive",
    "not run": "- not run",
    "error": "! error",
}


AllowCode = Annotated[
    bool, typer.Option("--allow-code", help="Run the code that a plan names as its factory. Look at it first.")
]


@command("audit")
def audit(
    names: Annotated[list[str] | None, typer.Argument(help="Networks of the zoo, such as adult-mlp.")] = None,
    plans: Annotated[list[Path] | None, typer.Option("--plan", help="A plan in TOML, for any model and data.")] = None,
    out: Annotated[Path, typer.Option(help="The folder that the runs are written into.")] = Path("runs"),
    replace: Annotated[bool, typer.Option("--replace", help="Delete an audit of the same name first.")] = False,
    allow_code: AllowCode = False,
    strict: Strict = False,
    as_json: Json = False,
) -> int:
    """Audit models: explanations, robustness and bias, checked, in a bundle with a report.

    An audit that was interrupted is continued; one that is complete is shown again.
    """
    from probe.cli.sources import plan_in, plan_of

    if not names and not plans:
        raise PlanError("name a model, such as `probe audit adult-mlp`, or a plan: `probe audit --plan plan.toml`")
    chosen = [plan_of(name) for name in names or ()] + [plan_in(path) for path in plans or ()]
    twice = [name for name, count in Counter(plan.name for plan in chosen).items() if count > 1]
    if twice:
        raise PlanError(f"two audits are called {twice[0]!r} and would share a folder; give one plan another name")
    with terminable():
        documents = [_audit(plan, out / plan.name, code=allow_code, replace=replace, quiet=as_json) for plan in chosen]
    if as_json:
        show(documents)
    elif documents:
        say(f"Look at them: {Path(sys.argv[0]) if Path(sys.argv[0]).name == 'probe' else 'probe'} dashboard {out}")
    return exit_code((finding["status"] for d in documents for finding in d["findings"]), strict)


def _audit(plan: Any, folder: Path, *, code: bool, replace: bool, quiet: bool) -> dict[str, Any]:
    from probe.audit import run
    from probe.audit import verify as verify_bundle
    from probe.audit.estimate import estimate
    from probe.audit.lock import writing
    from probe.audit.runner import check
    from probe.cli.progress import progress
    from probe.cli.sources import open_both

    model, data = open_both(plan, allow_code=code)
    for notice in (*data.notices, *model.notices):
        tell(f"{plan.name}: {notice}")
    # All that can be wrong with the plan is known now, so that --replace loses nothing to a typing error.
    check(plan, model, data)
    if replace and folder.exists():
        _remove(folder)
    if not (folder / "audit.json").exists():
        sample = plan.resolve(form=model.space.form_of(data.inputs)).data.sample
        rows = min(sample or len(data), len(data))
        tell(f"{plan.name}: {rows:,} rows; about {estimate(plan, model, data):.0f} s at most")
    try:
        with progress(plan.name) as tick:
            bundle = run(plan, model, data, folder, progress=tick)
    except KeyboardInterrupt:
        with suppress(ProbeError, OSError):
            _keep(folder)
            tell(f"{plan.name}: the finished steps are in {folder}, and the same command continues them")
        raise
    # Also an audit of yesterday's is shown only if it is what was written then.
    verify_bundle(folder)
    if not bundle.manifest.get("report_sha256"):
        with writing(folder):
            bundle.write_report(_drawn(bundle))
    if not quiet:
        _summary(bundle)
    return _document(bundle)


def _keep(folder: Path) -> None:
    """Draw the report of what was finished, unless somebody has taken up the audit already."""
    from probe.audit import read
    from probe.audit.lock import writing

    with writing(folder):
        bundle = read(folder)
        if bundle.manifest["status"] == "interrupted":
            bundle.write_report(_drawn(bundle))


def _remove(folder: Path) -> None:
    from probe.audit.bundle import is_unused
    from probe.audit.lock import writing

    if not (folder / "audit.json").is_file() and not is_unused(folder):
        raise ExistsError(f"{folder} is not an audit, so --replace leaves it as it is; choose another --out")
    with writing(folder):
        shutil.rmtree(folder)


def _document(bundle: Any) -> dict[str, Any]:
    from probe.audit.reading import favourable, tally, verdict

    findings = bundle.manifest["findings"]
    model, methods = tally(findings)
    favoured, assumed = favourable(bundle.manifest)
    return {
        "name": bundle.name,
        "folder": str(bundle.folder),
        "report": str(bundle.folder / "report.html"),
        "status": bundle.manifest["status"],
        "digest": bundle.manifest["digest"],
        "verdict": verdict(bundle),
        "rows": bundle.manifest["data"].get("role", "unknown"),
        "favourable": {"class": favoured, "assumed": assumed},
        "counts": {"model": dict(model), "methods": dict(methods)},
        "findings": findings,
    }


def _summary(bundle: Any) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from probe.audit.reading import origin, tally, verdict
    from probe.report.sections.common import left_out

    say(" ".join(verdict(bundle)))
    if caution := origin(bundle.manifest):
        say(caution)
    data, findings = bundle.manifest["data"], bundle.manifest["findings"]
    table = Table(
        title=Text(printable(f"{bundle.name} on {data['name']} ({data['n']:,} rows)")),
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("status", no_wrap=True)
    table.add_column("check")
    for heading in ("estimate [95 % interval]", "threshold", "n"):
        table.add_column(heading, no_wrap=True, justify="right")
    for own in (True, False):
        for finding in findings:
            if (finding.get("about", "model") == "model") == own:
                table.add_row(*(Text(printable(cell)) for cell in _cells(finding)))
        table.add_section()
    console = Console()
    # Where nobody looks, nothing is squeezed: a file or a pipe has no width.
    console.width = console.width if console.is_terminal else max(console.width, 120)
    console.print(table)
    for sentence in left_out(bundle):
        say(sentence)
    for title, counts in zip(("The model", "Checks of the explanations and attacks"), tally(findings), strict=True):
        say(f"{title}: {', '.join(f'{count} {status}' for status, count in counts.most_common()) or 'none'}")
    say(f"Report: {bundle.folder / 'report.html'}\n")


def _cells(finding: dict[str, Any]) -> tuple[str, ...]:
    value, low, high, threshold, n = (finding[key] for key in ("estimate", "low", "high", "threshold", "n"))
    measured = "" if value is None else f"{value:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")
    sign = {"at least": "≥", "at most": "≤"}[finding["direction"]]
    asked = "" if threshold is None else f"{sign} {threshold:g}"
    return SIGNS[finding["status"]], finding["check"], measured, asked, "" if n is None else f"{n:,}"


@command("verify")
def verify(
    bundle: Annotated[Path, typer.Argument(help="The folder of an audit.")],
    digest: Annotated[
        str | None, typer.Option(help="The digest that you were given by another way, to compare with; either of both.")
    ] = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Run the audit again and compare its findings.")] = False,
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> int:
    """Check every file of a bundle, and recompute every number from its evidence.

    Exit code 0 is a complete audit without a contradiction, 1 one that is not complete, 4 one that is not what was
    recorded.
    """
    from probe.audit import verify

    result = verify(bundle)
    if digest is not None:
        _compare_digest(digest, result)
    _check_report(bundle)
    if rerun:
        _rerun(bundle, allow_code=allow_code)
    if as_json:
        show(vars(result) | {"rerun": rerun})
    else:
        _say_verified(result, digest=digest is not None, rerun=rerun)
    return 0 if result.status == "complete" else FINDINGS


def _compare_digest(given: str, result: Any) -> None:
    given = given.strip().lower()
    if not re.fullmatch("[0-9a-f]{64}", given):
        raise PlanError(f"--digest {given[:80]!r} is no digest, which has 64 digits 0 to 9 and a to f")
    if given not in (result.digest, result.evidence_digest):
        raise IntegrityError(
            f"the bundle's digest is {result.digest} (of its evidence without times {result.evidence_digest}), "
            f"not {given}: it is another audit, or a changed one"
        )


def _say_verified(result: Any, *, digest: bool, rerun: bool) -> None:
    say(f"{result.name}: {result.files} files and {result.numbers:,} numbers verified.")
    say(f"digest {result.digest}\nevidence {result.evidence_digest} (without times: another honest run has the same)")
    if result.writer is not None:
        say(f"It is running: step {min(result.done + 1, result.planned)} of {result.planned}.")
    elif result.status != "complete":
        ended = "interrupted" if result.status == "interrupted" else "killed"
        say(f"It was {ended} after {result.done} of {result.planned} steps: run the same audit again to continue it.")
    if result.unlisted:
        more = " ..." * (len(result.unlisted) > 5)
        say(f"Not of the audit, and not verified: {', '.join(result.unlisted[:5])}{more}")
    if digest:
        say("It is the audit whose digest you gave.")
    else:
        say(
            "This shows that the numbers follow from the files, not who wrote the files: compare a digest that you "
            "were given by another way, with --digest."
        )
    say("Its numbers came out the same when run again." if rerun else "Repeat the measurements with --rerun.")


def _check_report(folder: Path) -> None:
    """The digest cannot cover the page that shows it; but the bundle gives the same page, byte for byte, again."""
    from probe.audit import read
    from probe.audit.files import content

    page = folder / "report.html"
    if (page.exists() or page.is_symlink()) and content(folder, "report.html") != _drawn(read(folder)).encode():
        raise IntegrityError(f"{page} is not the page that the bundle gives; `probe report {folder}` draws it again")


def _drawn(bundle: Any) -> str:
    """The page of a bundle, whoever wrote the bundle."""
    from jinja2 import TemplateError

    from probe.audit.verification import MALFORMED
    from probe.report import render

    try:
        return render(bundle)
    except IntegrityError:
        raise
    except (ProbeError, *MALFORMED, TemplateError) as error:
        raise IntegrityError(
            f"no page can be drawn of {bundle.folder} ({type(error).__name__}: {error}): it is not what an audit "
            "wrote, or this installation of probe is damaged"
        ) from error


def _rerun(folder: Path, *, allow_code: bool) -> None:
    import tempfile

    from probe.audit import plan_from, read, run
    from probe.audit.verification import compare_runs
    from probe.cli.progress import progress
    from probe.cli.sources import open_both

    stored = read(folder)
    if not stored.complete:
        raise PlanError(f"{stored.name} is {stored.manifest['status']}; run the same audit again to complete it first")
    plan = plan_from(stored.manifest["plan"], sources=False)
    if not plan.sourced:
        raise PlanError(f"{plan.name} was audited from Python, and its plan names no model; run it there again")
    model, data = open_both(plan, allow_code=allow_code)
    with terminable(), tempfile.TemporaryDirectory() as place, progress(f"{plan.name}, again") as tick:
        again = run(plan, model, data, Path(place) / plan.name, progress=tick)
        for part in ("model", "data"):
            if again.manifest[part]["sha256"] != stored.manifest[part]["sha256"]:
                raise IntegrityError(f"the {part} is not the one that was audited: its digest differs")
        compare_runs(stored, again, tolerance=0.02)


@command("report")
def report(
    bundle: Annotated[Path, typer.Argument(help="The folder of an audit.")],
    form: Annotated[str, typer.Option("--format", help="html, json, csv, or toml: the plan")] = "html",
    out: Annotated[Path | None, typer.Option(help="A file to write; stdout unless given.")] = None,
    as_json: Json = False,
) -> int:
    """Write an audit's findings as a page (html), as data (json) or as a table (csv), or its plan (toml)."""
    from probe.audit import read, verify
    from probe.audit.spreadsheet import to_csv
    from probe.audit.toml import to_toml

    forms = {
        "html": lambda: _drawn(read(bundle)),
        "json": lambda: json.dumps(read(bundle).manifest, indent=1, ensure_ascii=False) + "\n",
        "csv": lambda: to_csv(read(bundle).table("findings")),
        "toml": lambda: to_toml(read(bundle).manifest["plan"]),
    }
    if form not in forms:
        raise PlanError(f"--format {form!r} is unknown; there are {', '.join(forms)}")
    verify(bundle)
    text = forms["json" if as_json else form]()
    if out is None:
        typer.echo(text, nl=False)
    elif out.exists():
        raise ExistsError(f"{out} exists and is left as it is; choose another --out")
    else:
        out.write_text(text, encoding="utf-8")
        tell(f"wrote {out}")
    return 0


__all__ = ["INTERRUPTED", "audit", "report", "verify"]
