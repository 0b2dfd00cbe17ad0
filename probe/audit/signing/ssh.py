"""Signatures of SSH keys, made and checked by ssh-keygen, which every OpenSSH since 8.2 brings."""

import base64
import hashlib
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from probe.audit.signing.envelope import NAMESPACE
from probe.errors import IntegrityError, ProbeError, Unsupported

MAGIC = b"SSHSIG"
BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
PATIENCE = 30  # seconds in which ssh-keygen checks a signature


def sign(messages: Sequence[bytes], key: Path) -> list[bytes]:
    """The signatures of a private key over messages; a passphrase is asked for in the terminal, once for all.

    Raises:
        ProbeError: with what ssh-keygen says, if it cannot sign with this key.
    """
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / str(at) for at in range(len(messages))]
        for file, message in zip(files, messages, strict=True):
            file.write_bytes(message)
        done = _run("-Y", "sign", "-f", str(key), "-n", NAMESPACE, *map(str, files))
        made = [file.with_name(f"{file.name}.sig") for file in files]
        if done.returncode or not all(file.is_file() for file in made):
            raise ProbeError(f"ssh-keygen cannot sign with {key}: {_said(done) or 'it gave no signature'}")
        return [_signature(file.read_text(encoding="utf-8").split("\n")) for file in made]


def fingerprint(signature: bytes, shown: str) -> str:
    """The key of a signature, as SHA256:... of `ssh-keygen -l`.

    Raises:
        IntegrityError: if it is no signature of SSH, or one for another purpose.
    """
    try:
        if not signature.startswith(MAGIC + struct.pack(">I", 1)):
            raise ValueError
        key, namespace, *_ = _strings(signature[len(MAGIC) + 4 :])
    except ValueError:
        raise IntegrityError(f"{shown} holds no signature of an SSH key") from None
    if namespace != NAMESPACE.encode():
        purpose = namespace.decode("utf-8", "replace")
        raise IntegrityError(f"{shown} has a signature for the namespace {purpose!r:.60}, expected {NAMESPACE!r}")
    return fingerprint_of(key)


def fingerprint_of(key: bytes) -> str:
    """The fingerprint of a public key in the encoding of SSH."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def fingerprint_in(file: Path) -> str:
    """The fingerprint of the key in a file.

    Raises:
        ProbeError: with what ssh-keygen says, if there is none.
    """
    done = _run("-l", "-f", str(file))
    found = [word for word in done.stdout.decode("utf-8", "replace").split() if word.startswith("SHA256:")]
    if done.returncode or not found:
        raise ProbeError(f"ssh-keygen cannot sign with {file}: {_said(done) or 'it is not a key'}")
    return found[0]


def principal(message: bytes, signature: bytes, signers: Path, revoked: Path | None = None) -> tuple[str, str]:
    """Whose signature this is by an allowed-signers file, and if nobody's, why: one of the two is empty.

    Raises:
        IntegrityError: if the signature is not over this message, whoever made it.
    """
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "sig"
        file.write_text(_armoured(signature))
        valid = _run("-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(file), stdin=message)
        if valid.returncode:
            raise IntegrityError(f"the signature does not match the signed content ({_said(valid)})")
        found = _run("-Y", "find-principals", "-s", str(file), "-f", str(signers))
        names = found.stdout.decode("utf-8", "replace").split("\n")[0].strip()
        if found.returncode or not names:
            return "", _said(found)
        name = names.split(",")[0]
        last = ("-r", str(revoked)) if revoked else ()
        done = _run(
            *("-Y", "verify", "-f", str(signers), "-I", name, "-n", NAMESPACE, "-s", str(file), *last), stdin=message
        )
        # Of a revoked key it says no more than that it could not verify.
        return (name, "") if not done.returncode else ("", _said(done) or "the key is revoked")


def revoked(key: bytes, listed: Path) -> bool:
    """Whether a public key, in the encoding of SSH, is in a list of revoked ones: a key a line, or a KRL."""
    if not listed.read_bytes().startswith(b"SSHKRL"):
        return any(base64.b64encode(key).decode() in line.split() for line in listed.read_text().splitlines())
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "key"
        file.write_text(f"ssh-ed25519 {base64.b64encode(key).decode()}\n")
        return bool(_run("-Q", "-f", str(listed), str(file)).returncode)


def _run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    tool = shutil.which("ssh-keygen")
    if tool is None:
        raise Unsupported("ssh-keygen was not found, which SSH keys need; install OpenSSH (openssh-client)")
    signing = arguments[1] == "sign"  # somebody may have to type a passphrase, or touch a key
    try:
        return subprocess.run(
            [tool, *arguments], input=stdin, capture_output=True, check=False, timeout=None if signing else PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise Unsupported(f"ssh-keygen did not answer within {PATIENCE} s; try again") from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    """What ssh-keygen says of a failure: its first line that gives a reason."""
    both = done.stderr + b"\n" + done.stdout
    lines = [line.strip() for line in both.decode("utf-8", "replace").splitlines()]
    idle = ("No principal matched.", "Could not verify signature.", "Signing data on standard input")
    given = [line for line in lines if line and line not in idle]
    return given[0][:200] if given else ""


def _signature(lines: list[str]) -> bytes:
    return base64.b64decode("".join(lines[lines.index(BEGIN) + 1 : lines.index(END)]))


def _armoured(signature: bytes) -> str:
    text = base64.b64encode(signature).decode()
    return "\n".join((BEGIN, *(text[at : at + 70] for at in range(0, len(text), 70)), END, ""))


def _strings(data: bytes) -> Iterator[bytes]:
    """The strings of the wire format of SSH, each after its length."""
    while data:
        length = int.from_bytes(data[:4])
        if len(data) < 4 + length:
            raise ValueError
        yield data[4 : 4 + length]
        data = data[4 + length :]
