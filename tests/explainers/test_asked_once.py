"""Masked rows that are alike are asked once, and nothing else changes."""

from itertools import combinations

import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.explainers import KernelShap, Lime
from probe.explainers.alike import differs, numbered, unlike
from probe.explainers.coalitions import coalition_values, every_subset, subsets
from probe.explainers.shapley import shapley_design


def few_levels(batch, references, features, dtype=torch.float64):
    """Inputs and reference rows of a table in which values recur."""
    source = torch.Generator().manual_seed(0)
    rows = torch.randint(3, (batch + references, features), generator=source).to(dtype)
    return rows[:batch], rows[batch:]


def asking(references, **space):
    """A model that multiplies neighbours, and keeps each row that it was asked."""
    asked = []

    def forward(x):
        asked.append(x.flatten(1))
        left = torch.tanh(x.flatten(1))
        first = (left * left.roll(1, 1)).sum(1)
        return torch.stack([first, -first], 1)

    space = Space(bounds=(-9.0, 9.0), reference=references, **space)
    return Model(forward=forward, space=space, classes=("no", "yes")), asked


def one_by_one(model, inputs, masks):
    """The definition: each coalition before each reference, asked one at a time."""
    found = torch.zeros(len(inputs), len(masks), dtype=torch.float64)
    for i, x in enumerate(inputs):
        for c, kept in enumerate(model.space.coordinate_mask(masks, inputs)):
            shown = torch.stack([torch.where(kept, x, r) for r in model.space.reference])
            found[i, c] = model.logits(shown)[:, 0].double().mean()
    return found


def random_masks(count, features):
    return torch.rand(count, features, generator=torch.Generator().manual_seed(1)) < 0.5


CASES = {
    "every coalition": (4, 6, 5, every_subset(5)),
    "fewer than there are": (3, 7, 12, random_masks(600, 12)),
    "more features than fit into one number": (2, 6, 70, random_masks(90, 70)),
    "a single reference": (3, 1, 9, random_masks(50, 9)),
    "the same coalition twice": (1, 2, 30, random_masks(20, 30).repeat(2, 1)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("pairs", [2**20, 100])
def test_each_distinct_row_is_evaluated_once_with_coalition_values_as_by_definition(monkeypatch, case, pairs):
    monkeypatch.setattr("probe.explainers.coalitions._PAIRS", pairs)
    batch, references, features, masks = CASES[case]
    inputs, rows = few_levels(batch, references, features)
    model, asked = asking(rows)
    expected = one_by_one(model, inputs, masks)
    every = torch.cat(asked)
    unlike = sum(len(part.unique(dim=0)) for part in every.split(len(masks) * references))
    asked.clear()
    found = coalition_values(model, inputs, torch.zeros(batch, dtype=torch.long), masks, "logit")
    assert_close(found, expected, rtol=0, atol=1e-13)
    if pairs > len(every):
        assert sum(map(len, asked)) == unlike
    else:
        assert unlike <= sum(map(len, asked)) <= len(every)


def test_features_of_several_columns_are_equal_if_all_columns_are():
    inputs, rows = few_levels(2, 5, 6)
    model, asked = asking(rows, features=torch.tensor([0, 1, 1, 2, 2, 2]))
    masks = every_subset(3)
    expected = one_by_one(model, inputs, masks)
    unlike = sum(len(part.unique(dim=0)) for part in torch.cat(asked).split(8 * 5))
    asked.clear()
    assert_close(coalition_values(model, inputs, torch.tensor([0, 0]), masks, "logit"), expected, rtol=0, atol=1e-13)
    assert sum(map(len, asked)) == unlike


def test_missing_values_are_equal():
    nan, space = torch.nan, Space()
    inputs, rows = torch.tensor([[nan, 1.0, 2.0], [0.0, nan, 2.0]]), torch.tensor([[nan, 1.0, 2.0], [nan, nan, 2.0]])
    differing, numbers = differs(space, inputs, rows), numbered(space, rows)
    none, first, second = [False] * 3, [True, False, False], [False, True, False]
    assert differing.tolist() == [[none, second], [[True, True, False], first]]
    assert numbers.tolist() == [[0, 0, 0], [0, 1, 0]]
    # [nan 1 2] and [nan nan 2]; then [0 nan 2], [nan nan 2], [0 1 2] and [nan 1 2].
    pairs, kinds = unlike(differing, numbers, ~every_subset(3))
    assert len(pairs) == 6
    assert len(kinds.flatten().unique()) == 6


def test_values_of_a_feature_are_numbered_without_gaps():
    rows = torch.tensor([[5.0, 1.0, 7.0], [5.0, 2.0, 7.0], [4.0, 1.0, 7.0], [3.0, 3.0, 7.0]])
    assert numbered(Space(), rows).tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0], [2, 2, 0]]
    pairs = Space(features=torch.tensor([0, 0, 1]))
    assert numbered(pairs, rows).tolist() == [[0, 0], [1, 0], [2, 0], [3, 0]]


