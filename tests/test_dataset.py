import pandas as pd
import pytest
import torch

from probe import Dataset
from probe.errors import DataError, RangeError, ShapeError


def test_slices_keep_rows_and_groups_together():
    groups = pd.DataFrame({"sex": ["F", "M", "M"]})
    data = Dataset(torch.rand(3, 2), torch.tensor([0, 1, 0]), groups=groups)
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
        ({"labels": torch.zeros(3), "classes": ("a", "b")}, DataError, "class indices|integers"),
        ({"labels": torch.zeros(2, dtype=torch.long)}, ShapeError, r"expected \(3,\)"),
        ({"labels": torch.tensor([0, 1, 2]), "classes": ("a", "b")}, DataError, "expected 0 to 1"),
        ({"inputs": torch.full((3, 2), torch.inf)}, RangeError, "NaN or infinity"),
    ],
)
def test_invalid_data_are_refused_in_one_sentence(wrong, error, message):
    with pytest.raises(error, match=message):
        Dataset(**{"inputs": torch.zeros(3, 2), "labels": torch.zeros(3, dtype=torch.long)} | wrong)


def test_the_digest_of_a_dataset_changes_with_every_number():
    data = Dataset(inputs=torch.zeros(3, 2), labels=torch.zeros(3, dtype=torch.long))
    other = Dataset(inputs=torch.eye(3)[:, :2] * 1e-7, labels=data.labels)
    assert data.digest() != other.digest()
