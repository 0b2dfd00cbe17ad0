"""A table in memory as a Dataset, and a CSV file through the same gate."""

import numpy as np
import pandas as pd
import pytest
import torch

from probe import Dataset, from_csv
from probe.errors import DataError
from probe.restored import decode

N = 40


def frame(**columns):
    return pd.DataFrame({"x": np.arange(N) / 8, "y": np.arange(N) % 2} | columns)


@pytest.fixture
def csv(tmp_path):
    def write(table, text=None):
        (tmp_path / "t.csv").write_text(text if text is not None else table.to_csv(index=False))
        return tmp_path / "t.csv"

    return write


def test_classes_that_are_numbers_are_in_order_of_their_value(csv):
    y = np.arange(240) % 12
    data = from_csv(csv(pd.DataFrame({"a": y * 1.0, "b": 0.5, "y": y})), label="y")
    assert data.classes == tuple(map(str, range(12)))
    assert data.labels.tolist() == y.tolist()


@pytest.mark.parametrize("classes", [[1, 0], ["1", "0"], ["1.0", "0.0"]])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "Int64"])
def test_labels_that_are_numbers_are_found_by_their_value_among_the_classes(classes, dtype):
    data = Dataset.from_frame(frame(y=pd.Series(np.arange(N) % 2).astype(dtype)), label="y", classes=classes)
    assert data.classes == tuple(map(str, classes))
    assert data.labels.tolist() == [1 - at % 2 for at in range(N)]


