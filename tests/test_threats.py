"""What an attacker may change: each threat beside a slow replica, and what holds for all of them."""

import itertools

import pytest
import torch

from probe import Space
from probe.errors import ContractError, ShapeError, Unsupported
from probe.threats import Anywhere, Ball, Edits, Patch, Severity

IMAGES = Space(bounds=(0.0, 1.0), mutable=torch.rand(2, 5, 4, generator=torch.Generator().manual_seed(3)) > 0.2)
MEASURED = [Ball(), Ball(2), Ball(1), Edits("pixel"), Patch()]


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("threat", MEASURED, ids=str)
@pytest.mark.parametrize("amount", [0, 1, 2, 3])
def test_a_projection_is_within_its_budget_admitted_and_stays_where_it_is(threat, amount):
    origin, moved = draw(0, 6, 2, 5, 4), draw(1, 6, 2, 5, 4) * 3 - 1
    near = threat.project(IMAGES, moved, origin, amount)
    assert (threat.length(IMAGES, near, origin) <= amount * (1 + 1e-5)).all()
    threat.check("an attack", IMAGES, near, origin, amount)
    assert torch.equal(near[:, ~IMAGES.mutable], origin[:, ~IMAGES.mutable])
    assert near.min() >= 0
    assert near.max() <= 1
    torch.testing.assert_close(threat.project(IMAGES, near, origin, amount), near)
    assert torch.equal(threat.project(IMAGES, origin, origin, amount), origin)
    assert not amount or not torch.equal(near, origin)


@pytest.mark.parametrize("threat", MEASURED, ids=str)
def test_budgets_of_each_example_are_those_of_examples_by_themselves(threat):
    origin, moved, amounts = draw(0, 5, 2, 5, 4), draw(1, 5, 2, 5, 4), torch.tensor([0.0, 1.0, 2.0, 3.0, 9.0])
    together = threat.project(IMAGES, moved, origin, amounts)
    alone = [threat.project(IMAGES, moved[i : i + 1], origin[i : i + 1], float(amounts[i])) for i in range(len(origin))]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("threat", MEASURED, ids=str)
def test_a_change_beyond_the_budget_is_refused_by_name(threat):
    space, origin = Space(bounds=(0.0, 5.0)), torch.zeros(3, 1, 4, 4)
    moved = origin.clone()
    moved[1, 0, :3, :3] = 2.0
    length = float(threat.length(space, moved, origin)[1])
    threat.check("mine", space, moved, origin, length)
    with pytest.raises(ContractError, match=r"mine (left its ball|exceeded its budget): .*\d"):
        threat.check("mine", space, moved, origin, length * 0.99)
    threat.check("mine", space, moved, origin, torch.tensor([0.0, length, 0.0]))
    with pytest.raises(ContractError, match=r"mine (left|exceeded) its"):
        threat.check("mine", space, moved, origin, torch.tensor([length, 0.0, length]))


def test_lengths_of_changes_equal_those_by_hand():
    space = Space(bounds=(0.0, 8.0), scale=torch.tensor(2.0))
    origin = torch.zeros(1, 1, 3, 4)
    moved = origin.clone()
    moved[0, 0, 0, 1], moved[0, 0, 2, 3] = 6.0, 8.0
    expected = {Ball(): 4.0, Ball(2): 5.0, Ball(1): 7.0, Edits("pixel"): 2.0, Patch(): 3.0}
    for threat, length in expected.items():
        assert threat.length(space, moved, origin).tolist() == [pytest.approx(length)]
    assert Severity().length(space, moved, origin).isnan().all()
    assert Anywhere().length(space, moved, origin).tolist() == [0.0]


def test_a_pixel_counts_once_with_all_its_channels():
    origin = torch.zeros(1, 3, 2, 2)
    moved = origin.clone()
    moved[0, :, 1, 0] = torch.tensor([0.3, 0.2, 0.4])
    moved[0, 1, 0, 1] = 0.8
    space = Space(bounds=(0.0, 1.0))
    assert Edits("pixel").length(space, moved, origin).tolist() == [2.0]
    one = Edits("pixel").project(space, moved, origin, 1)
    assert one[0, :, 1, 0].tolist() == pytest.approx([0.3, 0.2, 0.4])  # .9 in all, more than .8
    assert one[0, 1, 0, 1] == 0


