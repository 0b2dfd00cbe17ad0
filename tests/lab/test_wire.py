"""Frames that come from anybody: bounded before memory is taken, and one sentence whatever is wrong with them."""

import json
import socket
import struct
import threading

import numpy as np
import pytest

from probe import npz
from probe.lab import wire
from probe.lab.wire import DESK, HEAD, MARK, MOST_ARRAYS, MOST_TEXT, WORKER, Closed, WireError, prove, receive, send


@pytest.fixture
def pair():
    one, other = socket.socketpair()
    one.settimeout(5.0)
    other.settimeout(5.0)
    with one, other:
        yield one, other


def frame(text, packed=b""):
    return HEAD.pack(MARK, len(text), len(packed)) + text + packed


def test_a_frame_arrives_as_it_was_sent(pair):
    arrays = {"values": np.array([1.5, np.nan, np.inf], dtype=np.float32), "words": np.array(["a", "\u202e"])}
    send(pair[0], {"id": 1, "text": "\ud800 \u202e", "number": 0.1}, arrays)
    record, found = receive(pair[1])
    assert record == {"id": 1, "text": "\ud800 \u202e", "number": 0.1}
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], arrays[name], equal_nan=name == "values") for name in arrays)
    assert found["values"].dtype == np.float32


HOSTILE = {
    "text too long": (HEAD.pack(MARK, MOST_TEXT + 1, 0), "expected 16,777,216"),
    "arrays too large": (HEAD.pack(MARK, 2, 2**63) + b"{}", "at most"),
    "another program": (b"GET / HTTP/1.1\r\n\r\n", "another program"),
    "no JSON": (frame(b"{nonsense"), "not JSON"),
    "no UTF-8": (frame(b"\xff\xfe\xfd\x00\x01"), "not JSON"),
    "NaN": (frame(b'{"a": NaN}'), "NaN is no number"),
    "infinity": (frame(b'{"a": -Infinity}'), "-Infinity is no number"),
    "a number beyond floats": (frame(b'{"a": 1e999}'), "not finite"),
    "too many digits": (frame(b'{"a": ' + b"9" * 5000 + b"}"), "not JSON"),
    "nested deeply": (frame(b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"), "nested too deeply"),
    "a list": (frame(b"[1]"), "a record is a list"),
    "no archive": (frame(b"{}", b"nonsense"), "cannot be read"),
}


@pytest.mark.parametrize(("sent", "said"), HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_frame_is_refused_in_a_sentence(pair, sent, said):
    pair[0].sendall(sent)
    with pytest.raises(WireError, match=said):
        receive(pair[1])


def test_pickles_are_not_opened(pair):
    import io

    held = io.BytesIO()
    np.savez(held, it=np.array([{"a": 1}], dtype=object))
    pair[0].sendall(frame(b"{}", held.getvalue()))
    with pytest.raises(WireError, match="object"):
        receive(pair[1])


def test_arrays_that_unpack_to_more_than_a_frame_may_hold_are_not_unpacked(pair, monkeypatch):
    monkeypatch.setattr(wire, "MOST_ARRAYS", 2**16)
    packed = npz.pack({"zeros": np.zeros(2**17)})
    assert len(packed) < 2**16
    pair[0].sendall(frame(b"{}", packed))
    with pytest.raises(WireError, match="unpacks to more"):
        receive(pair[1])


def test_a_truncated_frame_closes_the_connection(pair):
    pair[0].sendall(frame(b'{"id": 1}')[:-3])
    pair[0].close()
    with pytest.raises(Closed, match="in the middle"):
        receive(pair[1])


def test_a_header_takes_no_memory_for_what_it_announces(pair):
    pair[0].sendall(HEAD.pack(MARK, MOST_TEXT, MOST_ARRAYS))
    pair[0].shutdown(socket.SHUT_WR)
    with pytest.raises(Closed):
        receive(pair[1])


@pytest.mark.parametrize("record", [{"a": float("nan")}, {"a": object()}, {"a": {1, 2}}])
def test_a_record_that_is_not_json_is_not_sent(pair, record):
    with pytest.raises(WireError, match="cannot be sent"):
        send(pair[0], record)


def test_both_sides_prove_that_they_know_the_secret(pair):
    other = threading.Thread(target=prove, args=(pair[1], b"s" * 32, WORKER))
    other.start()
    prove(pair[0], b"s" * 32, DESK)
    other.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_peer_without_the_secret_gets_no_answer(pair):
    other = threading.Thread(target=prove, args=(pair[1], b"t" * 32, WORKER))
    other.start()
    with pytest.raises(WireError, match="secret"):
        prove(pair[0], b"s" * 32, DESK)
    other.join()


def test_a_proof_of_the_secret_cannot_be_replayed(pair):
    """Whoever answers each challenge with what was sent to them knows nothing."""

    def echo():
        challenge = pair[1].recv(32)
        pair[1].sendall(challenge)
        pair[1].sendall(pair[1].recv(32))

    other = threading.Thread(target=echo)
    other.start()
    with pytest.raises(WireError, match="secret"):
        prove(pair[0], b"s" * 32, DESK)
    other.join()


def test_the_header_of_a_frame_has_its_declared_length():
    assert struct.calcsize(">4sIQ") == HEAD.size == 16
    assert json.loads(b"{}") == {}
