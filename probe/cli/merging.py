"""`probe merge`, and one part of an audit for `probe audit --shard`."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from probe.cli.app import Json, Strict, command, emit_json, exit_code, print_err, print_out
from probe.cli.pages import drawn
from probe.cli.summary import document as document_of
from probe.cli.summary import summary
from probe.errors import ProbeError

# Environment variable of an engine's worker: nobody reads how long it may take, and the pilot that says so takes longer
# than a small part.
WORKER = "PROBE_WORKER"


@command("merge")
def merge(
    parts: Annotated[
        list[Path], typer.Argument(help="Folders that `probe audit --shard` wrote, or one folder that holds them.")
    ],
    out: Annotated[Path, typer.Option(help="A new or empty folder for the audit.")],
    strict: Strict = False,
    as_json: Json = False,
) -> int:
    """Merge the parts that several machines ran into one audit, the same as a single machine would have written."""
    document = merged(parts, out, show=(lambda bundle: None) if as_json else summary)
    if as_json:
        emit_json(document)
    return exit_code((finding["status"] for finding in document["findings"]), strict)


def merged(parts: Sequence[Path], out: Path, *, show: Callable[[Any], None]) -> dict[str, Any]:
    """The audit of these parts, verified and with its report."""
    from probe.audit import merge, verify
    from probe.lock import writing

    bundle = merge(parts, out)
    verify(out)
    with writing(out):
        bundle.write_report(drawn(bundle))
    show(bundle)
    return document_of(bundle)


def run_part(plan: Any, folder: Path, shard: Any, opened: Callable[[Any], tuple[Any, Any]]) -> dict[str, Any]:
    """Run one part of an audit into a folder, or continue it."""
    from probe.audit import run_shard
    from probe.audit.estimate import estimate
    from probe.audit.part import NAME
    from probe.audit.runner import check
    from probe.audit.sharding import shares
    from probe.cli.progress import progress

    title = f"{plan.name} {shard}"
    model, data = opened(plan)
    for notice in (*data.notices, *model.notices):
        print_err(f"{title}: {notice}")
    check(plan, model, data)
    if WORKER not in os.environ and not (folder / NAME).exists():
        seconds = estimate(plan, model, data, shares(plan, model, data, shard))
        print_err(f"{title}: about {seconds:.0f} s at most")
    try:
        with progress(title) as advance:
            part = run_shard(plan, model, data, folder, shard, progress=advance)
    except KeyboardInterrupt:
        with suppress(ProbeError, OSError):
            print_err(f"{title}: the finished steps are in {folder}, and the same command continues them")
        raise
    return {"name": plan.name, "shard": str(shard), "folder": str(part.folder), "complete": part.record.complete}


def said_of_part(done: dict[str, Any]) -> None:
    """Print where the part is, and what is done with all parts."""
    print_out(f"Part {done['shard']} of {done['name']}: {done['folder']}. Merge all parts with `probe merge`.")
