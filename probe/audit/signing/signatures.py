"""The signatures beside a bundle: made, found, and compared with the allowed signers."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from probe.audit import files
from probe.audit.bundle import Bundle
from probe.audit.canonical import parse
from probe.audit.signing import envelope, pem, ssh
from probe.audit.signing.envelope import Envelope
from probe.audit.signing.signers import Signers
from probe.audit.signing.statements import AUDIT, STATEMENT, TEST_RESULT, statements, subjects
from probe.errors import IntegrityError, PlanError

FOLDER, ENDING = "signatures", ".intoto.jsonl"
LARGEST = 2**24  # bytes of a file
MOST = 100  # files
SHA = re.compile("[0-9a-f]{64}")
TIME = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\+00:00")


@dataclass(frozen=True)
class Signature:
    """A file of signed statements, both of which are about this bundle. Whose key it is, only `who` can tell."""

    file: str
    key: str  # fingerprint
    signed: str  # when, as the signer says
    signoffs: tuple[str, ...]  # SHA-256 of the sign-offs that it covers
    envelopes: tuple[Envelope, ...]


class Who(NamedTuple):
    """The owner of a signature; if there is no name, why it belongs to no allowed signer."""

    name: str
    key: str
    signed: str
    why: str = ""
    signoffs: tuple[str, ...] = ()  # that it covers


def sign(bundle: Bundle, key: str | Path, signoffs: Sequence[str] = ()) -> Signature:
    """Sign a verified bundle, in a file beside what the audit wrote; a file of the same key is replaced.

    Args:
        bundle: one that was verified.
        key: the private key: a file of SSH, or its public key where an agent holds the private one; or ed25519 in PEM.
        signoffs: SHA-256 of the sign-offs of the bundle.

    Raises:
        PlanError: if the audit is not complete, or there is no such key.
    """
    path = Path(key)
    if not bundle.complete:
        raise PlanError(
            f"{bundle.name} is {bundle.manifest.status}; run the same audit again to complete it, then sign it"
        )
    _check_there(path)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    payloads = statements(bundle.manifest, now, signoffs)
    envelopes = enveloped(payloads, path)
    place = place_of(bundle, FOLDER)
    name = hashlib.sha256(envelopes[0].keyid.encode()).hexdigest()[:16] + ENDING
    files.replace(place / name, "".join(envelope.write(each) + "\n" for each in envelopes).encode())
    return _read(bundle, f"{FOLDER}/{name}")


def signatures(bundle: Bundle) -> tuple[Signature, ...]:
    """The signatures beside a bundle. Their statements follow from the bundle; the keys are not checked here.

    Raises:
        IntegrityError: if one is not what `sign` writes, or is about another bundle.
    """
    place = bundle.folder / FOLDER
    if place.is_symlink():
        raise IntegrityError(f"{FOLDER} of {bundle.folder.name} points outside the bundle; it was not opened")
    there = sorted(path.name for path in place.glob(f"*{ENDING}")) if place.is_dir() else []
    if len(there) > MOST:
        raise IntegrityError(f"{bundle.folder.name} has {len(there)} signatures, and at most {MOST} are read")
    return tuple(_read(bundle, f"{FOLDER}/{name}") for name in there)


def who(found: Signature, signers: Signers) -> Who:
    """Whose a signature is, by those who may sign.

    Raises:
        IntegrityError: if it was made over anything else, whoever made it.
    """
    names = []
    for each in found.envelopes:
        try:
            name, why = signers.named(each)
        except IntegrityError as error:
            raise IntegrityError(f"{found.file}: {error}") from None
        if not name:
            return Who("", found.key, found.signed, why)
        names.append(name)
    return Who(names[0], found.key, found.signed, signoffs=found.signoffs)


def place_of(bundle: Bundle, folder: str) -> Path:
    """The folder in a bundle for signatures of a kind."""
    place = bundle.folder / folder
    if place.is_symlink():
        raise PlanError(f"{place} is a link; remove it, as nothing is written outside the bundle")
    place.mkdir(exist_ok=True)
    return place


def _check_there(key: Path) -> None:
    if not key.is_file():
        raise PlanError(f"there is no key {key}; `ssh-keygen -t ed25519 -f {key}` makes one")


def key_in(file: Path) -> str:
    """The fingerprint of a private key, before anything is signed with it."""
    _check_there(file)
    return ssh.fingerprint_of(pem.public(file)) if pem.reads(file) else ssh.fingerprint_in(file)


def enveloped(payloads: Sequence[bytes], key: Path) -> list[Envelope]:
    """The payloads, each signed: by openssl with a key of ed25519 in PEM, by ssh-keygen with any other."""
    messages = [envelope.encoded(envelope.TYPE, payload) for payload in payloads]
    if pem.reads(key):
        made, keyid = [pem.sign(message, key) for message in messages], ssh.fingerprint_of(pem.public(key))
    else:
        made = [ssh.sign(message, key) for message in messages]
        keyid = ssh.fingerprint(made[0], f"the signature of {key}")
    return [Envelope(payload, keyid, signature) for payload, signature in zip(payloads, made, strict=True)]


def _read(bundle: Bundle, file: str) -> Signature:
    shown = f"{file} of {bundle.folder.name}"
    data = files.content(bundle.folder, file, LARGEST)
    lines = data.split(b"\n")
    if len(lines) != 3 or lines[2]:
        raise IntegrityError(f"{shown} is damaged: it does not have the two lines that `probe sign` writes")
    envelopes = tuple(envelope.read(line, shown) for line in lines[:2])
    keys = {key_of(each, shown) for each in envelopes}
    if len(keys) > 1:
        raise IntegrityError(f"{shown} has statements that are signed with different keys")
    signed, signoffs = _says(bundle, envelopes, shown)
    return Signature(file, keys.pop(), signed, signoffs, envelopes)


def key_of(found: Envelope, shown: str) -> str:
    """The fingerprint of the key of an envelope, which must be the one that it names."""
    if found.outside_ssh:  # only the public key tells whose it is, and `who` has it
        if not pem.FINGERPRINT.fullmatch(found.keyid):
            raise IntegrityError(f"{shown} has no fingerprint of a key: {found.keyid!r:.80}")
        return found.keyid
    key = ssh.fingerprint(found.signature, shown)
    if found.keyid != key:
        raise IntegrityError(f"{shown} names the key {found.keyid!r:.80}, but is signed with {key}")
    return key


def _says(bundle: Bundle, envelopes: Sequence[Envelope], shown: str) -> tuple[str, tuple[str, ...]]:
    """Time and sign-offs of statements that otherwise say what the bundle gives."""
    first, second = (parse(each.payload, shown) for each in envelopes)
    for document, kind in ((first, AUDIT), (second, TEST_RESULT)):
        if (document.get("_type"), document.get("predicateType")) != (STATEMENT, kind):
            raise IntegrityError(f"{shown} does not contain a statement of type {kind}, which `probe sign` writes")
        check_subject(bundle, document.get("subject"), shown)
    predicate = first.get("predicate")
    told = predicate if isinstance(predicate, dict) else {}
    signed, signoffs = told.get("signed"), told.get("signoffs")
    covered: list[Any] = signoffs if isinstance(signoffs, list) else [None]
    listed = all(isinstance(sha, str) and SHA.fullmatch(sha) for sha in covered)
    if not (isinstance(signed, str) and is_time(signed) and listed):
        raise IntegrityError(f"{shown} does not say when it was signed, or which sign-offs it covers")
    if tuple(each.payload for each in envelopes) != statements(bundle.manifest, signed, covered):
        raise IntegrityError(f"{shown} does not state what the bundle states")
    return signed, tuple(covered)


def is_time(text: str) -> bool:
    """Whether a text is a moment that exists, written as `sign` writes it."""
    try:
        return TIME.fullmatch(text) is not None and datetime.fromisoformat(text) is not None
    except ValueError:
        return False


def check_subject(bundle: Bundle, found: Any, shown: str) -> None:
    """Raise IntegrityError unless a statement is about weights, data and manifest of this bundle."""
    expected = subjects(bundle.manifest)
    if found == [{"name": name, "digest": {"sha256": sha}} for name, sha in expected.items()]:
        return
    for each in found if isinstance(found, list) else []:
        name, digest = (each.get("name"), each.get("digest")) if isinstance(each, dict) else (None, None)
        sha = digest.get("sha256") if isinstance(digest, dict) else None
        if isinstance(name, str) and name in expected and sha != expected[name]:
            raise IntegrityError(
                f"{shown} belongs to another bundle: its {name} is {sha!s:.64}, expected {expected[name]}"
            )
    raise IntegrityError(f"{shown} is not about weights, data and manifest of this bundle")
