"""Rows that people bring or edit are checked like any data, and stay within the space."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from tests.lab.subjects import FORMS, ask, opened, refusal


@pytest.fixture(scope="module")
def people():
    return opened(*FORMS["table"]())


@pytest.fixture(scope="module")
def texts():
    return opened(*FORMS["tokens"]())


@pytest.fixture(scope="module")
def pictures():
    return opened(*FORMS["images"]())


def photo(size=(9, 7), kind="PNG"):
    held = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(held, kind)
    return np.frombuffer(held.getvalue(), np.uint8)


OWN = {
    "cells": {"cells": {"age": "41", "colour": "blue", "sex": "male"}},
    "numbers": {"cells": {"age": 41, "colour": "blue", "sex": "male"}},
    "csv": {"csv": "41,blue,male"},
    "csv with a header": {"csv": "sex,age,colour\nmale,41,blue"},
    "edits": {"row": 0, "edits": {"age": "41", "colour": "blue", "sex": "male"}},
}


@pytest.mark.parametrize("row", OWN.values(), ids=list(OWN))
def test_a_row_of_ones_own_is_the_row_of_the_data_with_those_values(people, row):
    record, arrays = ask(people, {"ask": "answer", "row": row})
    assert np.array_equal(arrays["inputs"], people.data.inputs[1].numpy())
    assert record["input"]["words"] == ["41", "blue", "male"]
    assert "label" not in record["answer"]


REFUSED = {
    "no way": ({}, "a row is named by one of"),
    "two ways": ({"row": 1, "csv": "1"}, "row and csv came"),
    "no such row": ({"row": 99}, "row 99 is not one of the 8 rows"),
    "no whole row": ({"row": 1.5}, "whole number"),
    "a level that is none": ({"cells": {"age": "41", "colour": "green", "sex": "male"}}, "'red', 'blue'"),
    "out of bounds": ({"csv": "14,blue,male"}, r"\[17, 90\]"),
    "not whole": ({"csv": "41.5,blue,male"}, "expected a whole number"),
    "a word for a number": ({"csv": "old,blue,male"}, "age"),
    "an empty cell": ({"csv": ",blue,male"}, "empty"),
    "a cell too few": ({"csv": "41,blue"}, "cells|column|fields|values"),
    "two rows": ({"csv": "41,blue,male\n41,blue,male\n41,blue,male"}, "3 lines"),
    "a feature too few": ({"cells": {"age": "41", "colour": "blue"}}, "lacks 'sex'"),
    "a feature too many": ({"cells": {"agee": "41"}}, "did you mean 'age'"),
    "an edit of nothing": ({"row": 1, "edits": {"agee": "41"}}, "did you mean 'age'"),
    "an edit to no level": ({"row": 1, "edits": {"sex": "femal"}}, "did you mean 'female'"),
    "an edit that is no number": ({"row": 1, "edits": {"age": "old"}}, "expected a number"),
    "an edit that is infinite": ({"row": 1, "edits": {"age": "inf"}}, "expected a number"),
    "an edit that is not whole": ({"row": 1, "edits": {"age": "40.5"}}, "whole number"),
    "an edit out of bounds": ({"row": 1, "edits": {"age": "400"}}, r"\[17, 90\]"),
    "edits of nothing": ({"row": 1, "edits": [1]}, "edits"),
    "a text": ({"text": "hello"}, "reads no texts"),
    "an image": ({"image": "mine"}, "came with none"),
    "half a pair": ({"csv": "\ud800,blue,male"}, "age"),
    "another key": ({"path": "/etc/passwd"}, "no setting 'path'"),
}


@pytest.mark.parametrize(("row", "said"), REFUSED.values(), ids=list(REFUSED))
def test_an_invalid_row_is_refused_in_a_sentence(people, row, said):
    import re

    sentence = refusal(people, {"ask": "answer", "row": row})
    assert re.search(said, sentence), sentence


def test_an_array_of_another_kind_is_refused(people):
    def said(array):
        return refusal(people, {"ask": "answer", "row": {"array": "mine"}}, {"mine": array})

    row = people.data.inputs[0].numpy()
    assert "shape" in said(row[:3])
    assert "NaN" in said(row * np.nan)
    assert "numbers" in said(np.array(["a"] * 5))
    assert "expected numbers" in said(row.astype(complex))
    assert "is a category" in said(np.array([40, 0.5, 0.5, 1, 0], dtype=np.float32))


@pytest.mark.parametrize("dtype", [">f4", np.longdouble, np.float64, np.int16, np.uint64])
def test_an_array_is_taken_in_whatever_type_its_numbers_come(people, dtype):
    row = people.data.inputs[1].numpy()
    _, arrays = ask(people, {"ask": "answer", "row": {"array": "mine"}}, {"mine": row.astype(dtype)})
    assert np.array_equal(arrays["inputs"], row)


def test_an_array_that_is_rounded_says_so(pictures):
    row = pictures.data.inputs[1].numpy().astype(np.float64)
    for array, said in ((row, []), (row * 0.9, ["its numbers are rounded to float32"])):
        record, _ = ask(pictures, {"ask": "answer", "row": {"array": "mine"}}, {"mine": array})
        assert record["input"]["said"] == said


def test_token_ids_must_be_whole_numbers(texts):
    def asked(array):
        return {"ask": "answer", "row": {"array": "mine"}}, {"mine": array}

    _, arrays = ask(texts, *asked(np.array([2.0, 4.0, 0.0, 0.0])))
    assert arrays["inputs"].tolist() == [2, 4, 0, 0]
    for odd in (0.5, np.nan, np.inf):
        assert "whole numbers" in refusal(texts, *asked(np.array([2, 4, 0, odd])))
    assert "bounds" in refusal(texts, *asked(np.array([2, 4, 0, 7])))


def test_an_edit_shows_both_answers_and_how_far_it_is(people):
    request = {
        "ask": "edit",
        "row": {"row": 0, "edits": {"age": "43", "colour": "blue"}},
        "explainer": "input_x_gradient",
    }
    record, arrays = ask(people, request)
    edited = people.data.inputs[:1].clone()
    edited[0, :3] = edited.new_tensor([43.0, 0.0, 1.0])
    assert np.array_equal(arrays["edited"], edited[0].numpy())
    assert np.array_equal(arrays["before_logits"], people.model.logits(people.data.inputs[:1]).numpy())
    assert np.array_equal(arrays["logits"], people.model.logits(edited).numpy())
    assert record["changed"] == [
        {"name": "age", "before": "30", "after": "43"},
        {"name": "colour", "before": "red", "after": "blue"},
    ]
    assert record["lengths"]["linf"] == pytest.approx(1.0)
    assert arrays["values"].shape == arrays["after_values"].shape == (5,)


def test_an_edit_of_nothing_is_refused(people):
    assert "nothing is edited" in refusal(people, {"ask": "edit", "row": {"row": 0}})


def test_a_word_is_replaced_by_one_that_the_model_knows(texts):
    record, arrays = ask(texts, {"ask": "edit", "row": {"row": 1, "edits": {"0": "good"}}})
    assert arrays["edited"].tolist() == [2, 4, 5, 0]
    assert record["changed"] == [{"name": "word 0", "before": "bad", "after": "good"}]
    for edits, said in (
        ({"0": "goood"}, "did you mean 'good'"),
        ({"3": "good"}, "there is no word at place 3"),
        ({"4": "good"}, "not the place of a word"),
        ({"0": "(unknown)"}, "is a special token and cannot replace a word"),
    ):
        assert said in refusal(texts, {"ask": "edit", "row": {"row": 1, "edits": edits}})


def test_a_text_becomes_the_ids_that_the_model_reads(texts):
    record, arrays = ask(texts, {"ask": "answer", "row": {"text": "A Fine, dull FILM"}})
    assert arrays["inputs"].tolist() == [1, 6, 5, 4]
    assert record["input"]["said"] == ["1 of its words are unknown to the model"]
    assert "no word that the model knows" in refusal(texts, {"ask": "answer", "row": {"text": "..."}})


def test_an_image_file_is_read_as_a_folder_of_images_is(pictures, tmp_path):
    from probe import from_folder

    content = photo()
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.png").write_bytes(content.tobytes())
    expected = from_folder(tmp_path, size=(4, 4), channels=1).inputs[0].numpy()
    _, arrays = ask(pictures, {"ask": "answer", "row": {"image": "mine"}}, {"mine": content})
    assert np.array_equal(arrays["inputs"], expected)


def test_a_file_that_is_not_an_image_is_refused(pictures, monkeypatch):
    def said(content):
        return refusal(pictures, {"ask": "answer", "row": {"image": "mine"}}, {"mine": content})

    assert "cannot be read as an image" in said(np.frombuffer(b"hello", np.uint8))
    assert "cannot be read as an image" in said(photo()[:80])
    assert "bytes of its file" in said(np.zeros((2, 2)))
    monkeypatch.setattr("probe.images.decoding.PIXELS", 50)
    assert "9" in said(photo())
    assert "0x" not in said(np.frombuffer(b"hello", np.uint8)), "an address in memory says nothing"


FLIP = {"ask": "flip", "row": {"row": 0}, "attribute": "sex", "proxies": 1}


def test_a_flip_changes_the_attribute_alone_and_with_its_proxies(people):
    record, arrays = ask(people, FLIP)
    assert record["value"] == "female"
    assert [each["proxies"] for each in record["flips"]] == [[], ["colour"]]
    alone, together = record["flips"]
    assert [each["name"] for each in alone["changed"]] == ["sex"]
    assert [each["name"] for each in together["changed"]] == ["colour", "sex"]
    assert together["from_row"] in (1, 2, 5), "a row of the other sex"
    for at in range(2):
        direct = people.model.logits(torch.from_numpy(arrays["edited"][at : at + 1]))
        assert np.array_equal(arrays["logits"][at], direct[0].numpy())


def test_dependence_has_the_stated_measure(people):
    record, _ = ask(people, FLIP)
    found = {each["name"]: each for each in record["dependence"]}
    assert list(found) == ["colour", "age"]
    # Of 8 rows 7 agree: chi2 / n = (8 x 3 x 3 ... ) / n, by hand 0.6.
    table = np.array([[4, 1], [0, 3]])
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / 8
    assert found["colour"]["value"] == pytest.approx(np.sqrt(((table - expected) ** 2 / expected).sum() / 8))
    assert found["colour"]["measure"] == "Cramér's V"
    assert "Cramér's V" in record["measured"]


def test_a_group_that_is_no_feature_is_flipped_by_its_proxies(people):
    record, _ = ask(people, {**FLIP, "attribute": "region"})
    assert not record["is_feature"]
    assert record["flips"][0]["changed"] == []
    assert record["flips"][1]["proxies"]


@pytest.mark.parametrize(
    ("other", "said"),
    [({"attribute": "sexx"}, "did you mean 'sex'"), ({"attribute": "age"}, "is a number"), ({"to": "femal"}, "cannot")],
)
def test_an_attribute_that_cannot_be_flipped_is_refused(people, other, said):
    assert said in refusal(people, FLIP | other)


def test_only_tables_are_flipped(pictures):
    assert "tables" in refusal(pictures, FLIP)