def test_the_square_of_a_patch_is_the_best_of_all_squares():
    space, origin, moved = Space(bounds=(0.0, 1.0)), draw(4, 3, 2, 5, 4), draw(5, 3, 2, 5, 4)
    near = Patch().project(space, moved, origin, 2)
    for row in range(3):
        change = (moved[row] - origin[row]).abs().sum(0)
        best = max(float(change[y : y + 2, x : x + 2].sum()) for y, x in itertools.product(range(4), range(3)))
        kept = (near[row] - origin[row]).abs()
        assert float(kept.sum()) == pytest.approx(best, rel=1e-5)
        assert Patch().length(space, near[row : row + 1], origin[row : row + 1]).item() <= 2
    assert torch.equal(Patch().project(space, moved, origin, 99), moved)  # the whole image


@pytest.mark.parametrize(("marked", "side"), [([(0, 0)], 1), ([(1, 1), (1, 3)], 3), ([(0, 0), (4, 3)], 5), ([], 0)])
def test_the_side_of_a_patch_spans_all_that_was_changed(marked, side):
    origin = torch.zeros(1, 1, 5, 4)
    moved = origin.clone()
    for y, x in marked:
        moved[0, 0, y, x] = 0.5
    assert Patch().length(Space(bounds=(0.0, 1.0)), moved, origin).tolist() == [side]


def test_a_patch_needs_an_image_and_an_edge_a_graph():
    table, space = torch.zeros(2, 3), Space(bounds=(0.0, 1.0))
    with pytest.raises(Unsupported, match="a patch covers a square of an image"):
        Patch().length(space, table, table)
    with pytest.raises(ShapeError, match="expected a graph"):
        Edits("edge").length(space, table, table)


def test_an_edge_is_two_entries_of_the_adjacency_and_other_changes_are_infinite():
    space, origin = Space(bounds=(0.0, 1.0)), torch.zeros(1, 3, 5)
    flipped = origin.clone()
    flipped[0, 0, 2] = flipped[0, 2, 0] = 1
    assert Edits("edge").length(space, flipped, origin).tolist() == [1.0]
    assert torch.equal(Edits("edge").project(space, flipped, origin, 1), flipped)
    node = flipped.clone()
    node[0, 0, 4] = 1  # what is known of a node
    assert Edits("edge").length(space, node, origin).tolist() == [torch.inf]
    assert torch.equal(Edits("edge").project(space, node, origin, 3), flipped)


def test_severity_and_anywhere_project_onto_the_space():
    origin, moved = draw(0, 4, 2, 5, 4), draw(1, 4, 2, 5, 4) * 3 - 1
    for threat in (Severity(), Anywhere()):
        near = threat.project(IMAGES, moved, origin, 3)
        assert torch.equal(near, IMAGES.project(moved, origin))
        threat.check("noise", IMAGES, near, origin, 3)
        with pytest.raises(ContractError, match="changed coordinates that the space keeps fixed"):
            threat.check("noise", IMAGES, torch.where(IMAGES.mutable, origin, 1 - origin), origin, 3)


@pytest.mark.parametrize("threat", [*MEASURED, Severity(), Anywhere()], ids=str)
def test_no_example_could_move_without_a_budget_or_mutable_coordinates(threat):
    inputs = draw(0, 3, 2, 5, 4)
    assert threat.could_move(IMAGES, inputs, 1.0).tolist() == [True] * 3
    assert threat.could_move(IMAGES, inputs, 0.0).tolist() == [False] * 3
    assert threat.could_move(IMAGES, inputs, torch.tensor([0.0, 1.0, 0.0])).tolist() == [False, True, False]
    fixed = Space(bounds=(0.0, 1.0), mutable=torch.zeros(2, 5, 4, dtype=torch.bool))
    assert threat.could_move(fixed, inputs, 1.0).tolist() == [False] * 3


@pytest.mark.parametrize("threat", [*MEASURED, Severity(), Anywhere(), Edits("word"), Edits("edge")], ids=str)
def test_the_description_of_a_threat_is_text(threat):
    known = threat.to_json()
    assert set(known) == {"unit", "counted", "axis", "note"}
    assert known["counted"] == isinstance(threat, Edits)
    assert bool(known["unit"]) != isinstance(threat, Anywhere)
