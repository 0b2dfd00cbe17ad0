"""`probe sign`."""

from pathlib import Path
from typing import Annotated

import typer

from probe.cli.app import Json, command, emit_json, print_out


@command("sign")
def sign(
    bundle: Annotated[Path, typer.Argument(help="The folder of an audit.")],
    key: Annotated[
        Path, typer.Option(help="Your private key, of SSH; or the public one where an agent holds the private one.")
    ],
    as_json: Json = False,
) -> None:
    """Verify a bundle, and sign it: its digest, the digests of weights and data, and how each check came out.

    The signature lies beside what the audit wrote, as statements of in-toto in envelopes of DSSE. It needs no network.
    """
    from probe.audit import read, verify
    from probe.audit.signing import sign as signed_by

    result = verify(bundle)
    found = signed_by(read(bundle), key)
    if as_json:
        emit_json({"file": found.file, "key": found.key, "signed": found.signed, "digest": result.digest})
        return
    print_out(f"Signed {result.name} with the key {found.key}, in {bundle / found.file}.")
    print_out(f"digest {result.digest}\nWho has your public key checks it by `probe verify {bundle} --signers FILE`.")
