"""How a CSV file is written is found out and said; what can be read in two ways is not guessed."""

import gzip

import pandas as pd
import pytest

from probe.csvfile import Reading, read_csv, unknown_like
from probe.errors import DataError


@pytest.fixture
def read(tmp_path):
    def call(content, text=(), name="t.csv", **how):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_csv(tmp_path / name, text, Reading(**how))

    return call


PLAIN = 'name,score\nMüller,1.5\n"a,b",2.5\n'


@pytest.mark.parametrize(("content", "said"), [
    (PLAIN, []),
    (gzip.compress(PLAIN.encode(), mtime=0), []),
    (PLAIN.replace("\n", "\r\n"), []),
    ("\ufeff" + PLAIN.replace("name", '"name"'), ["t.csv begins with a byte order mark; it was read as UTF-8"]),
    (PLAIN.encode("utf-16"), ["t.csv was read as UTF-16, by its byte order mark"]),
    (PLAIN.encode("latin-1"), ["t.csv is not UTF-8 (line 2); it was read as Windows-1252"]),
    ('name;score\nMüller;1,5\n"a,b";2,5\n', ["semicolons between", "decimal commas, such as 1,5"]),
    ('name\tscore\nMüller\t1,5\na,b\t2,5\n', ["tabs between", "decimal commas, such as 1,5"]),
    ("name|score\nMüller|1.5\na,b|2.5\n", ["bars between"]),
])  # fmt: skip
def test_the_same_table_is_read_however_it_is_written(read, content, said):
    table, notices = read(content, ["name"], name="t.csv.gz" if content[:2] == b"\x1f\x8b" else "t.csv")
    assert table.to_dict("list") == {"name": ["Müller", "a,b"], "score": [1.5, 2.5]}
    assert len(notices) == len(said)
    assert all(part in notice for part, notice in zip(said, notices, strict=True))


@pytest.mark.parametrize(("content", "how"), [
    ("name;score\nMüller;1,5\na,b;2,5\n", {"separator": ";", "decimal": ","}),
    (PLAIN.encode("cp1250"), {"encoding": "cp1250"}),
    (PLAIN.encode("utf-16-le"), {"encoding": "utf-16-le"}),
    ("\ufeff" + PLAIN, {"encoding": "utf-8"}),
])  # fmt: skip
def test_given_csv_options_are_not_detected(read, content, how):
    table, notices = read(content, ["name"], **how)
    assert table.to_dict("list") == {"name": ["Müller", "a,b"], "score": [1.5, 2.5]}
    assert not any(word in notice for notice in notices for word in ("decimal", "UTF"))


@pytest.mark.parametrize(("content", "how", "message"), [
    ("a,b;c\n1,2;3\n", {}, "could have commas or semicolons between its cells; say which: separator = "),
    ("a;b\n1,234;2\n5,678;3\n", {}, "'1,234', which may be thousands"),
    ("a;b\n1,5;2.5\n", {}, "'2.5' as well as '1,5'"),
    ("a,b\n1,2\n3\n", {}, "1 cells in line 3, and its header 2"),
    ("a,b\n1,2\n3,4,5\n", {}, "3 cells in line 3"),
    ("a,b\n1,2,\n3,4,\n", {}, "ends with a separator"),
    ("a,b\n", {}, "no rows below its header"),
    ("\n\n", {}, "cannot be read as CSV: it is empty"),
    (b"a,b\n1,\x00\n", {}, "NUL bytes, first in line 2"),
    (PLAIN.encode("utf-16-le"), {}, "UTF-16 without a byte order mark"),
    (b"a,b\n\x81,1\n", {}, "neither UTF-8 nor Windows-1252"),
    (b"PK\x03\x04....", {}, "is a spreadsheet .* Dataset.from_frame"),
    (b"PAR1....", {}, "is a Parquet file"),
    (PLAIN, {"encoding": "klingon"}, "not klingon"),
    (PLAIN.encode("latin-1"), {"encoding": "utf-8"}, "is not utf-8"),
    (PLAIN, {"separator": ";;"}, "expected one character"),
    (PLAIN, {"separator": ",", "decimal": ","}, "both a comma"),
    (PLAIN, {"decimal": ";"}, 'expected "." or ","'),
])  # fmt: skip
def test_an_ambiguous_csv_file_is_refused_in_one_sentence(read, content, how, message):
    with pytest.raises(DataError, match=message):
        read(content, **how)