def test_absent_words_are_not_masked_again():
    table = torch.arange(5.0)
    model = Model(
        forward=lambda e: torch.stack([e.prod(1)[:, 0], e.sum((1, 2))], 1),
        embed=lambda ids: table[ids][..., None],
        classes=("no", "yes"),
        space=Space(bounds=(0, 4), reference=torch.zeros(1, 6, dtype=torch.long)),
    )
    KernelShap()(model, torch.tensor([[3, 4, 0, 0, 0, 0]]), torch.tensor([1]))
    assert model.usage.forward == 4


@pytest.mark.parametrize("method", [KernelShap(), KernelShap(coalitions=500), Lime()])
def test_identical_masked_images_are_evaluated_once(method):
    image = torch.zeros(1, 1, 4, 4)
    image[..., :2, :] = 1.0
    squares = torch.arange(16).view(1, 4, 4) // 2
    model, asked = asking(torch.zeros(1, 1, 4, 4), features=squares)
    method(model, image, torch.tensor([0]))
    assert sum(map(len, asked)) == 16  # four of the eight squares are black already


def test_a_single_input_that_equals_its_reference_is_asked_once():
    model, _ = asking(torch.ones(1, 20, dtype=torch.float64))
    x = torch.ones(1, 20, dtype=torch.float64)
    assert KernelShap()(model, x, torch.tensor([0])).values.abs().max() == 0
    assert model.usage.forward == 1


def test_coalitions_are_found_by_their_lexicographic_rank():
    for features, size in ((1, 1), (7, 3), (9, 9), (10, 5)):
        listed = [[f in members for f in range(features)] for members in combinations(range(features), size)]
        places = torch.randperm(len(listed), generator=torch.Generator().manual_seed(2))
        assert subsets(features, size, places).tolist() == [listed[p] for p in places.tolist()]


@pytest.mark.parametrize(("features", "budget"), [(14, 4000), (16, 10_000), (18, 20_000), (20, 20_000)])
def test_a_large_draw_of_coalitions_stays_within_memory(monkeypatch, features, budget):
    """Listing all of a size would take tens of gigabytes here."""
    listed = []
    found = subsets

    def watched(features, size, chosen):
        listed.append(len(chosen))
        return found(features, size, chosen)

    monkeypatch.setattr("probe.explainers.pairs.subsets", watched)
    masks, _ = shapley_design.__wrapped__(features, budget, 0)
    assert len(masks) - 2 == budget
    assert 0 < sum(listed) <= budget // 2
    assert torch.equal(masks[1:-1].double().mean(0), torch.full((features,), 0.5, dtype=torch.float64))


def test_the_draw_of_coalitions_is_cached():
    one, other = (shapley_design(15, 500, 3) for _ in range(2))
    assert one[0] is other[0]


def test_different_rows_are_never_grouped_for_any_number_of_inputs_and_features():
    absent = torch.cat([random_masks(100, 52), torch.ones(100, 52, dtype=torch.bool)], 1)
    differing, numbers = torch.ones(60, 1, 104, dtype=torch.bool), torch.zeros(1, 104, dtype=torch.long)
    first, kinds = unlike(differing, numbers, absent)
    assert len(first) == 60 * len(absent.unique(dim=0))
    assert torch.equal(first[kinds], torch.arange(6000).view(60, 100, 1))
