"""Who may sign, as the reader of a bundle says: an allowed-signers file of SSH, or a public key."""

import base64
import binascii
import tempfile
from dataclasses import dataclass
from pathlib import Path

from probe.audit.signing import ssh
from probe.audit.signing.envelope import Envelope
from probe.errors import PlanError

LARGEST = 2**20  # bytes
KINDS = ("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")  # how a public key of SSH begins


@dataclass(frozen=True)
class Signers:
    """Those who may sign."""

    lines: str  # an allowed-signers file
    shown: str  # the file that they were read from
    alone: str = ""  # the name of the one key, where a public key was given
    revoked: Path | None = None  # a list of keys, or a KRL of ssh-keygen

    def named(self, envelope: Envelope) -> tuple[str, str]:
        """Whose signature it is, and if nobody's who may sign, why."""
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "allowed"
            file.write_text(self.lines, encoding="utf-8")
            name, why = ssh.principal(envelope.signed, envelope.signature, file, self.revoked)
        why = why.replace(f"{file}:", f"{self.shown}:")
        if name and any(sign in name for sign in "*?!"):  # a pattern is nobody's name
            name = f"the key {envelope.keyid}, which {self.shown} allows"
        return (self.alone or name if name else ""), why


def read_signers(file: str | Path, revoked: str | Path | None = None) -> Signers:
    """Those who may sign, from a file.

    Args:
        file: an allowed-signers file of ssh-keygen, or a public key such as id_ed25519.pub.
        revoked: keys that no longer count: public keys, one a line, or a KRL.

    Raises:
        PlanError: if a file cannot be read, or holds neither.
    """
    path, gone = Path(file), Path(revoked) if revoked is not None else None
    for each in filter(None, (path, gone)):
        if not each.is_file():
            raise PlanError(f"there is no file {each}; give the one with the public keys of those who may sign")
        if each.stat().st_size > LARGEST:
            raise PlanError(f"{each} is larger than 1 MiB, and is no list of keys")
    try:
        return signers_from(path.read_bytes().decode("utf-8"), str(path), gone)
    except UnicodeDecodeError:
        raise PlanError(f"{path} is no text; give an allowed-signers file of ssh-keygen, or a public key") from None


def signers_from(text: str, shown: str, revoked: Path | None = None) -> Signers:
    """Those who may sign, from the text of an allowed-signers file or of a public key."""
    if "PRIVATE KEY" in text:
        raise PlanError(f"{shown} is a private key; give the public one, whose name ends in .pub")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    if not lines:
        raise PlanError(f"{shown} names nobody; give an allowed-signers file of ssh-keygen, or a public key")
    if not lines[0].startswith(KINDS):
        return Signers(text, shown, revoked=revoked)
    kind, key, comment = (*lines[0].split(None, 2), "", "")[:3]
    try:
        whole = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        whole = b""
    if not whole or len(lines) > 1:
        raise PlanError(f"{shown} holds no single public key; give one, or an allowed-signers file of ssh-keygen")
    name = comment or ssh.fingerprint_of(whole)
    return Signers(f"signer {kind} {key}\n", shown, name, revoked)
