import pytest
import torch

from probe import Space
from probe.errors import RangeError, ShapeError
from probe.features import squares


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
    assert table.feature_count(values) == 2
    assert table.by_feature(values).tolist() == [[1.0, 9.0]]


def test_by_feature_inverts_by_coordinate(table):
    per_feature = torch.tensor([[5.0, -3.0], [0.5, 2.0]])
    spread = table.by_coordinate(per_feature, torch.zeros(2, 4))
    torch.testing.assert_close(table.by_feature(spread), per_feature)


def test_coordinate_mask_keeps_whole_features(table):
    kept = table.coordinate_mask(torch.tensor([[True, False], [False, True]]), torch.zeros(2, 4))
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


def test_an_input_outside_the_bounds_is_refused_by_its_row(table):
    with pytest.raises(RangeError, match=r"row 1 has 91 at feature 'age', outside the bounds \[0, 90\]"):
        table.check(torch.tensor([[30.0, 1, 0, 0], [91.0, 1, 0, 0]]))


def test_rounding_errors_are_within_the_bounds():
    Space().check(torch.tensor([[1.0 + 3e-8, -3e-8]]))


@pytest.mark.parametrize("beyond", [1.00001, -0.00001])
def test_a_number_beyond_the_bounds_by_more_than_rounding_is_refused(beyond):
    with pytest.raises(RangeError, match="outside the bounds"):
        Space().check(torch.tensor([[beyond, 0.5]]))
    Space(bounds=(-100.0, 100.0)).check(torch.tensor([[100.00001, -100.00001]]))  # of wide bounds that is rounding


def test_integers_are_rounded_towards_their_origin(table):
    origin = torch.tensor([[30.0, 1, 0, 0]])
    assert table.project(origin + 0.9, origin)[0, 0] == 30
    assert table.project(origin - 1.9, origin)[0, 0] == 29
    assert torch.equal(table.project(origin + 1, origin)[:, 1:], origin[:, 1:]), "a category does not move"


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
def test_a_space_of_other_inputs_is_refused_by_its_field(field):
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


WORDS = ("", "?", "good", "bad", "film")


def test_the_form_is_inferred_from_words_or_from_the_shape_unless_it_is_given():
    table, image, ids = torch.zeros(2, 4), torch.zeros(2, 1, 3, 3), torch.zeros(2, 4, dtype=torch.long)
    assert (Space().form_of(table).name, Space().form_of(image).name) == ("table", "image")
    assert Space(words=WORDS, bounds=(0, 4)).form_of(ids).name == "tokens"
    assert Space(form="graph").form_of(image).name == "graph"


def test_token_ids_are_described_by_their_words():
    space, ids = Space(words=WORDS, bounds=(0, 4)), torch.tensor([[2, 4, 1, 0], [3, 4, 0, 0]])
    assert space.describe(ids) == [["good", "film", "?", ""], ["bad", "film", "", ""]]
    pairs = Space(words=WORDS, bounds=(0, 4), features=torch.tensor([0, 0, 1, 1]))
    assert pairs.describe(ids[:1]) == [["good film", "?"]]
    assert Space(form="tokens", bounds=(0, 4)).describe(ids[:1]) == [["2", "4", "1", ""]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"form": "text"}, "Space.form = 'text', expected one of graph, image, series, table, tokens"),
        ({"form": "image", "words": WORDS, "bounds": (0, 4)}, "words of tokens, and Space.form is image"),
        ({"words": WORDS, "bounds": (0, 5)}, r"5 words for token ids in \[0, 5\]; .* set bounds=\(0, 4\)"),
        ({"words": WORDS, "bounds": (-1, 4)}, r"bounds of token ids are \[-1, 4\]; set bounds=\(0, number of words"),
        ({"form": "tokens", "bounds": (0, torch.inf)}, r"bounds of token ids are \[0, inf\]"),
    ],
)
def test_an_unknown_form_or_unfitting_words_are_refused_in_one_sentence(fields, message):
    with pytest.raises(RangeError, match=message):
        Space(**fields)


def test_a_replaced_token_counts_as_one_change_whatever_its_id():
    space, ids = Space(words=WORDS, bounds=(0, 4), scale=7.0), torch.tensor([[2, 4, 1, 0]])
    assert space.scaled_change(torch.tensor([[4, 4, 1, 0]]), ids).tolist() == [[1.0, 0.0, 0.0, 0.0]]
    assert Space(scale=2.0).scaled_change(torch.tensor([[0.5]]), torch.tensor([[0.0]])).tolist() == [[0.25]]
