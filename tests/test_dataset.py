import pytest
import torch

from probe import Dataset, from_csv
from probe.errors import DataError, RangeError, ShapeError

TABLE = "age,hours,job,sex,income\n30,40.5,clerk,F,no\n50,20.0,cook,M,yes\n40,10.0,clerk,M,no\n"


@pytest.fixture
def path(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    return tmp_path / "t.csv"


def test_a_table_becomes_features_and_groups(path):
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
        (TABLE, {"label": "incme"}, "has no column 'incme'; it has age"),
        (TABLE, {"label": "income", "groups": ("race",)}, "has no column 'race'"),
        (TABLE.replace("30", ""), {"label": "income"}, "column 'age' of t.csv has 1 empty cells"),
        (TABLE.replace(",no", ","), {"label": "income"}, "column 'income' of t.csv has 2 empty cells"),
        (TABLE, {"label": "income", "classes": ["yes", "maybe"]}, "holds 'no', expected one of 'yes', 'maybe'"),
        (TABLE, {"label": "income", "features": ["age", "income"]}, "both the label and a feature"),
        ("age,income\n", {"label": "income"}, "no rows below its header"),
        ("", {"label": "income"}, "cannot be read as CSV"),
    ],
)
def test_bad_tables_end_in_one_sentence(tmp_path, text, settings, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        from_csv(tmp_path / "t.csv", **settings)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        from_csv(tmp_path / "none.csv", label="x")


def test_an_empty_group_cell_is_kept_as_unknown(path):
    path.write_text(TABLE.replace(",M,yes", ",,yes"))
    assert from_csv(path, label="income", groups=("sex",)).groups["sex"].isna().tolist() == [False, True, False]


def test_slices_keep_rows_and_groups_together(path):
    data = from_csv(path, label="income", groups=("sex",))
    part = data[torch.tensor([2, 0])]
    assert part.rows.tolist() == [2, 0]
    assert part.groups["sex"].tolist() == ["M", "F"]
    assert len(data[:2]) == 2


def test_samples_are_nested_and_repeatable():
    data = Dataset(torch.rand(100, 2), torch.zeros(100, dtype=torch.long))
    small, large = set(data.draw(10, 0).tolist()), set(data.draw(50, 0).tolist())
    assert small < large
    assert data.sample(10, 0).rows.tolist() == data.draw(10, 0).tolist()
    assert data.sample(1000, 0) is data


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"labels": torch.zeros(3)}, DataError, "integers"),
        ({"labels": torch.zeros(2, dtype=torch.long)}, ShapeError, r"expected \(3,\)"),
        ({"labels": torch.tensor([0, 1, 2]), "classes": ("a", "b")}, DataError, "expected 0 to 1"),
        ({"inputs": torch.full((3, 2), torch.inf)}, RangeError, "NaN or infinity"),
    ],
)
def test_bad_data_ends_in_one_sentence(wrong, error, message):
    with pytest.raises(error, match=message):
        Dataset(**{"inputs": torch.zeros(3, 2), "labels": torch.zeros(3, dtype=torch.long)} | wrong)


def test_the_digest_sees_every_number():
    data = Dataset(inputs=torch.zeros(3, 2), labels=torch.zeros(3, dtype=torch.long))
    other = Dataset(inputs=torch.eye(3)[:, :2] * 1e-7, labels=data.labels)
    assert data.digest() != other.digest()
