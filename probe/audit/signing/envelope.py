"""The envelope of DSSE: a payload, and a signature over its type and its bytes together."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from probe.audit.canonical import parse
from probe.errors import IntegrityError

TYPE = "application/vnd.in-toto+json"
NAMESPACE = "probe-audit"  # so that a signature made for git or for mail is none of an audit
BARE = 64  # bytes of a signature of ed25519; one of SSH is longer
KEYS = {"payload", "payloadType", "signatures"}


@dataclass(frozen=True)
class Envelope:
    """A payload with the signature over it."""

    payload: bytes
    keyid: str
    signature: bytes

    @property
    def signed(self) -> bytes:
        """What the signature is over."""
        return encoded(TYPE, self.payload)

    @property
    def outside_ssh(self) -> bool:
        """Whether the signature is a bare one of ed25519, which does not hold its public key."""
        return len(self.signature) == BARE


def encoded(kind: str, payload: bytes) -> bytes:
    """The bytes that are signed (PAE of DSSE v1): no payload can pass for one of another type or length.

    >>> encoded("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def write(envelope: Envelope) -> str:
    """An envelope as one line of JSON."""
    document = {
        "payload": base64.b64encode(envelope.payload).decode(),
        "payloadType": TYPE,
        "signatures": [{"keyid": envelope.keyid, "sig": base64.b64encode(envelope.signature).decode()}],
    }
    return json.dumps(document)


def read(line: bytes, shown: str) -> Envelope:
    """The envelope in a line of JSON.

    Raises:
        IntegrityError: if it is not what `write` writes.
    """
    document = parse(line, shown)
    if document.keys() != KEYS or document["payloadType"] != TYPE:
        raise IntegrityError(f"{shown} is not a DSSE envelope with a payload of type {TYPE}")
    found = document["signatures"]
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
        many = f"{len(found)} signatures" if isinstance(found, list) else "no list of signatures"
        raise IntegrityError(f"{shown} has {many}; `probe sign` writes one in each file, and a file for each key")
    if found[0].keys() != {"keyid", "sig"} or not isinstance(found[0]["keyid"], str):
        raise IntegrityError(f"{shown} has a signature without the id of its key")
    payload, signature = (_decoded(text, shown) for text in (document["payload"], found[0]["sig"]))
    envelope = Envelope(payload, found[0]["keyid"], signature)
    if line.decode() != write(envelope):
        raise IntegrityError(f"{shown} is not written as `probe sign` writes it")
    return envelope


def _decoded(text: Any, shown: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise IntegrityError(f"{shown} is not valid base64") from None
