"""`probe audit`."""

import os
import shutil
import sys
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from probe.cli.app import (
    USAGE,
    AllowCode,
    Device,
    Json,
    Strict,
    code_of,
    command,
    emit_json,
    exit_code,
    print_err,
    print_out,
)
from probe.cli.crewed import crewed, workers_of
from probe.cli.pages import drawn
from probe.cli.said import Only, Outputs, Part, Said, Segments, TaskName, Tolerance
from probe.cli.signals import terminable
from probe.cli.summary import document, summary, table
from probe.engines.crew import Crew
from probe.errors import ExistsError, PlanError, ProbeError
from probe.formatting import counted

AHEAD = 3  # audits that workers have at once, so that they need not wait for the next; the caller opens as many models
Work = Callable[[], dict[str, Any]]
Begin = Callable[[ExitStack], Work]  # what undoes the beginning of a work that is never done goes on the stack


@command("audit")
def audit(
    names: Annotated[
        list[str] | None, typer.Argument(help="Networks of the zoo, such as adult-mlp, or plans, such as plans/*.toml.")
    ] = None,
    plans: Annotated[list[Path] | None, typer.Option("--plan", help="A plan in TOML, for any model and data.")] = None,
    out: Annotated[Path, typer.Option(help="The folder to write the runs to.")] = Path("runs"),
    replace: Annotated[bool, typer.Option("--replace", help="Delete an audit of the same name first.")] = False,
    shard: Annotated[
        str,
        typer.Option(help="Run one of several parts, such as 3/16, into the folder --out; `probe merge` merges them."),
    ] = "",
    engine: Annotated[
        str,
        typer.Option(help="Run the audits by several workers: `processes` on this machine, `ray` or `slurm`."),
    ] = "",
    workers: Annotated[
        int, typer.Option(min=0, help="With --engine: how many workers; by default one for each core.")
    ] = 0,
    task: TaskName = "",
    outputs: Outputs = "",
    part: Part = "",
    only: Only = "",
    tolerance: Tolerance = None,
    segments: Segments = 0,
    device: Device = "",
    allow_code: AllowCode = False,
    strict: Strict = False,
    as_json: Json = False,
) -> int:
    """Audit models: explanations, robustness and bias, checked, in a bundle with a report.

    An audit that was interrupted is continued; one that is complete is shown again. Of several audits, one that cannot
    be run does not end the others.
    """
    from probe.cli.sources import open_both, plan_in, plan_of

    if not names and not plans:
        raise PlanError("name a model, such as `probe audit adult-mlp`, or a plan: `probe audit --plan plan.toml`")
    said = Said(task=task, outputs=outputs, part=part, only=only, tolerance=tolerance, segments=segments)
    named = [*((name, ()) for name in names or ()), *((str(plan), ("--plan",)) for plan in plans or ())]
    chosen = [plan_in(Path(name)) if option or name.endswith(".toml") else plan_of(name) for name, option in named]
    chosen = [said.into(plan) for plan in chosen]
    twice = [name for name, count in Counter(plan.name for plan in chosen).items() if count > 1]
    if twice:
        raise PlanError(f"two audits are called {twice[0]!r} and would share a folder; give one plan another name")
    opened, count = partial(open_both, allow_code=allow_code, device=device), workers or os.cpu_count() or 1
    if shard and engine:
        raise PlanError("--engine runs all parts and --shard one; leave one of them out")
    if workers and not engine:
        raise PlanError("--workers is for --engine; add --engine processes, or leave --workers out")
    if shard:
        return _part(chosen, out, shard, opened, replace=replace, as_json=as_json)
    with terminable(), crewed(engine, count, device) as crew:
        works: dict[str, Begin] = {
            plan.name: partial(_begun, plan, out / plan.name, opened, crew, replace=replace, quiet=as_json)
            for plan in chosen
        }
        if engine and crew is None:
            more = said.arguments() + ["--device", device] * bool(device) + ["--allow-code"] * allow_code
            calls = {
                plan.name: [*option, _absolute(name, option), *more]
                for plan, (name, option) in zip(chosen, named, strict=True)
            }
            works |= _dealt(calls, out, engine, count, replace=replace, quiet=as_json)
        documents = _ended(works, AHEAD if crew else 1)
    if as_json:
        emit_json(documents)
    else:
        if len(documents) > 1:
            table(documents)
        print_out(
            f"Look at them: {Path(sys.argv[0]) if Path(sys.argv[0]).name == 'probe' else 'probe'} dashboard {out}"
        )
    if failed := [done["error"]["code"] for done in documents if "error" in done]:
        return int(failed[0])
    return exit_code((finding["status"] for d in documents for finding in d["findings"]), strict)


def _part(
    chosen: list[Any],
    out: Path,
    shard: str,
    opened: Callable[[Any], tuple[Any, Any]],
    *,
    replace: bool,
    as_json: bool,
) -> int:
    from probe.audit.part import Shard
    from probe.cli.merging import run_part, said_of_part

    if len(chosen) > 1 or replace:
        said = "--replace deletes audits, not parts" if replace else f"{len(chosen)} audits are named"
        raise PlanError(
            f"--shard runs one part of one audit, and {said}; leave {'it' if replace else 'the others'} out"
        )
    with terminable():
        done = run_part(chosen[0], out, Shard.read(shard), opened)
    if as_json:
        emit_json(done)
    else:
        said_of_part(done)
    return 0


