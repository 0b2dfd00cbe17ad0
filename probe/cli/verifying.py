"""`probe verify`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from probe.cli.app import FINDINGS, AllowCode, Device, Json, command, emit_json, print_out
from probe.cli.pages import drawn
from probe.cli.signals import terminable
from probe.errors import IntegrityError, PlanError

Signers = Annotated[
    Path | None,
    typer.Option(
        help="Who may sign: an allowed-signers file of ssh-keygen, a public key such as id_ed25519.pub, or PEM."
    ),
]
Revoked = Annotated[Path | None, typer.Option(help="Revoked keys: public keys, one a line, or a KRL of ssh-keygen.")]


@command("verify")
def verify(
    bundle: Annotated[Path, typer.Argument(help="The folder of an audit.")],
    digest: Annotated[
        str | None,
        typer.Option(
            help="A digest that you received separately, to compare with: the full one or that of the evidence."
        ),
    ] = None,
    signers: Signers = None,
    revoked: Revoked = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Run the audit again and compare its findings.")] = False,
    device: Device = "",
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> int:
    """Check every file of a bundle, and recompute every number from its evidence.

    Its seal is one of three: consistent with itself; is the one you were given (--digest); signed by NAME (--signers).
    Exit codes: 0 for a complete audit without contradictions, 1 for one that is not complete, 4 for one that differs
    from what was recorded.
    """
    from probe.audit import verify
    from probe.audit.strict import plain

    result = verify(bundle)
    found = sealed(result, digest, signers, revoked)
    _check_report(bundle)
    tipped = _rerun(bundle, allow_code=allow_code, device=device) if rerun else ()
    if as_json:
        emit_json(
            vars(result)
            | {
                "rerun": rerun,
                "differing": list(tipped),
                "seal": found.words,
                "signatures": _listed(result, found),
                "signoffs": [plain(each) for each in result.signoffs],
                "countersignatures": _listed_seconds(result, found),
            }
        )
    else:
        _say_verified(result, found, rerun=rerun, tipped=tipped)
    return 0 if result.status == "complete" else FINDINGS


def sealed(result: Any, digest: str | None, signers: Path | None, revoked: Path | None = None) -> Any:
    """The seal of a bundle that was verified, by what the reader gave."""
    from probe.audit.signing import read_signers, seal

    if revoked is not None and signers is None:
        raise PlanError("--revoked needs --signers, the keys of those who may sign")
    allowed = read_signers(signers, revoked) if signers is not None else None
    digests, seconds = (result.digest, result.evidence_digest), [each.signature for each in result.countersignatures]
    return seal(digests, result.signatures, given=digest, signers=allowed, seconds=seconds)


def _listed(result: Any, found: Any) -> list[dict[str, Any]]:
    names = {each.key: each for each in found.whose}
    return [
        {"file": each.file, "key": each.key, "signed": each.signed, "by": names[each.key].name if names else None}
        for each in result.signatures
    ]


def _listed_seconds(result: Any, found: Any) -> list[dict[str, Any]]:
    from probe.audit.strict import plain

    names = {each.key: each.name for each in found.seconds}
    return [
        {
            "file": each.signature.file,
            "key": each.signature.key,
            "by": names.get(each.signature.key),
            "agrees": each.rerun.words,
        }
        | plain(each.rerun)
        for each in result.countersignatures
    ]


def _say_seconds(result: Any, found: Any) -> None:
    from probe.audit.signing.countersignatures import BINDS
    from probe.formatting import moment

    names = {each.key: each.name or "none of those who may sign" for each in found.seconds}
    for each in result.countersignatures:
        by = names.get(each.signature.key, "not checked against a key")
        print_out(
            f"Counter-signed with the key {each.signature.key} on {moment(each.signature.signed)}, as it says: {by}: "
            f"{each.rerun.words}."
        )
    if result.countersignatures:
        print_out(BINDS)


def _say_verified(result: Any, found: Any, *, rerun: bool, tipped: tuple[str, ...]) -> None:
    from probe.audit.reading import ended
    from probe.audit.signing import CONSISTENT
    from probe.formatting import moment

    print_out(f"{result.name}: {result.files} files and {result.numbers:,} numbers verified.")
    print_out(
        f"digest {result.digest}\nevidence {result.evidence_digest} (without times, so a second "
        "run of the audit has the same)"
    )
    if result.writer is not None:
        print_out(f"It is running: step {min(result.done + 1, result.planned)} of {result.planned}.")
    elif result.status != "complete":
        print_out(
            f"It was {ended(result.status)} after {result.done} of {result.planned} steps: run the same audit again "
            "to continue it."
        )
    if result.unlisted:
        more = " ..." * (len(result.unlisted) > 5)
        print_out(f"Not part of the audit, and not verified: {', '.join(result.unlisted[:5])}{more}")
    print_out(f"Seal: {found.words}.")
    for each in found.whose:
        by = each.name or f"none of those who may sign{f' ({each.why})' if each.why else ''}"
        print_out(f"Signed with the key {each.key} on {moment(each.signed)}, as it says: {by}.")
    if result.signatures and not found.whose:
        several = len(result.signatures)
        print_out(
            f"It has {several} signature{'s' * (several > 1)}, not yet checked against a key: give "
            "--signers, an allowed-signers file or a public key."
        )
    elif found.words == CONSISTENT:
        print_out(
            "This shows that the numbers follow from the files, not who wrote the files: for that, compare a digest "
            "that you received separately, with --digest."
        )
    _say_seconds(result, found)
    for record in result.signoffs:
        _say_signoff(record, found)
    if rerun:
        print_out("A second run gave the same numbers." if not tipped else "A second run gave the same findings.")
        for told in tipped:
            print_out(told + ".")
    elif result.held_once:
        print_out(
            f"What was changed so that all agrees, only a second run tells (--rerun): {', '.join(result.held_once)}. "
            "Times, costs, the machine and what the plan says about its use are the writer's word."
        )


def _say_signoff(record: Any, found: Any) -> None:
    from probe.formatting import moment

    covered = [each.name for each in found.whose if each.name and record.sha256 in each.signoffs]
    by = f"covered by the signature of {' and '.join(covered)}" if covered else "not checked against a signature"
    print_out(f"Sign-off {record.number}, {by}: {record.by}, {moment(record.date)}: {record.statement}")
    for each in record.decisions:
        print_out(f"  {each.decision}: {each.check}: {each.reason}")


def _check_report(folder: Path) -> None:
    """Check the report: the digest cannot cover the page that prints it, but the bundle gives the same bytes again."""
    from probe.audit import read
    from probe.audit.files import content

    page = folder / "report.html"
    if (page.exists() or page.is_symlink()) and content(folder, "report.html") != drawn(read(folder)).encode():
        raise IntegrityError(
            f"{page} is not the page that this probe draws of the bundle: it was changed, or another version drew it; "
            f"`probe report {folder} --out page.html` draws it from the evidence"
        )


def opened_again(stored: Any, *, allow_code: bool, device: str) -> Any:
    """Plan, model and data of a complete bundle, opened as its audit opened them."""
    from probe.audit import plan_from
    from probe.audit.strict import plain
    from probe.cli.sources import open_both

    if not stored.complete:
        raise PlanError(f"{stored.name} is {stored.manifest.status}; run the same audit again to complete it first")
    plan = plan_from(plain(stored.manifest.plan), sources=False)
    if not plan.sourced:
        raise PlanError(f"{plan.name} was audited from Python, and its plan names no model; run it there again")
    return (plan, *open_both(plan, allow_code=allow_code, device=device))


def _rerun(folder: Path, *, allow_code: bool, device: str) -> tuple[str, ...]:
    """What a second run tells of single rows, where it has the same findings."""
    import tempfile

    from probe.audit import read, run
    from probe.audit.verification import compare_runs
    from probe.cli.progress import progress

    stored = read(folder)
    plan, model, data = opened_again(stored, allow_code=allow_code, device=device)
    with terminable(), tempfile.TemporaryDirectory() as place, progress(f"{plan.name}, again") as advance:
        again = run(plan, model, data, Path(place) / plan.name, progress=advance)
        for part in ("model", "data"):
            if getattr(again.manifest, part).sha256 != getattr(stored.manifest, part).sha256:
                raise IntegrityError(f"the {part} is not the one that was audited: its digest differs")
        return compare_runs(stored, again, tolerance=0.02)
