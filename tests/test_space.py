import pytest
import torch

from probe import Space
from probe.errors import RangeError, ShapeError
from probe.space import squares


@pytest.fixture
def table() -> Space:
    return Space(
        bounds=(torch.tensor([0.0, 0, 0, 0]), torch.tensor([90.0, 1, 1, 1])),
        features=torch.tensor([0, 1, 1, 1]),
        names=("age", "race"),
        kinds=("integer", "category"),
    )


def test_one_hot_columns_are_one_feature(table):
    values = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert table.count(values) == 2
    assert table.by_feature(values).tolist() == [[1.0, 9.0]]


def test_by_coordinate_is_given_back_by_by_feature(table):
    per_feature = torch.tensor([[5.0, -3.0], [0.5, 2.0]])
    spread = table.by_coordinate(per_feature, torch.zeros(2, 4))
    torch.testing.assert_close(table.by_feature(spread), per_feature)


def test_select_keeps_whole_features(table):
    kept = table.select(torch.tensor([[True, False], [False, True]]), torch.zeros(2, 4))
    assert kept.tolist() == [[True, False, False, False], [False, True, True, True]]


def test_rows_are_described_by_their_features():
    space = Space(
        features=torch.tensor([0, 1, 1]),
        names=("age", "race"),
        kinds=("integer", "category"),
        levels=("", "A", "B"),
        bounds=(0.0, 99.0),
    )
    assert space.describe(torch.tensor([[30.0, 0, 1], [31.5, 1, 0]])) == [["30", "B"], ["31.5", "A"]]


def test_squares_tile_an_image():
    tiles = squares(6, 4, 2)
    assert tiles.shape == (6, 4)
    assert torch.bincount(tiles.flatten()).tolist() == [4] * 6
    assert tiles[:2, :2].unique().tolist() == [0]


def test_an_input_outside_is_named(table):
    with pytest.raises(RangeError, match=r"row 1 has 91 at feature 'age', outside the bounds \[0, 90\]"):
        table.check(torch.tensor([[30.0, 1, 0, 0], [91.0, 1, 0, 0]]))


def test_rounding_dust_is_not_outside():
    Space().check(torch.tensor([[1.0 + 3e-8, -3e-8]]))


def test_integers_are_rounded_towards_their_origin(table):
    origin = torch.tensor([[30.0, 1, 0, 0]])
    assert table.admit(origin + 0.9, origin)[0, 0] == 30
    assert table.admit(origin - 1.9, origin)[0, 0] == 29
    assert torch.equal(table.admit(origin + 1, origin)[:, 1:], origin[:, 1:]), "a category does not move"


@pytest.mark.parametrize(
    "field",
    [
        {"bounds": (torch.zeros(3), torch.ones(3))},
        {"mutable": torch.ones(3, dtype=torch.bool)},
        {"names": ("a",)},
        {"kinds": ("integer",)},
    ],
    ids=lambda field: next(iter(field)),
)
def test_a_field_that_describes_other_inputs_is_named(field):
    with pytest.raises(ShapeError, match=next(iter(field))):
        Space(**field).check(torch.rand(5, 2))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"features": torch.tensor([0.0, 1.0])}, "decimal"),
        ({"bounds": (1.0, 0.0)}, "exceeds"),
        ({"scale": 0.0}, "above 0"),
        ({"features": torch.tensor([0, 2])}, "without a gap"),
        ({"features": torch.tensor([0, 1]), "names": ("a",)}, "1 entries for 2"),
        ({"features": torch.tensor([0, 0]), "levels": ("a",)}, "1 entries for 2 coordinates"),
        ({"kinds": ("ordinal",)}, "continuous, integer, category"),
        ({"reference": torch.zeros(0, 2)}, "at least one row"),
        ({"reference": torch.full((1, 2), torch.nan)}, "finite"),
    ],
)
def test_a_space_that_contradicts_itself_is_refused(wrong, message):
    with pytest.raises((RangeError, ShapeError), match=message):
        Space(**wrong)