@pytest.mark.parametrize(("labels", "classes"), [
    (["1", "-1"], ("-1", "1")), (["1.5", "0.5"], ("0.5", "1.5")), (["1", "01"], ("01", "1")),
    (["True", "False"], ("False", "True")), (["None", "some"], ("None", "some")), (["b", "10"], ("10", "b")),
])  # fmt: skip
def test_labels_of_a_frame_are_class_names(csv, labels, classes):
    data = from_csv(csv(None, "a,y\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels * 3))), label="y")
    assert data.classes == classes


def test_levels_that_are_numbers_are_in_order_of_their_value():
    data = Dataset.from_frame(frame(code=pd.Series(["10", "2", "1", "2"] * 10)), label="y", features=["code"])
    assert data.space.levels == ("1", "2", "10")


WORDS = ["None", "NA", "N/A", "null", "nan", "NaN", "NULL", "n/a", "#N/A", "<NA>", " ", "?", "-"]


@pytest.mark.parametrize("word", WORDS)
def test_only_an_empty_cell_of_text_is_missing(csv, word):
    body = "".join(f"{i},{word},{word},{'yes' if i % 3 else word}\n" if i % 2 else f"{i},A,,no\n" for i in range(12))
    data = from_csv(csv(None, "x,region,group,y\n" + body), label="y", groups=["group"])
    assert data.groups["group"].isna().tolist() == [True, False] * 6
    assert set(data.groups["group"].dropna()) == {word}
    assert word in data.space.levels
    assert word in data.classes
    named = " ".join(data.notices)
    assert f"column 'group' has {word!r} in 6 rows" in named
    assert f"column 'region' has {word!r} in 6 rows" in named
    assert f"column 'y' has {word!r} in 2 rows" in named
    assert "6 of 12 rows of t.csv name no group in column 'group'" in named


def test_other_spellings_of_a_missing_cell_can_be_listed(csv):
    table = frame(sex=["F", "?", "M", "-"] * 10)
    data = from_csv(csv(table), label="y", groups=["sex"], missing=["?", "-"])
    assert data.groups["sex"].isna().sum() == 20
    again = Dataset.from_frame(table, label="y", groups=["sex"], missing=["?", "-"])
    assert again.groups["sex"].isna().sum() == 20
    with pytest.raises(DataError, match=r"missing = '\?', expected a list"):
        from_csv(csv(table), label="y", missing="?")


@pytest.mark.parametrize("values", [
    20240101 + np.arange(N), 123456789 + np.arange(N), 1_700_000_000 + np.arange(N),
    1_700_000_000.25 + np.arange(N) / 8,
    -20240101 - np.arange(N), 2**53 - np.arange(N),
])  # fmt: skip
def test_numbers_that_single_precision_would_merge_are_kept_apart(csv, values):
    data = from_csv(csv(frame(code=values)), label="y", features=["code"])
    assert data.inputs[:, 0].tolist() == values.tolist()
    assert data.inputs.dtype == torch.float64
    assert any("single precision cannot tell apart" in notice for notice in data.notices)
    data.space.check(data.inputs)


def test_ordinary_numbers_stay_in_single_precision(csv):
    values = np.random.default_rng(0).normal(size=N)
    data = from_csv(csv(frame(code=values)), label="y")
    assert data.inputs.dtype == torch.float32
    assert from_csv(csv(frame(code=values)), label="y", dtype=torch.float64).inputs[:, 1].tolist() == values.tolist()


def test_whole_numbers_beyond_double_precision_are_refused(csv):
    with pytest.raises(DataError, match="above 9,007,199,254,740,992"):
        from_csv(csv(frame(code=2**60 + np.arange(N))), label="y")


COLUMNS = {
    "int64": np.arange(N), "float64": np.arange(N) / 7, "bool": np.arange(N) % 3 == 0,
    "int8": np.arange(N, dtype=np.int8),
    "Int64": pd.array(np.arange(N), dtype="Int64"), "boolean": pd.array(np.arange(N) % 3 == 0, dtype="boolean"),
    "Float64": pd.array(np.arange(N) / 7, dtype="Float64"), "float32": (np.arange(N) / 7).astype(np.float32),
    "str": pd.Series(list("abcd") * 10), "object": pd.Series(list("abcd") * 10, dtype=object),
    "category": pd.Categorical(list("abcd") * 10, categories=list("dcbaz")),
    "ordered": pd.Categorical(list("abcd") * 10, categories=list("dcba"), ordered=True),
    "codes": pd.Categorical([3, 1, 2, 10] * 10), "halves": pd.Categorical([0.5, 1.5, 0.1, 2.5] * 10),
    "flags": pd.Categorical([True, False] * 20), "digits": pd.Series(["01", "1", "10", "2"] * 10),
    "big": 20240101 + np.arange(N), "arrow": pd.array(np.arange(N), dtype="int64[pyarrow]"),
    "arrow_text": pd.array(list("abcd") * 10, dtype="string[pyarrow]"),
}  # fmt: skip


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_value_comes_back_in_its_columns_own_type(kind):
    table = frame(code=COLUMNS[kind])
    data = Dataset.from_frame(table, label="y")
    pd.testing.assert_frame_equal(decode(data.inputs.numpy(), data.space), table[["x", "code"]])


@pytest.mark.parametrize("kind", sorted({*COLUMNS} - {"int64", "int8", "bool", "float32"}))
def test_a_missing_value_comes_back_as_missing(kind):
    table = frame(code=pd.Series(COLUMNS[kind]).where(np.arange(N) % 5 > 0))
    with pytest.raises(DataError, match="column 'code' of data has 8 empty cells"):
        Dataset.from_frame(table, label="y")
    data = Dataset.from_frame(table, label="y", allow_missing=True)
    pd.testing.assert_frame_equal(decode(data.inputs.numpy(), data.space), table[["x", "code"]])
    assert [row[1] for row in data.space.describe(data.inputs)].count("missing") == 8
    assert data.space.missing == (False, True)
    assert any("column 'code' of data has 8 empty cells" in notice for notice in data.notices)


def test_integer_codes_that_are_declared_stay_integers(csv):
    data = from_csv(csv(frame(job=np.arange(N) % 4 + 1)), label="y", categories={"job": ["4", "2", "3", "1", "9"]})
    back = decode(data.inputs.numpy(), data.space)
    assert back["job"].dtype == np.int64
    assert back["job"].tolist() == (np.arange(N) % 4 + 1).tolist()
    data = from_csv(csv(frame(job=np.arange(N) % 2 + 0.5)), label="y", categories={"job": ["0.5", "1.5"]})
    assert decode(data.inputs.numpy(), data.space)["job"].dtype == np.float64
    data = from_csv(csv(frame(job=np.arange(N) % 2 == 0)), label="y", categories={"job": ["True", "False"]})
    assert decode(data.inputs.numpy(), data.space)["job"].dtype == bool


def test_codes_of_a_column_with_missing_cells_are_found_by_their_value():
    table = frame(job=pd.Series(np.arange(N) % 4 + 1.0).where(np.arange(N) > 3))
    data = Dataset.from_frame(table, label="y", categories={"job": ["1", "2", "3", "4"]}, allow_missing=True)
    assert data.space.levels == ("", "1", "2", "3", "4", "")
    pd.testing.assert_frame_equal(decode(data.inputs.numpy(), data.space), table[["x", "job"]])


ODD = {
    "'\\?' in 1 row: if it means unknown, list it: missing = \\[\"\\?\"\\]": ["?"],
    "'NA' in 2 rows: .*missing = \\[\"NA\"\\]": ["NA", "NA"],
    "'1,200' in 1 row: decimal commas, or thousands": ["1,200"],
    "'12%' in 1 row: write 12% as 12": ["12%"],
    "'40,84' in 1 row: decimal commas; set decimal": ["40,84"],
    "'2024-01-05' in 1 row": ["2024-01-05"],
    "' ' in 1 row": [" "],
}


@pytest.mark.parametrize("message", ODD)
def test_a_column_of_numbers_with_an_odd_cell_is_refused(csv, message):
    cells = [str(i / 2) for i in range(2000)]
    cells[7 : 7 + len(ODD[message])] = ODD[message]
    table = pd.DataFrame({"score": cells, "y": np.arange(2000) % 2})
    with pytest.raises(DataError, match=f"column 'score' of t.csv holds numbers, and {message}"):
        from_csv(csv(table), label="y")
    with pytest.raises(DataError, match=f"column 'score' of data holds numbers, and {message}"):
        Dataset.from_frame(table, label="y")


def test_spellings_of_one_value_of_a_feature_are_told(csv):
    """A category f and one f with a space are two coordinates, and the model answers unlike for them."""
    table = pd.DataFrame({"sex": ["f", "m", "f ", "F", "m", "d"], "pay": range(6), "y": [0, 1] * 3})
    said = "spells what may be one value in 3 ways, each a value of its own: 'F' and 'f' and 'f '"
    for data in (from_csv(csv(table), label="y"), Dataset.from_frame(table, label="y")):
        assert [said in notice for notice in data.notices] == [True]
    assert not from_csv(csv(table[["pay", "y"]]), label="y").notices


def test_the_remedy_for_an_odd_cell_works(csv):
    table = pd.DataFrame({"score": ["?", *map(str, range(99))], "y": np.arange(100) % 2})
    for data in (
        from_csv(csv(table), label="y", missing=["?"], allow_missing=True),
        Dataset.from_frame(table, label="y", missing=["?"], allow_missing=True),
    ):
        assert data.space.kinds == ("integer",)
        assert data.inputs[1:, 0].tolist() == list(range(99))
        assert data.inputs[0].isnan().all()


COMMAS = pd.DataFrame({"score": [f"{i},5" for i in range(300)], "y": np.arange(300) % 2})


def test_decimal_commas_in_a_file_with_commas_are_named(csv):
    with pytest.raises(DataError, match=r"'0,5' in 1 row, .*decimal commas; set decimal"):
        from_csv(csv(COMMAS), label="y")
    data = from_csv(csv(None, COMMAS.to_csv(index=False, sep=";")), label="y")
    assert data.inputs[:2, 0].tolist() == [0.5, 1.5]
    assert any("decimal commas" in notice for notice in data.notices)


@pytest.mark.slow
def test_an_identifier_column_is_refused_before_memory_is_allocated():
    count = 100_000
    table = pd.DataFrame({"customer": [f"C{i}" for i in range(count)], "y": np.arange(count) % 2})
    with pytest.raises(
        DataError, match=r"'customer' of data has 100,000 different texts in 100,000 rows .*: an identifier"
    ):
        Dataset.from_frame(table, label="y")
    with pytest.raises(
        DataError, match=r"'customer' of data has 100,000 values in 100,000 rows, which would take 74 GiB"
    ):
        Dataset.from_frame(table.astype({"customer": "category"}), label="y")


def test_a_number_that_means_missing_may_be_named_as_a_number():
    table = pd.DataFrame({"age": [-9.0, 20.0, -9.0, 30.0], "y": [0, 1, 0, 1]})
    for missing in ([-9], [-9.0], ["-9"]):
        data = Dataset.from_frame(table, label="y", missing=missing, allow_missing=True)
        assert data.inputs[:, 0].isnan().tolist() == [True, False, True, False]


def test_columns_of_dates_and_of_many_texts_are_refused_with_their_own_messages():
    days = pd.date_range("2024-01-01", periods=300)
    table = pd.DataFrame(
        {"day": days.astype(str), "town": [f"T{i % 250}" for i in range(300)], "y": np.arange(300) % 2}
    )
    with pytest.raises(DataError, match=r"holds dates \('2024-01-01'"):
        Dataset.from_frame(table, label="y", features=["day"])
    with pytest.raises(DataError, match=r"250 different texts in 600 rows .*, more than 200"):
        Dataset.from_frame(pd.concat([table] * 2), label="y", features=["town"])
    with pytest.raises(DataError, match=r"holds dates; make them numbers.*leave it out of `features`"):
        Dataset.from_frame(table.assign(day=days), label="y", features=["day"])
    with pytest.raises(DataError, match=r"holds dates.*or texts with .astype\(str\), if each is a class$"):
        Dataset.from_frame(table.assign(y=days), label="y", features=["town"], categories={"town": set(table["town"])})
    few = Dataset.from_frame(table.assign(day=["2024-01-01", "2024-02-01"] * 150), label="y", features=["day"])
    assert any("holds dates such as 2024-01-01" in notice for notice in few.notices)


def test_a_column_that_numbers_the_rows_is_reported(csv):
    data = from_csv(csv(frame(id=np.arange(N) + 1)), label="y")
    assert any("column 'id' of t.csv numbers the rows" in notice for notice in data.notices)


def test_any_index_and_any_column_names_are_taken():
    table = frame(sex=["F", "M"] * 20).set_axis([3, ("a", 1), "label"], axis=1).set_index(np.arange(N)[::-1] * 7)
    data = Dataset.from_frame(table, label="label", groups=[("a", 1)])
    assert data.space.names == ("3",)
    assert list(data.groups) == ["a / 1"]
    assert data.inputs[:, 0].tolist() == (np.arange(N) / 8).tolist()
    levels = frame().set_axis(pd.MultiIndex.from_tuples([("a", "x"), ("b", "y")]), axis=1)
    assert Dataset.from_frame(levels, label=("b", "y")).space.names == ("a / x",)


@pytest.mark.parametrize(("table", "settings", "message"), [
    (frame().set_axis(["1", 1], axis=1), {"label": 1}, "2 columns called '1'"),
    (frame()[:0], {"label": "y"}, "has no rows"),
    ([1, 2], {"label": "y"}, "expected a pandas DataFrame, got a list"),
    (frame(a=pd.Series([1, "x"] * 20)), {"label": "y"}, "column 'a' of data holds ints and strs"),
    (frame(a=[b"p", b"q"] * 20), {"label": "y"}, "column 'a' of data holds bytes; make"),
    (frame(a=pd.Series([[1], [2]] * 20)), {"label": "y"}, "column 'a' of data holds lists"),
    (frame(a=1j), {"label": "y"}, "complex numbers"),
    (frame(a=pd.timedelta_range("1h", periods=N)), {"label": "y"}, "durations"),
    (frame(a=pd.cut(np.arange(N), 3)), {"label": "y"}, "intervals; make them texts"),
    (frame(a=np.inf), {"label": "y"}, "infinity"),
    (frame(), {"label": "y", "features": "x"}, "features = 'x', expected a list"),
    (frame(), {"label": "y", "features": ["x", "x"]}, "'x' is listed twice"),
    (frame(a=["p", "q"] * 20), {"label": "y", "categories": {"a": ["p", "p"]}}, "list 'p' twice"),
])  # fmt: skip
def test_an_unusable_frame_is_refused_in_one_sentence(table, settings, message):
    with pytest.raises(DataError, match=message):
        Dataset.from_frame(table, **settings)


def test_sparse_and_object_columns_are_numbers():
    table = frame(a=pd.arrays.SparseArray(np.arange(N) % 2), b=pd.Series(range(N), dtype=object))
    data = Dataset.from_frame(table, label="y")
    assert data.inputs[:, 1:].tolist() == [[i % 2, i] for i in range(N)]


def test_the_order_of_a_category_is_the_order_of_its_levels():
    sizes = pd.Categorical(["S", "L", "M", "S"] * 10, categories=["S", "M", "L"], ordered=True)
    data = Dataset.from_frame(frame(size=sizes).assign(y=sizes), label="y")
    assert data.space.levels == ("", "S", "M", "L")
    assert data.classes == ("S", "M", "L")


def test_groups_of_a_frame_are_names():
    table = frame(age=pd.Series([1.0, 2.0, np.nan, 2.0] * 10), old=[True, False] * 20)
    data = Dataset.from_frame(table, label="y", groups=["age", "old"])
    assert data.groups["age"].tolist()[:2] == ["1", "2"]
    assert data.groups["age"].isna().sum() == 10
    assert set(data.groups["old"]) == {"True", "False"}


def test_the_inputs_and_their_space_change_precision_together():
    data = Dataset.from_frame(frame(), label="y").to(torch.float64)
    assert {data.inputs.dtype, data.space.bounds[0].dtype, data.space.scale.dtype} == {torch.float64}


def test_a_frame_gives_the_same_dataset_as_its_csv_file(csv):
    table = frame(job=["cook", "clerk"] * 20, sex=["F", "M"] * 20)
    file, memory = from_csv(csv(table), label="y", groups=["sex"]), Dataset.from_frame(table, label="y", groups=["sex"])
    assert file.digest() == memory.digest()
    assert file.space.names == memory.space.names


def test_a_class_that_is_named_twice_is_refused():
    frame = pd.DataFrame({"a": [1.0, 2.0], "y": ["no", "yes"]})
    with pytest.raises(DataError, match="classes name 'no' twice"):
        Dataset.from_frame(frame, label="y", classes=["no", "no", "yes"])