def _absolute(name: str, option: tuple[str, ...]) -> str:
    """What an audit is named by, also for a worker in another folder."""
    return str(Path(name).resolve()) if option or "/" in name or name.endswith(".toml") else name


def _dealt(
    calls: dict[str, list[str]], out: Path, engine: str, workers: int, *, replace: bool, quiet: bool
) -> dict[str, Begin]:
    """The ends of audits whose parts an engine has run. An audit that is there already is no work for an engine."""
    from probe.audit.bundle import is_unused
    from probe.cli.dealing import deal, finish

    show: Callable[[Any], None] = (lambda bundle: None) if quiet else summary
    old = {name for name in calls if replace and (out / name / "audit.json").is_file()}
    new = [name for name in calls if name in old or is_unused(out / name)]
    failed = deal([(name, calls[name]) for name in new], out, engine, workers)

    def clear(name: str) -> None:
        # Not before: what ends the parts, such as a wrong path in the plan, loses nothing.
        if name in old:
            _remove(out / name)

    def end(name: str, undone: ExitStack) -> Work:
        return partial(finish, name, out, workers, failed, clear=partial(clear, name), show=show)

    return {name: partial(end, name) for name in new}


def _ended(works: dict[str, Begin], ahead: int) -> list[dict[str, Any]]:
    """What each audit gives, in turn; of several, why one could not be run. So many are begun before one is done."""
    alone, waiting = len(works) == 1, list(works.items())
    begun: deque[tuple[str, Work]] = deque()
    documents: list[dict[str, Any]] = []
    with ExitStack() as undone:
        while waiting or begun:
            while waiting and len(begun) < ahead:
                name, begin = waiting.pop(0)
                try:
                    begun.append((name, begin(undone)))
                except ProbeError as error:
                    begun.append((name, partial(_raise, error)))
            name, work = begun.popleft()
            documents.append(work() if alone else _or_error(name, work))
    return documents


def _raise(error: Exception) -> dict[str, Any]:
    raise error


def _or_error(name: str, work: Work) -> dict[str, Any]:
    try:
        return work()
    except (ProbeError, ChildProcessError) as error:
        code = code_of(error) if isinstance(error, ProbeError) else USAGE
        print_err(f"{name}: {error}")
        return {"name": name, "error": {"kind": type(error).__name__, "message": str(error), "code": code}}


def _begun(
    plan: Any,
    folder: Path,
    opened: Callable[[Any], tuple[Any, Any]],
    crew: Crew | None,
    undone: ExitStack,
    *,
    replace: bool,
    quiet: bool,
) -> Work:
    from probe.audit.estimate import estimate
    from probe.audit.runner import begun, check

    model, data = opened(plan)
    for notice in (*data.notices, *model.notices):
        print_err(f"{plan.name}: {notice}")
        # The plan is checked by now, so a typing error in it makes --replace lose nothing.
    check(plan, model, data)
    # Only the sampled rows are kept in memory; the audit samples the same ones.
    data = data.sample(plan.resolved(model, data).data.sample or None, plan.seed)
    if replace and folder.exists():
        _remove(folder)
    if not (folder / "audit.json").exists():
        by = f"by {crew.workers} workers" if crew else f"about {estimate(plan, model, data):.0f} s at most"
        print_err(f"{plan.name}: {counted(len(data))}; {by}")
    going = undone.enter_context(ExitStack())
    finish = going.enter_context(begun(plan, model, data, folder, workers=workers_of(crew, plan, opened)))
    return partial(_finished, plan, folder, finish, going, quiet=quiet)


def _finished(
    plan: Any, folder: Path, finish: Callable[[Any], Any], going: ExitStack, *, quiet: bool
) -> dict[str, Any]:
    """What an audit gives that has begun; `going` is left as soon as its evidence is there."""
    from probe.audit import verify as verify_bundle
    from probe.cli.progress import progress
    from probe.lock import writing

    try:
        with going, progress(plan.name) as advance:
            bundle = finish(advance)
    except KeyboardInterrupt:
        with suppress(ProbeError, OSError):
            _keep(folder)
            print_err(f"{plan.name}: the finished steps are in {folder}, and the same command continues them")
        raise
        # An older audit too is shown only if it is unchanged since it was written.
    verify_bundle(folder)
    if not bundle.manifest.report_sha256:
        with writing(folder):
            bundle.write_report(drawn(bundle))
    if not quiet:
        summary(bundle)
    return document(bundle)


def _keep(folder: Path) -> None:
    """Write the report of the finished steps, unless another process has continued the audit already."""
    from probe.audit import read
    from probe.lock import writing

    with writing(folder):
        bundle = read(folder)
        if bundle.manifest.status == "interrupted":
            bundle.write_report(drawn(bundle))


def _remove(folder: Path) -> None:
    from probe.audit.bundle import is_unused
    from probe.lock import writing

    if not (folder / "audit.json").is_file() and not is_unused(folder):
        raise ExistsError(f"{folder} is not an audit, so --replace leaves it as it is; choose another --out")
    with writing(folder):
        shutil.rmtree(folder)
