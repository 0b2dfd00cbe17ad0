import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.counterfactuals import GradientCounterfactual
from probe.errors import Unsupported
from probe.goals import Targeted
from tests.counterfactuals.test_spheres import ROWS, people


def test_candidates_are_valid_sparse_and_keep_what_is_fixed():
    fixed = torch.tensor([True, True, False, False, False, False])
    for space in ({}, {"mutable": fixed}):
        found = GradientCounterfactual(rate=0.2)(people(**space), ROWS)
        assert found.reached.all()
        moved = found.candidates[:, 0]
        assert_close(moved[:, 1], moved[:, 1].round())
        assert torch.equal(moved[:, 2:], ROWS[:, 2:])


def test_the_candidate_of_a_linear_model_is_as_near_as_its_decision():
    """Of equal weights each way to the line is as long by L1 as the straight one."""
    x = torch.rand(20, 2, generator=torch.Generator().manual_seed(0)) * 4 - 2
    model = Model(forward=lambda x: torch.stack([-x.sum(1), x.sum(1)], 1), space=Space(bounds=(-9.0, 9.0)))
    found = GradientCounterfactual(steps=100)(model, x)
    assert found.reached.all()
    far = (found.candidates[:, 0] - x).abs().sum(1)
    assert_close(far, x.sum(1).abs(), rtol=0, atol=0.01)


def test_further_candidates_change_other_features_and_the_nearest_is_first():
    model = Model(forward=lambda x: 4 * torch.stack([1 - x @ torch.tensor([3.0, 2, 1]), x @ torch.tensor([3.0, 2, 1]) - 1], 1))  # fmt: skip # noqa: E501
    x = torch.tensor([[0.1, 0.1, 0.1], [0.05, 0.2, 0.0]])
    found = GradientCounterfactual(count=3)(model, x)
    far = (found.candidates - x[:, None]).abs().sum(2)
    assert (far.diff(dim=1)[found.reached[:, 1:]] >= 0).all()
    assert found.reached[:, :2].all()
    most = (found.candidates - x[:, None]).abs().argmax(2)
    assert (most[:, 0] != most[:, 1]).all()


def test_a_wanted_class_is_reached_and_where_there_is_none_it_ends_with_the_input():
    model = Model(forward=lambda x: 4 * x - 1, space=Space())
    x = torch.rand(6, 3, generator=torch.Generator().manual_seed(2))
    targets = (model.predict(x) + 1) % 3
    found = GradientCounterfactual(goal=Targeted())(model, x, targets=targets)
    assert torch.equal(model.predict(found.candidates[:, 0]), targets)
    never = Model(forward=lambda x: torch.stack([x.sum(1) + 3, x.sum(1)], 1), space=Space())
    kept = GradientCounterfactual(steps=3)(never, x)
    assert not kept.reached.any()
    assert torch.equal(kept.candidates[:, 0], x)


def test_words_are_refused():
    table = torch.randn(9, 4)
    words = Model(forward=lambda e: e.sum(1)[:, :2], embed=lambda ids: table[ids], space=Space(bounds=(0, 8)))
    with pytest.raises(Unsupported, match=r"moves numbers, and inputs of model are .*; use NearestReference"):
        GradientCounterfactual()(words, torch.tensor([[1, 2, 3]]))
