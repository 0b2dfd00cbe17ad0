import pytest
import torch

from probe import from_csv
from probe.errors import DataError

TABLE = "age,hours,job,sex,income\n30,40.5,clerk,F,no\n50,20.0,cook,M,yes\n40,10.0,clerk,M,no\n"
ODD_LABELS = "1,yes\n2,no\n3,No \n"


@pytest.fixture
def path(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    return tmp_path / "t.csv"


def test_a_csv_table_becomes_features_and_groups(path):
    data = from_csv(path, label="income", groups=("sex",))
    assert data.inputs.tolist() == [[30, 40.5, 1, 0], [50, 20, 0, 1], [40, 10, 1, 0]]
    assert data.labels.tolist() == [0, 1, 0]
    assert data.classes == ("no", "yes")
    assert data.space.names == ("age", "hours", "job")
    assert data.space.kinds == ("integer", "continuous", "category")
    assert data.groups["sex"].tolist() == ["F", "M", "M"]


def test_the_order_of_features_classes_and_categories_can_be_given(path):
    data = from_csv(
        path,
        label="income",
        features=["job", "age"],
        classes=["yes", "no"],
        categories={"job": ["cook", "maid", "clerk"]},
    )
    assert data.inputs.tolist() == [[0, 0, 1, 30], [1, 0, 0, 50], [0, 0, 1, 40]]
    assert data.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (TABLE, {"label": "incme"}, r"has no column 'incme' \(did you mean 'income'\?\); it has age"),
        (TABLE, {"label": "income", "groups": ("race",)}, "has no column 'race'"),
        (TABLE.replace("30", ""), {"label": "income"}, "column 'age' of t.csv has 1 empty cells"),
        (TABLE.replace(",no", ","), {"label": "income"}, "column 'income' of t.csv has 2 empty cells"),
        (TABLE, {"label": "income", "classes": ["yes", "maybe"]}, "holds 'no', expected one of 'yes', 'maybe'"),
        (TABLE, {"label": "income", "features": ["age", "income"]}, "both the label and a feature"),
        ("age,income\n", {"label": "income"}, "no rows below its header"),
        (TABLE.replace("hours", "age"), {"label": "income"}, "t.csv has 2 columns called 'age'; rename all but one"),
        (
            TABLE.replace("50,", f"{'9' * 30},"),
            {"label": "income"},
            "column 'age' of t.csv holds whole numbers of more",
        ),
        ("", {"label": "income"}, "cannot be read as CSV"),
        (
            f"a,y\n{ODD_LABELS}",
            {"label": "y"},
            r"column 'y' of t.csv spells what may be one class in 2 ways: 'No ' \(1 ",
        ),
        ("a,y\n3,1\n4,1.0\n5,x\n", {"label": "y"}, "one class in 2 ways: '1' .* and '1.0'"),
        ("a,y\n" + "".join(f"1,{at}.5\n" for at in range(30)), {"label": "y"}, r"30 different decimal .*Regression"),
        (f"{TABLE}{TABLE}", {"label": "income"}, "row 4 of t.csv below its header repeats the header"),
        ("a,y\n\u22123,0\n\u22124,1\n", {"label": "y"}, "write the minus sign as -"),
        ("a,y\n1\u202f234,0\n2 345,1\n", {"label": "y"}, "leave out what stands between thousands"),
        ("a,y\n(12),0\n3,1\n(4.5),1\n", {"label": "y"}, r"below 0 with a minus sign, \(12\) as -12"),
        ("a,y\n'12',0\n\u201c3\u201d,1\n", {"label": "y"}, "leave out the quotes within cells"),
        ("a,y\n0x1f,0\n0XA,1\n", {"label": "y"}, "write numbers to the base 10"),
        ("a,y\n\u0663,0\n\u0664,1\n", {"label": "y"}, "write digits as 0 to 9"),
    ],
)
def test_invalid_tables_are_refused_in_one_sentence(tmp_path, text, settings, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        from_csv(tmp_path / "t.csv", **settings)


def test_a_missing_file_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        from_csv(tmp_path / "none.csv", label="x")


def test_an_empty_group_cell_is_kept_as_unknown(path):
    path.write_text(TABLE.replace(",M,yes", ",,yes"))
    assert from_csv(path, label="income", groups=("sex",)).groups["sex"].isna().tolist() == [False, True, False]


def german(tmp_path, cells):
    path = tmp_path / "g.csv"
    path.write_text("pay;age;hired\n" + "".join(f"{cell};{i},5;{'ja' if i % 2 else 'nein'}\n" for i, cell in cells))
    return path


def test_numbers_with_thousands_points_are_not_categories_and_the_remedy_works(tmp_path):
    """With decimal commas pandas leaves 1.500 a text, of which each would be a category."""
    path = german(tmp_path, [(i, f"1.{500 + i}") for i in range(30)])
    with pytest.raises(DataError, match=r"'1\.500', and decimal commas were set: leave out points"):
        from_csv(path, label="hired", decimal=",")
    path = german(tmp_path, [(i, f"1{500 + i}") for i in range(30)])
    assert from_csv(path, label="hired").inputs[:2].tolist() == [[1500, 0.5], [1501, 1.5]]


@pytest.mark.parametrize("cell", ["1.234,50", "1.234.567", "-12.345.678,9"])
def test_the_error_says_to_leave_out_points_between_thousands(tmp_path, cell):
    path = german(tmp_path, [(i, cell) for i in range(30)])
    with pytest.raises(DataError, match=r"points between thousands; leave them out"):
        from_csv(path, label="hired")
    with pytest.raises(DataError, match=r"points between thousands; leave them out"):
        from_csv(path, label="hired", decimal=",")
    path = german(tmp_path, [(i, cell.replace(".", "")) for i in range(30)])
    pay = float(cell.replace(".", "").replace(",", "."))
    assert from_csv(path, label="hired").inputs[0, 0] == pytest.approx(pay)


def test_classes_that_are_listed_may_be_spelled_alike(tmp_path):
    (tmp_path / "t.csv").write_text(f"a,y\n{ODD_LABELS}")
    data = from_csv(tmp_path / "t.csv", label="y", classes=["No ", "no", "yes"])
    assert data.labels.tolist() == [2, 1, 0]


@pytest.mark.parametrize(("text", "notice"), [
    ("sep=;\r\na;y\r\n1;0\r\n2;1\r\n", "names its separator in its first line"),
    ("a,y,\n1,0,\n2,1,\n", "1 columns without name or cells"),
])  # fmt: skip
def test_what_spreadsheets_add_to_a_table_is_no_feature(tmp_path, text, notice):
    (tmp_path / "t.csv").write_text(text)
    data = from_csv(tmp_path / "t.csv", label="y")
    assert data.space.names == ("a",)
    assert data.inputs.tolist() == [[1], [2]]
    assert notice in data.notices[0]


def test_a_table_in_utf_32_is_read_by_its_byte_order_mark(path):
    path.write_bytes(TABLE.encode("utf-32"))
    assert from_csv(path, label="income").classes == ("no", "yes")


def test_the_scale_of_huge_numbers_is_their_deviation(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n1e200,0\n3e200,1\n")
    assert float(from_csv(tmp_path / "t.csv", label="y", dtype=torch.float64).space.scale) == pytest.approx(
        2**0.5 * 1e200
    )