def test_a_damaged_archive_is_refused_in_one_sentence(read):
    with pytest.raises(DataError, match="cannot be"):
        read(gzip.compress(PLAIN.encode())[:-9], name="t.csv.gz")
    with pytest.raises(DataError, match="cannot be"):
        read(PLAIN, name="t.csv.zip")


def test_from_csv_refers_frames_to_from_frame():
    with pytest.raises(DataError, match=r"Dataset\.from_frame\(frame, label=...\) takes it"):
        read_csv(pd.DataFrame({"a": [1]}))


def test_named_columns_resolve_an_ambiguous_separator(read):
    table, _ = read("a,b;c\n1,2;3\n", ["b;c"])
    assert list(table) == ["a", "b;c"]


@pytest.mark.parametrize("content", ["a,b\nx;y,1\nz;w,2\n", 'a,b\n"x;y",1\n"z\nw",2\n', "a\n1\n2\n"])
def test_a_comma_separated_file_gives_no_notice(read, content):
    table, notices = read(content)
    assert (len(table), notices) == (2, ())


def test_numbers_with_thousands_commas_are_never_guessed(read):
    table, _ = read('a,b\n"1,234",1\n"5,678",2\n')
    assert table["a"].tolist() == ["1,234", "5,678"]


def test_only_an_empty_cell_is_missing_unless_others_are_listed(read):
    content = "a,b\nNone,1\n,2\n?,\n"
    assert read(content, ["a"])[0]["a"].isna().tolist() == [False, True, False]
    table, _ = read(content, ["a"], missing=("?",))
    assert table["a"].isna().tolist() == [False, True, True]
    assert table["b"].isna().tolist() == [False, False, True]


def test_cells_that_look_like_an_unknown_are_named_with_their_counts():
    table = pd.DataFrame({"religion": ["None", "None", "Hindu", " ", None]})
    (notice,) = unknown_like(table, ["religion"])
    assert "'None' in 2 rows, ' ' in 1 row, kept as a value" in notice
    assert 'missing = ["None", " "]' in notice


@pytest.mark.parametrize("names", [("r1", "r2"), ("0", "1"), ("1", "2"), ("7", "3"), ("2.5", "2.5"), ("", "")])
def test_a_first_cell_without_a_column_is_said_to_be_taken_for_the_name_of_its_row(read, names):
    """Also where the names count the rows from 0, as those that pandas gives."""
    table, notices = read(f"a,b\n{names[0]},1,x\n{names[1]},2,y\n", [])
    assert table.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    said = repr(names[0] or " ")
    assert ["one cell more than its header" in notice and said in notice for notice in notices] == [True]


@pytest.mark.parametrize("other", ["pay ", "pay\N{ZERO WIDTH SPACE}", " pay", "\N{SOFT HYPHEN}pay"])
def test_columns_that_look_the_same_are_refused(read, other):
    """Who names the label `pay` leaves its twin among the features, which then tell the answer."""
    with pytest.raises(DataError, match=r"t\.csv has two columns that look the same, .*; rename one"):
        read(f"pay,{other},age\n1,2,3\n")
    with pytest.raises(DataError, match="look the same"):
        read("caf\u00e9,cafe\u0301\n1,2\n")
    read("pay,Pay,x\u00b2,x2\n1,2,3,4\n")  # names that anybody can tell apart
