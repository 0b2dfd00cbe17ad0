"""The signatures beside a bundle: made, found, and compared with the allowed signers."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from probe.audit import beside, files
from probe.audit.bundle import Bundle
from probe.audit.canonical import parse
from probe.audit.signing import envelope, keys, pem, ssh
from probe.audit.signing.envelope import Envelope
from probe.audit.signing.signers import Signers
from probe.audit.signing.statements import AUDIT, STATEMENT, TEST_RESULT, statements, subjects
from probe.errors import IntegrityError, PlanError

FOLDER, ENDING = "signatures", ".intoto.jsonl"
LARGEST = 2**24  # bytes of a file
MOST = 100  # files
SHA = re.compile("[0-9a-f]{64}")


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
    if not bundle.complete:
        raise PlanError(
            f"{bundle.name} is {bundle.manifest.status}; run the same audit again to complete it, then sign it"
        )
    envelopes = keys.opened(key).enveloped(statements(bundle.manifest, beside.now(), signoffs))
    place = beside.place_of(bundle, FOLDER)
    name = hashlib.sha256(envelopes[0].keyid.encode()).hexdigest()[:16] + ENDING
    files.replace(place / name, "".join(envelope.write(each) + "\n" for each in envelopes).encode())
    return _read(bundle, f"{FOLDER}/{name}")


def signatures(bundle: Bundle) -> tuple[Signature, ...]:
    """The signatures beside a bundle. Their statements follow from the bundle; the keys are not checked here.

    Raises:
        IntegrityError: if one is not what `sign` writes, or is about another bundle.
    """
    there = beside.listed(bundle, FOLDER, ENDING, "signatures", MOST)
    found = tuple(_read(bundle, f"{FOLDER}/{name}") for name in there)
    check_apart(bundle, found)
    return found


def check_apart(bundle: Bundle, found: Sequence[Signature]) -> None:
    """Raise IntegrityError if two files are signed with one key: they would pass for two people."""
    seen: dict[str, str] = {}
    for each in found:
        if (first := seen.setdefault(each.key, each.file)) != each.file:
            raise IntegrityError(f"{first} and {each.file} of {bundle.folder.name} are signed with one key, {each.key}")


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
    if not (isinstance(signed, str) and beside.is_time(signed) and listed):
        raise IntegrityError(f"{shown} does not say when it was signed, or which sign-offs it covers")
    if tuple(each.payload for each in envelopes) != statements(bundle.manifest, signed, covered):
        raise IntegrityError(f"{shown} does not state what the bundle states")
    beside.check_time(bundle, signed, shown)
    return signed, tuple(covered)


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
