"""Counterfactuals towards class prototypes: valid, sparse, reached, and nearer than the prototype."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.counterfactuals import PrototypeCounterfactual
from probe.errors import Unsupported
from probe.goals import Targeted
from tests.counterfactuals.test_spheres import ROWS, people


def trained(**space):
    source = torch.Generator().manual_seed(0)
    numbers, trade = 10 * torch.rand(60, 3, generator=source), torch.eye(3)[torch.arange(60) % 3]
    known = torch.cat([numbers[:, :1], numbers[:, 1:2].round(), trade, numbers[:, 2:]], 1)
    return replace(people(**space), training=(known, torch.zeros(60, dtype=torch.long)))


def test_candidates_are_valid_reached_and_change_nothing_that_does_not_matter():
    found = PrototypeCounterfactual()(trained(), ROWS)
    assert found.reached.all()
    moved = found.candidates[:, 0]
    assert_close(moved[:, 1], moved[:, 1].round())
    assert torch.equal(moved[:, 2:5], ROWS[:, 2:5])
    assert torch.equal(moved[:, 5], ROWS[:, 5])


def test_what_is_fixed_is_kept():
    fixed = torch.tensor([True, False, False, False, False, True])
    found = PrototypeCounterfactual()(trained(mutable=fixed), ROWS)
    assert torch.equal(found.candidates[:, 0, 1], ROWS[:, 1])


def flat():
    """Three classes in a plane, the corners of which are known."""
    corners = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 9.0]])

    def forward(x):
        return -torch.cdist(x, corners)

    known = torch.cat([corners, corners + 0.1])
    return Model(forward=forward, space=Space(bounds=(-99.0, 99.0)), training=(known, torch.arange(3).repeat(2)))


def test_the_way_to_the_nearest_prototype_ends_at_the_boundary_and_others_follow():
    x = torch.tensor([[1.0, 0.0]])
    found = PrototypeCounterfactual(count=4, neighbours=1)(flat(), x)
    assert found.reached.tolist() == [[True, True, False, False]]
    assert found.answers.tolist() == [[1, 2, 0, 0]]
    assert_close(found.candidates[0, 0], torch.tensor([2.0, 0.0]), atol=2e-3, rtol=0)
    assert_close(found.candidates[0, 2:], x.expand(2, 2))
    aimed = PrototypeCounterfactual(neighbours=1, goal=Targeted())(flat(), x, targets=torch.tensor([2]))
    assert aimed.answers.tolist() == [[2]]


def test_a_prototype_is_the_mean_of_the_nearest_rows_of_its_class(monkeypatch):
    model, x = flat(), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    known = model.training[0]
    one = PrototypeCounterfactual(neighbours=2)._prototype(model, x, known)
    for at, row in enumerate(x):
        nearest = (known - row).abs().sum(1).argsort(stable=True)[:2]
        assert_close(one[at], known[nearest].mean(0))
    monkeypatch.setattr("probe.counterfactuals.prototypes._ENTRIES", 1)
    assert torch.equal(PrototypeCounterfactual(neighbours=2)._prototype(model, x, known), one)


def test_what_has_no_classes_or_numbers_is_refused():
    with pytest.raises(Unsupported, match="needs training rows"):
        PrototypeCounterfactual()(people(), ROWS)
    texts = Space(words=tuple("-?ab"), bounds=(0, 3))
    reader = Model(forward=lambda x: x.sum(1), embed=lambda ids: torch.eye(4)[ids][..., :2], space=texts)
    ids = torch.tensor([[2, 3]])
    with pytest.raises(Unsupported, match="moves numbers, and inputs of model are texts"):
        PrototypeCounterfactual()(replace(reader, training=(ids, torch.tensor([0]))), ids)
