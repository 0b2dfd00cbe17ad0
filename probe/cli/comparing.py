"""`probe compare`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from probe.cli.app import Json, as_text, command, emit_json, print_err, visible_lines
from probe.errors import ExistsError, PlanError
from probe.formatting import Unit, counted, estimate

Folder = Annotated[Path, typer.Argument(help="The folder of an audit.")]


@command("compare")
def compare(
    first: Folder,
    second: Folder,
    layout: Annotated[str, typer.Option("--format", help="text, json or csv")] = "text",
    out: Annotated[Path | None, typer.Option(help="A file to write; stdout unless given.")] = None,
    as_json: Json = False,
) -> None:
    """Compare the measurements of two audits, with the difference over the rows that both have.

    A difference is the second audit minus the first. It says better or worse only where its whole interval does.
    """
    from probe.audit import pairing, read, verify
    from probe.audit.spreadsheet import to_csv

    writers: dict[str, Callable[[Any], str]] = {
        "text": _in_words,
        "json": lambda found: as_text(found.to_json()),
        "csv": lambda found: to_csv(found.to_frame()),
    }
    if layout not in writers:
        raise PlanError(f"--format {layout!r} is unknown; there are {', '.join(writers)}")
    if out is not None and out.exists():
        raise ExistsError(f"{out} exists and is left as it is; choose another --out")
    for bundle in (first, second):
        verify(bundle)
    found = pairing.compare(read(first), read(second))
    if out is not None:
        out.write_text(writers["json" if as_json else layout](found), encoding="utf-8")
        print_err(f"wrote {out}")
    elif as_json:
        emit_json(found.to_json())
    else:
        typer.echo(writers[layout](found), nl=False)


def _in_words(found: Any) -> str:
    """A comparison for a terminal: a line for each pair, by aspect."""
    lines = [f"first:  {found.first}", f"second: {found.second}", *(f"note: {note}" for note in found.notes)]
    lines += ["", found.refused] if found.refused else ["", *_of_findings(found.findings)]
    for aspect in dict.fromkeys(pair.aspect for pair in found.pairs):
        lines += ["", aspect]
        for pair in (p for p in found.pairs if p.aspect == aspect):
            ends = [_written(part, pair.unit) for part in (pair.first, pair.second)]
            lines.append(f"  {pair.named}")
            lines.append(f"      first {ends[0]}, second {ends[1]}")
            if pair.difference is not None:
                rows = counted(pair.difference.n)
                lines.append(f"      difference {_written(pair.difference, pair.apart)} over {rows}: {pair.verdict}")
            if pair.test:
                lines.append(f"      {pair.test}")
            if pair.note:
                lines.append(f"      {pair.note}")
    return visible_lines("\n".join(lines)) + "\n"


def _of_findings(found: Any) -> list[str]:
    """The findings whose status changed, those that are new or gone, and how many are as before."""
    lines = ["findings"]
    for change in found.changed:
        lines.append(f"  {change.there.check}: {change.first.status}, then {change.second.status}")
        lines += [f"      {change.note}"] if change.note else []
    for kind, part in (("only in the second", found.new), ("only in the first", found.gone)):
        lines += [f"  {change.there.check}: {change.there.status}, {kind}" for change in part]
    return [*lines, f"  {len(found.same)} with the same status"]


def _written(found: Any, unit: Unit) -> str:
    return "none" if found is None else str(estimate(found.value, found.low, found.high, unit))
