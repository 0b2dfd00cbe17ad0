"""Private keys that sign: opened once, so that a command asks for a passphrase once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from probe.audit.signing import envelope, pem, ssh
from probe.audit.signing.envelope import Envelope
from probe.errors import PlanError


@dataclass(frozen=True)
class Key:
    """A private key: of ed25519 in PEM, which openssl signs with, or any other, which ssh-keygen signs with."""

    file: Path
    fingerprint: str
    bare: pem.Private | None = None

    def enveloped(self, payloads: Sequence[bytes]) -> list[Envelope]:
        """The payloads, each signed.

        Raises:
            ProbeError: with what the tool says, if it cannot sign with this key.
        """
        messages = [envelope.encoded(envelope.TYPE, payload) for payload in payloads]
        made = [self.bare.sign(each) for each in messages] if self.bare else ssh.sign(messages, self.file)
        keyid = self.fingerprint if self.bare else ssh.fingerprint(made[0], f"the signature of {self.file}")
        return [Envelope(payload, keyid, signature) for payload, signature in zip(payloads, made, strict=True)]


def opened(file: str | Path) -> Key:
    """The key in a file, before anything is signed with it.

    Raises:
        PlanError: if there is no such file.
        ProbeError: with what openssl or ssh-keygen says, if it holds no key.
    """
    path = Path(file)
    if not path.is_file():
        raise PlanError(f"there is no key {path}; `ssh-keygen -t ed25519 -f {path}` makes one")
    held = pem.private(path)
    return Key(path, ssh.fingerprint_of(held.public) if held else ssh.fingerprint_in(path), held)
