"""Of images and series, products of three neighbours are penalised less, which brings values closer."""

from itertools import combinations

import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.explainers import KernelShap
from probe.explainers.neighbours import distances, near_threes, products_of
from probe.features import squares, stretches

SIDE = 6


def neighbours(side=SIDE):
    """A game on the pixels of an image in which blocks of 2 x 2 play together, and its Shapley values."""
    place = torch.arange(side * side).view(side, side)
    blocks = place.unfold(0, 2, 1).unfold(1, 2, 1).reshape(-1, 4)
    worth = torch.randn(len(blocks), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    truth = torch.zeros(side * side, dtype=torch.float64)
    for block, each in zip(blocks, worth, strict=True):
        truth[block] += each / 4
    return blocks, worth, truth


def played(blocks, worth, **space):
    """The network that plays it on images or rows whose reference is black."""

    def forward(x):
        total = x.flatten(1)[:, blocks].prod(2) @ worth
        return torch.stack([total, -total], 1)

    return Model(forward=forward, classes=("yes", "no"), space=Space(**space))


def test_distances_are_in_sides_of_a_feature():
    grid = torch.stack(torch.meshgrid(torch.arange(7.0), torch.arange(7.0), indexing="ij"), -1).view(-1, 2).double()
    space = Space(features=squares(28, 28, 4)[None], form="image")
    assert_close(distances(space, torch.zeros(1, 1, 28, 28)), torch.cdist(grid, grid) ** 2)
    across = Space(features=stretches(12, 3, 2), form="series")
    found = distances(across, torch.zeros(1, 2, 12))
    assert found.shape == (len(across.feature_names(torch.zeros(1, 2, 12))),) * 2
    assert distances(Space(), torch.zeros(1, 9)) is None


def test_threes_are_near_where_the_squares_of_their_distances_sum_to_eight_at_most():
    apart = distances(Space(form="image"), torch.zeros(1, 1, 5, 4))
    of, weights = near_threes(apart, 10**6)
    listed = {}
    for one, two, three in combinations(range(20), 3):
        total = float(apart[one, two] + apart[one, three] + apart[two, three])
        if total <= 8:
            listed[one, two, three] = total
    assert {tuple(each) for each in of.tolist()} == listed.keys()
    assert_close(weights, torch.tensor([-listed[tuple(each)] / 2 for each in of.tolist()]).double().exp())
    assert near_threes(apart, len(of)) is not None
    assert near_threes(apart, len(of) - 1) is None


def test_products_are_of_the_signs():
    signs = torch.tensor([[1.0, -1.0, -1.0, 1.0], [-1.0, -1.0, -1.0, 1.0]]).double()
    assert products_of(signs, torch.tensor([[0, 1, 2], [1, 2, 3]])).tolist() == [[1.0, 1.0], [-1.0, 1.0]]


def off(blocks, worth, truth, shape, coalitions):
    """How far values of an image, or of a row with the same pixels, are from the truth, over six draws."""
    x, square = torch.ones(1, *shape).double(), 0.0
    model = played(blocks, worth, reference=torch.zeros_like(x))
    for seed in range(6):
        found = KernelShap(coalitions=coalitions, seed=seed)(model, x, torch.tensor([0]))
        square += float((found.by_feature()[0] - truth).square().sum())
    return square**0.5


@pytest.mark.parametrize("coalitions", [240, 500])
def test_values_of_an_image_are_closer_than_those_of_the_same_pixels_as_a_row(coalitions):
    image, row = (off(*neighbours(), shape, coalitions) for shape in ((1, SIDE, SIDE), (SIDE**2,)))
    assert image < 0.8 * row


def test_values_are_hardly_further_off_where_those_that_play_together_are_far_apart():
    blocks, worth, truth = neighbours()
    mixed = torch.randperm(SIDE**2, generator=torch.Generator().manual_seed(1))
    elsewhere = torch.empty_like(truth).scatter_(0, mixed, truth)
    image, row = (off(mixed[blocks], worth, elsewhere, shape, 300) for shape in ((1, SIDE, SIDE), (SIDE**2,)))
    assert image < 1.06 * row


@pytest.mark.slow
def test_intervals_of_two_standard_errors_hold_the_values_of_neighbours():
    blocks, worth, truth = neighbours()
    image = torch.ones(1, 1, SIDE, SIDE).double()
    model = played(blocks, worth, reference=torch.zeros_like(image))
    held = []
    for seed in range(40):
        found = KernelShap(coalitions=300, seed=seed)(model, image, torch.tensor([0]))
        held.append((found.by_feature()[0] - truth).abs() <= 1.96 * found.errors_by_feature()[0])
    assert 0.95 <= float(torch.stack(held).double().mean()) <= 0.99
