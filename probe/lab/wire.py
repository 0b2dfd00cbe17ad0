"""Frames between desk and worker: a JSON record and .npz arrays, with sizes checked before memory is allocated.

A frame has a mark (4 bytes), the length of its record (4 bytes) and of its arrays (8 bytes), then both. Before the
first frame, each side proves that it knows the secret that the desk gave the worker.
"""

import hmac
import json
import os
import socket
import struct
from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn

from probe import npz
from probe.errors import ProbeError
from probe.names import a_kind

MARK = b"prb1"
HEAD = struct.Struct(">4sIQ")
MOST_TEXT = 2**24  # bytes of a record
MOST_ARRAYS = 2**28  # bytes of arrays, compressed or not
NONCE = 32  # bytes of a proof
DESK, WORKER = b"desk", b"worker"  # the two sides

Record = dict[str, Any]


class WireError(ProbeError):
    """The received data is not a valid frame, or came from another peer."""


class Closed(ProbeError):
    """The other side has ended."""


def send(connection: socket.socket, record: Mapping[str, Any], arrays: Mapping[str, Any] | None = None) -> None:
    """Send a frame.

    Raises:
        WireError: if it is too large, or its record is not JSON.
        Closed: if the other side has ended.
    """
    try:
        text = json.dumps(record, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(f"a record cannot be sent: {error}") from None
    packed = npz.pack(arrays) if arrays else b""
    _check_sizes(len(text), len(packed))
    try:
        connection.sendall(HEAD.pack(MARK, len(text), len(packed)) + text + packed)
    except OSError as error:
        raise Closed(f"the other side has ended: {error.strerror or error}") from None


def receive(connection: socket.socket) -> tuple[Record, npz.Arrays]:
    """The next frame.

    Raises:
        WireError: if it is not a valid frame, or too large.
        Closed: if the other side has ended.
    """
    mark, text, packed = HEAD.unpack(_read(connection, HEAD.size))
    if mark != MARK:
        raise WireError(f"a frame begins with {MARK!r}, and this with {mark!r}; the other side is another program")
    _check_sizes(text, packed)
    record = _record(_read(connection, text))
    return record, _arrays(_read(connection, packed)) if packed else {}


def prove(connection: socket.socket, secret: bytes, who: bytes) -> None:
    """Mutual authentication: both sides prove that they know the secret.

    Raises:
        WireError: if the other side does not know it.
        Closed: if it has ended.
    """
    other = WORKER if who == DESK else DESK
    mine = os.urandom(NONCE)
    try:
        connection.sendall(mine)
        theirs = _read(connection, NONCE)
        connection.sendall(_proof(secret, who, theirs, mine))
    except OSError as error:
        raise Closed(f"the other side has ended: {error.strerror or error}") from None
    if not hmac.compare_digest(_read(connection, NONCE), _proof(secret, other, mine, theirs)):
        raise WireError("the other side does not know the secret of this lab, and is not answered")


def _proof(secret: bytes, who: bytes, asked: bytes, own: bytes) -> bytes:
    return hmac.new(secret, who + asked + own, "sha256").digest()


def _check_sizes(text: int, packed: int) -> None:
    if text > MOST_TEXT or packed > MOST_ARRAYS:
        raise WireError(
            f"a frame of {text:,} bytes of text and {packed:,} of arrays, expected {MOST_TEXT:,} and {MOST_ARRAYS:,} "
            "at most; ask for fewer rows at a time"
        )


def _read(connection: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        try:
            part = connection.recv(min(count - len(found), 2**20))
        except TimeoutError:
            raise WireError("the other side stopped in the middle of a frame") from None
        except OSError as error:
            raise Closed(f"the other side has ended: {error.strerror or error}") from None
        if not part:
            raise Closed("the other side has ended" + " in the middle of a frame" * bool(found))
        found += part
    return bytes(found)


def _record(text: bytes) -> Record:
    try:
        record = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise WireError(f"a record is not JSON: {reason}") from None
    if not isinstance(record, dict):
        raise WireError(f"a record is {a_kind(record)}, expected a table")
    return record


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:20]} is not finite")
    return number


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _arrays(packed: bytes) -> npz.Arrays:
    try:
        return npz.unpack(packed, "what came", most=MOST_ARRAYS)
    except ProbeError as error:
        raise WireError(str(error)) from None
