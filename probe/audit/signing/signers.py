"""Who may sign, as the reader of a bundle says: an allowed-signers file of SSH, or public keys of SSH or in PEM."""

import base64
import binascii
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from probe.audit.signing import pem, ssh
from probe.audit.signing.envelope import Envelope
from probe.errors import PlanError

LARGEST = 2**20  # bytes
KINDS = ("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")  # how a public key of SSH begins
KRL = b"SSHKRL\n"  # how a list of revoked keys of ssh-keygen begins
REVOKED = "the key is revoked"


@dataclass(frozen=True)
class Signers:
    """Those who may sign."""

    lines: str  # an allowed-signers file
    shown: str  # the file that they were read from
    names: Mapping[str, str] = field(default_factory=dict)  # by principal, where public keys were given
    keys: Mapping[str, bytes] = field(default_factory=dict)  # of ed25519 by fingerprint, where public keys were given
    revoked: Path | None = None  # a list of keys, or a KRL of ssh-keygen

    def named(self, envelope: Envelope) -> tuple[str, str]:
        """Whose signature it is, and if nobody's who may sign, why."""
        with tempfile.TemporaryDirectory() as place:
            gone = _listed(self.revoked, Path(place) / "revoked") if self.revoked else None
            if envelope.outside_ssh:
                return self._outside_ssh(envelope, gone)
            file = Path(place) / "allowed"
            file.write_text(self.lines, encoding="utf-8")
            name, why = ssh.principal(envelope.signed, envelope.signature, file, gone)
        why = why.replace(f"{file}:", f"{self.shown}:")
        if name and any(sign in name for sign in "*?!"):  # a pattern is nobody's name
            name = f"the key {envelope.keyid}, which {self.shown} allows"
        return (self.names.get(name, name) if name else ""), why

    def _outside_ssh(self, envelope: Envelope, gone: Path | None) -> tuple[str, str]:
        key = self.keys.get(envelope.keyid)
        if key is None:
            whose = "" if self.keys else "it is not an SSH key; give its public key in PEM"
            return "", whose
        pem.check(envelope.signed, envelope.signature, key)
        if gone is not None and ssh.revoked(key, gone):
            return "", REVOKED
        return self.names[envelope.keyid], ""


def _listed(file: Path, place: Path) -> Path:
    """Revoked keys in a file that ssh-keygen reads whole: of a line that it cannot read, it says nothing."""
    data = file.read_bytes()
    if data.startswith(KRL):
        return file
    text = data.decode("utf-8", "replace")
    if pem.BEGIN in text:
        lines = [_line(key) for _, key in pem.keys(text, str(file))]
    else:
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    for line in lines:
        if not line.startswith(KINDS) or not _decoded((*line.split(None, 2), "")[1]):
            raise PlanError(f"{file} has {line!r:.60}, which is no public key; give one a line, or a KRL of ssh-keygen")
    place.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return place


def read_signers(file: str | Path, revoked: str | Path | None = None) -> Signers:
    """Those who may sign, from a file.

    Args:
        file: an allowed-signers file of ssh-keygen, a public key such as id_ed25519.pub, or public keys of ed25519 in
            PEM, each after a line with the name of its owner, if it has one.
        revoked: keys that no longer count: public keys, one a line, or a KRL.

    Raises:
        PlanError: if a file cannot be read, or holds neither.
    """
    path, gone = Path(file), Path(revoked) if revoked is not None else None
    for each in filter(None, (path, gone)):
        if not each.is_file():
            raise PlanError(f"there is no file {each}; give the one with the public keys of those who may sign")
        if each.stat().st_size > LARGEST:
            raise PlanError(f"{each} is larger than 1 MiB, too large for a list of keys")
    try:
        return signers_from(path.read_bytes().decode("utf-8"), str(path), gone)
    except UnicodeDecodeError:
        raise PlanError(
            f"{path} is not a text file; give an allowed-signers file of ssh-keygen, or a public key"
        ) from None


def signers_from(text: str, shown: str, revoked: Path | None = None) -> Signers:
    """Those who may sign, from the text of an allowed-signers file or of a public key."""
    text = text.removeprefix("\ufeff")  # which some editors put before a text
    if re.search("[\x00\ud800-\udfff]", text):
        raise PlanError(
            f"{shown} contains characters that cannot occur in a key or a name; give the public keys as they are"
        )
    if "PRIVATE KEY" in text:
        raise PlanError(
            f"{shown} is a private key; give the public one: for SSH the file that ends in .pub, for PEM what `openssl "
            "pkey -in KEY -pubout` writes"
        )
    if pem.BEGIN in text:
        return _public_keys(pem.keys(text, shown), shown, revoked)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    if not lines:
        raise PlanError(f"{shown} lists no keys; give an allowed-signers file of ssh-keygen, or a public key")
    if not lines[0].startswith(KINDS):
        return Signers(text, shown, revoked=revoked)
    kind, key, comment = (*lines[0].split(None, 2), "", "")[:3]
    whole = _decoded(key)
    if not whole or len(lines) > 1:
        raise PlanError(
            f"{shown} does not hold exactly one public key; give one, or an allowed-signers file of ssh-keygen"
        )
    name = ssh.fingerprint_of(whole)
    keys = {name: whole} if kind == "ssh-ed25519" else {}
    return Signers(f"{name} {kind} {key}\n", shown, {name: comment or name}, keys, revoked)


def _public_keys(found: Iterator[tuple[str, bytes]], shown: str, revoked: Path | None) -> Signers:
    keys = {ssh.fingerprint_of(key): (name, key) for name, key in found}
    lines = "".join(f"{print_} {_line(key)}\n" for print_, (_, key) in keys.items())
    names = {print_: name for print_, (name, _) in keys.items()}
    return Signers(lines, shown, names, {print_: key for print_, (_, key) in keys.items()}, revoked)


def _line(key: bytes) -> str:
    return f"ssh-ed25519 {base64.b64encode(key).decode()}"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
