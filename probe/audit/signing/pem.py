"""Signatures of ed25519 keys in PEM (PKCS8), made and checked by openssl.

A command, as for SSH keys: no package that signs is among those that probe needs, and cryptography of one's own would
have to be audited first. What is signed is the encoding of DSSE as it stands, so `openssl pkeyutl` checks it alone.
"""

import base64
import binascii
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from probe.audit.signing import ssh
from probe.errors import IntegrityError, PlanError, ProbeError, Unsupported

PREFIX = bytes.fromhex("302a300506032b6570032100")  # of a public key of ed25519 in DER (RFC 8410), before its 32 bytes
LENGTH = 64  # bytes of a signature
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
BEGIN, END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
PRIVATE = ("-----BEGIN PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----")
PATIENCE = 30  # seconds in which openssl checks a signature


@dataclass(frozen=True)
class Private:
    """A private key of ed25519, read once; without its passphrase it is only in memory."""

    file: Path
    text: bytes = field(repr=False)  # in PEM
    public: bytes  # as SSH encodes it

    def sign(self, message: bytes) -> bytes:
        """The signature over a message.

        Raises:
            ProbeError: with what openssl says, if it cannot sign with this key.
        """
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "message"
            file.write_bytes(message)
            done = _run("pkeyutl", "-sign", "-rawin", "-inkey", "/dev/stdin", "-in", str(file), given=self.text)
        if done.returncode or len(done.stdout) != LENGTH:
            raise ProbeError(
                f"openssl cannot sign with {self.file}: {_said(done) or 'it gave no signature of ed25519'}"
            )
        return done.stdout


def private(key: Path) -> Private | None:
    """The private key of ed25519 in a file in PEM; a passphrase is asked for in the terminal. None of any other file.

    Raises:
        ProbeError: with what openssl says, if it cannot read the key.
    """
    with key.open("rb") as file:
        start = file.read(2**14).decode("utf-8", "replace")
    if not any(line.strip() in PRIVATE for line in start.splitlines()):
        return None
    text = _read(key, _run("pkey", "-in", str(key), patience=None))
    public = _read(key, _run("pkey", "-pubout", "-outform", "DER", given=text))
    return Private(key, text, wire(public[len(PREFIX) :])) if public.startswith(PREFIX) else None


def check(message: bytes, signature: bytes, key: bytes) -> None:
    """Check a signature by a public key, as SSH encodes it.

    Raises:
        IntegrityError: if it is not this key's over this message.
    """
    with tempfile.TemporaryDirectory() as place:
        files = {"message": message, "signature": signature, "key": armoured(key).encode()}
        for name, content in files.items():
            (Path(place) / name).write_bytes(content)
        at = {name: str(Path(place) / name) for name in files}
        given = ("-inkey", at["key"], "-sigfile", at["signature"], "-in", at["message"])
        done = _run("pkeyutl", "-verify", "-rawin", "-pubin", *given)
        if done.returncode and b"Verification Failure" not in done.stdout + done.stderr:
            raise Unsupported(f"openssl cannot check the signature: {_said(done)}; OpenSSL 3 can")
        if done.returncode:
            raise IntegrityError("the signature does not match the signed content (openssl does not verify it)")


def keys(text: str, shown: str) -> Iterator[tuple[str, bytes]]:
    """The public keys in a text of PEM blocks as SSH encodes them; a line before a block is the name of its owner.

    Raises:
        PlanError: if there is anything else in it, or a key that is not of ed25519.
    """
    named = ""
    block: list[str] | None = None
    for line in (line.strip() for line in text.splitlines()):
        if block is None:
            if line == BEGIN:
                block = []
            elif line and not line.startswith("#"):
                if named:
                    raise PlanError(f"{shown} has {named!r:.60} where a key should begin; put one name before each key")
                named = line
        elif line != END:
            block.append(line)
        else:
            key = _key("".join(block), shown)
            yield named or ssh.fingerprint_of(key), key
            named, block = "", None
    if block is not None or named:
        raise PlanError(f"{shown} ends before a key does; give it whole, from {BEGIN} to {END}")


def armoured(key: bytes) -> str:
    """A public key, as SSH encodes it, in PEM."""
    return f"{BEGIN}\n{base64.b64encode(PREFIX + key[-32:]).decode()}\n{END}\n"


def wire(raw: bytes) -> bytes:
    """A public key as SSH encodes it, so that one key has one fingerprint."""
    kind = b"ssh-ed25519"
    return struct.pack(">I", len(kind)) + kind + struct.pack(">I", len(raw)) + raw


def _key(text: str, shown: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found.startswith(PREFIX) or len(found) != len(PREFIX) + 32:
        raise PlanError(f"{shown} has a public key that is not ed25519; keys of other kinds must be SSH keys")
    return wire(found[len(PREFIX) :])


def _read(key: Path, done: subprocess.CompletedProcess[bytes]) -> bytes:
    if done.returncode:
        raise ProbeError(f"openssl cannot read the key {key}: {_said(done) or 'it is damaged'}")
    return done.stdout


def _run(*arguments: str, given: bytes = b"", patience: float | None = PATIENCE) -> subprocess.CompletedProcess[bytes]:
    tool = shutil.which("openssl")
    if tool is None:
        raise Unsupported("openssl was not found, which keys in PEM need; install OpenSSL 3")
    try:  # A passphrase is asked for in the terminal, not in what is piped into probe.
        return subprocess.run([tool, *arguments], input=given, capture_output=True, check=False, timeout=patience)
    except subprocess.TimeoutExpired:
        raise Unsupported(f"openssl did not answer within {PATIENCE} s; try again") from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines()]
    return next((line[:200] for line in lines if line), "")
