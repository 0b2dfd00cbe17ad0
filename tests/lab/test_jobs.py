"""Answers that are kept are bounded, and known by what was asked."""

import numpy as np

from probe.lab.jobs import Answer, Kept, digest


def answer(size):
    return Answer({}, {"it": np.zeros(size, dtype=np.uint8)})


def test_the_least_recently_used_answers_are_evicted():
    kept = Kept(1000)
    for name in "abc":
        kept.keep("model", name, answer(300))
    assert kept.get("model", "a") is not None
    kept.keep("model", "d", answer(300))
    assert kept.get("model", "b") is None
    assert [kept.get("model", name) is not None for name in "acd"] == [True, True, True]
    kept.keep("model", "e", answer(2000))
    assert kept.get("model", "e") is None
    assert len(kept) == 3


def test_cached_answers_of_a_changed_model_are_dropped():
    kept = Kept(1000)
    kept.keep("one", "a", answer(10))
    kept.keep("other", "a", answer(10))
    kept.forget("one")
    assert kept.get("one", "a") is None
    assert kept.get("other", "a") is not None


def test_different_requests_have_different_digests():
    row = {"ask": "answer", "row": {"array": "it"}}
    known = digest(row, {"it": np.array([1.0, 2.0])})
    assert digest(dict(reversed(row.items())), {"it": np.array([1.0, 2.0])}) == known
    assert digest(row, {"it": np.array([1.0, 2.5])}) != known
    assert digest(row, {"it": np.array([1.0, 2.0], dtype=np.float32)}) != known
    assert digest({**row, "more": 1}, {"it": np.array([1.0, 2.0])}) != known
