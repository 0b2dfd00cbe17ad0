"""Several labels, and numbers, in tables, arrays and texts."""

import numpy as np
import pandas as pd
import pytest
import torch

from probe import Dataset, MultiLabel, Regression, Space, from_csv, from_npz
from probe.errors import DataError
from probe.images import Keys
from probe.tables import Texts, texts_from_csv

FRAME = pd.DataFrame({"a": [0.1, 0.2, 0.3], "warm": [True, False, True], "wet": [0, 0, 1], "mood": ["no", "yes", "no"]})
TRUE = [[1, 0], [0, 0], [1, 1]]


def test_columns_of_0_and_1_alone_are_several_labels():
    data = Dataset.from_frame(FRAME, label=["warm", "wet"], features=["a"])
    assert (data.labels.tolist(), data.classes) == (TRUE, ("warm", "wet"))
    with pytest.raises(DataError, match=r"label names 2 columns.*task=MultiLabel\(\)"):
        Dataset.from_frame(FRAME, label=["wet", "mood"], features=["a"])


def test_a_label_of_two_texts_is_read_by_its_two_values():
    said = {"task": MultiLabel(), "features": ["a"]}
    with pytest.raises(DataError, match=r"'no', expected 0 or 1.*name its two values in categories"):
        Dataset.from_frame(FRAME, label=["warm", "mood"], **said)
    data = Dataset.from_frame(FRAME, label=["warm", "mood"], categories={"mood": ["no", "yes"]}, **said)
    assert data.labels.tolist() == [[1, 0], [0, 1], [1, 0]]
    with pytest.raises(DataError, match="holds 'yes', expected 'no' or 'maybe'"):
        Dataset.from_frame(FRAME, label=["mood"], categories={"mood": ["no", "maybe"]}, **said)
    with pytest.raises(DataError, match="categories names the values of 'mod', which is no feature"):
        Dataset.from_frame(FRAME, label="mood", features=["a"], categories={"mod": ["no"]})


def test_a_csv_file_has_several_labels(tmp_path):
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    assert from_csv(tmp_path / "t.csv", label=["warm", "wet"], features=["a"]).labels.tolist() == TRUE


def test_texts_have_several_labels_or_numbers(tmp_path):
    table = FRAME.assign(text=["one", "two words", "and three words"])
    table.to_csv(tmp_path / "t.csv", index=False)
    texts = Texts(
        "text",
        lambda rows: (torch.tensor([[len(row.split())] for row in rows]), ("3 texts are short",)),
        Space(bounds=(0, 9)),
    )
    data = texts_from_csv(tmp_path / "t.csv", texts, label=["warm", "wet"], task=MultiLabel())
    assert (data.labels.tolist(), data.classes, data.inputs.tolist()) == (TRUE, ("warm", "wet"), [[1], [2], [3]])
    assert data.notices == ("t.csv, column 'text': 3 texts are short",)
    numbers = texts_from_csv(tmp_path / "t.csv", texts, label=["a"], task=Regression())
    torch.testing.assert_close(numbers.labels, torch.tensor([0.1, 0.2, 0.3]))


@pytest.fixture
def npz(tmp_path):
    true = np.array(TRUE)
    np.savez(
        tmp_path / "t.npz",
        inputs=np.random.default_rng(0).random((3, 1, 4, 4)),
        labels=true, warm=true[:, 0].astype(bool), wet=true[:, 1], price=[0.5, 1, 2.5], kinds=[[0, 1], [2, 1], [0, 0]],
    )  # fmt: skip
    return tmp_path / "t.npz"


def test_arrays_have_several_labels_or_numbers(npz):
    assert from_npz(npz).labels.tolist() == TRUE
    assert from_npz(npz).classes == ("label 0", "label 1")
    assert from_npz(npz, classes=["warm", "wet"]).classes == ("warm", "wet")
    named = from_npz(npz, keys=Keys(labels=("warm", "wet")))
    assert (named.labels.tolist(), named.classes) == (TRUE, ("warm", "wet"))
    prices = from_npz(npz, keys=Keys(labels="price"), task=Regression())
    assert (prices.labels.tolist(), prices.classes) == ([0.5, 1.0, 2.5], ())


@pytest.mark.parametrize(("said", "message"), [
    ({"keys": Keys(labels="kinds")}, r"each row has one class: \(rows,\).*task=MultiLabel\(\)"),
    ({"keys": Keys(labels="kinds"), "task": MultiLabel()}, "hold 2, expected 0 or 1"),
    ({"keys": Keys(labels=("warm", "kinds"))}, r"kinds of t.npz has shape \(3, 2\), expected \(3,\): a col"),
    ({"classes": ["a", "b", "c"]}, "2 labels for each row, and 3 are named"),
    ({"keys": Keys(labels="price"), "task": Regression(), "classes": ["a"]}, "of t.npz are numbers; leave it out"),
])  # fmt: skip
def test_arrays_that_are_no_such_labels_are_refused(npz, said, message):
    with pytest.raises(DataError, match=message):
        from_npz(npz, **said)
