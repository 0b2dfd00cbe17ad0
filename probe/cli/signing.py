"""`probe sign`, `probe countersign`, `probe signoff`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from probe import lock
from probe.cli.app import AllowCode, Device, Json, command, emit_json, print_out
from probe.cli.pages import drawn
from probe.cli.signals import terminable
from probe.errors import PlanError


@command("sign")
def sign(
    bundle: Annotated[Path, typer.Argument(help="The folder of an audit.")],
    key: Annotated[
        Path,
        typer.Option(
            help="Your private SSH key, or the public one if ssh-agent holds the private key; or an ed25519 key in PEM."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Verify a bundle, and sign it: its digest, the digests of weights and data, and how each check came out.

    The signature lies beside what the audit wrote, as statements of in-toto in envelopes of DSSE. It needs no network.
    """
    from probe.audit import read, verify
    from probe.audit.signing import sign as signed_by

    result = verify(bundle)
    found = signed_by(read(bundle), key, [record.sha256 for record in result.signoffs])
    if as_json:
        emit_json({"file": found.file, "key": found.key, "signed": found.signed, "digest": result.digest})
        return
    print_out(f"Signed {result.name} with the key {found.key}, in {bundle / found.file}.")
    print_out(
        f"digest {result.digest}\nAnybody who has your public key can check it: `probe verify {bundle} --signers FILE`."
    )


@command("countersign")
def countersign(
    bundle: Annotated[Path, typer.Argument(help="The folder of an audit that somebody else made.")],
    key: Annotated[Path, typer.Option(help="Your private key, as for `probe sign`; not one that signed the audit.")],
    device: Device = "",
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Verify a bundle, run a tenth of its rows again, and sign how far the results agree.

    The bundle's digest and your key draw the rows: none can be picked or left out. The draw is beyond the first
    auditor's influence only if they did not know your key, and beyond yours only if the key is older than the audit.
    That the rows were run at all, only your signature says. Surveys look at all rows at once and are not run again.
    Exit code 4 if the model or the data are others, or more rows differ than rounding explains.
    """
    from probe.audit import read, verify
    from probe.audit.countersigning import countersign as countersigned
    from probe.audit.strict import plain
    from probe.cli.progress import progress
    from probe.cli.verifying import opened_again

    verify(bundle)
    stored = read(bundle)
    plan, model, data = opened_again(stored, allow_code=allow_code, device=device)
    with terminable(), progress(f"{plan.name}, a tenth again") as advance:
        found = countersigned(stored, key, plan, model, data, progress=advance)
    if stored.manifest.report_sha256 is not None:
        with lock.writing(bundle):
            stored.write_report(drawn(stored))
    if as_json:
        emit_json(
            {"file": found.signature.file, "key": found.signature.key, "agrees": found.rerun.words} | plain(found.rerun)
        )
        return
    print_out(f"Counter-signed {stored.name} with the key {found.signature.key}, in {bundle / found.signature.file}.")
    print_out(f"{found.rerun.words[:1].upper()}{found.rerun.words[1:]}.")


@command("signoff")
def signoff(
    bundle: Annotated[Path, typer.Argument(help="The folder of an audit.")],
    name: Annotated[str, typer.Option(help="Who signs off.")],
    role: Annotated[str, typer.Option(help="In which role.")],
    statement: Annotated[str, typer.Option(help="Your statement about the audit.")],
    accept: Annotated[
        list[str] | None, typer.Option(help="CHECK=REASON: an open failure that is accepted, by its name or number.")
    ] = None,
    reject: Annotated[
        list[str] | None, typer.Option(help="CHECK=REASON: an open failure that is rejected, by its name or number.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a bundle, and add a sign-off: a statement, and a decision about each open failure, with its reason.

    Sign-offs lie beside what the audit wrote, each with the digest of the one before. Nothing that is there is changed.
    """
    from probe.audit import read, verify
    from probe.audit.signoff import open_failures, sign_off
    from probe.audit.strict import plain

    verify(bundle)
    opened = read(bundle)
    failures = open_failures(opened.manifest)
    decisions = _decided(failures, accept or [], reject or [])
    record = sign_off(opened, name=name, role=role, statement=statement, decisions=decisions, drawn=drawn)
    if as_json:
        emit_json(plain(record) | {"file": record.file})
        return
    print_out(f"Sign-off {record.number} of {opened.name} by {record.name}, in {bundle / record.file}.")
    print_out(f"It shows what was written, not who wrote it: `probe sign {bundle} --key KEY` covers it by a signature.")


def _decided(failures: dict[str, str], accept: list[str], reject: list[str]) -> dict[str, Any]:
    """The decisions by check. A check is named in full, without its aspect, or by its number among the failures."""
    known = {str(number): check for number, check in enumerate(failures, 1)}
    for check in failures:
        known[check] = check
        known.setdefault(check.partition(": ")[2], check)
    decided: dict[str, tuple[str, str]] = {}
    for option, verdict, given in (("--accept", "accepted", accept), ("--reject", "rejected", reject)):
        for text in given:
            # The name of a check may hold an equals sign itself.
            found = max((word for word in known if text.startswith(f"{word}=")), key=len, default=None)
            if found is None:
                raise PlanError(f"{option} {text[:80]!r} names no open failure; {_listed(failures)}")
            if known[found] in decided:
                raise PlanError(f"{known[found]!r} is decided twice; say accept or reject once")
            decided[known[found]] = (verdict, text[len(found) + 1 :])
    if missing := [check for check in failures if check not in decided]:
        raise PlanError(f"{len(missing)} open failures have no decision; {_listed(failures)}")
    return decided


def _listed(failures: dict[str, str]) -> str:
    if not failures:
        return "this audit has no open failure, so leave out --accept and --reject"
    listed = "; ".join(f"{number}: {check} ({status})" for number, (check, status) in enumerate(failures.items(), 1))
    return f'decide each, as --accept "1=why it may stay" or --reject "1=why it may not": {listed}'
