"""A stored attack, verified without attacking, on the same model or another."""

from dataclasses import replace

import pytest
import torch

from probe import Model, load, study
from probe.attacks import PGD
from probe.errors import ContractError, DataError
from probe.goals import Targeted
from probe.metrics import RobustAccuracy

WEIGHT = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
MODEL = Model(forward=lambda x: x @ WEIGHT, classes=("a", "b", "c"))
OTHER = Model(forward=lambda x: x @ WEIGHT.flip(0), classes=("a", "b", "c"))
X = torch.rand(30, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("goal", [None, Targeted(target="b")])
def test_a_stored_attack_is_the_same_without_attacking(tmp_path, goal):
    method = PGD(eps=0.2, steps=5) if goal is None else PGD(eps=0.2, steps=5, goal=goal)
    found = method(MODEL, X, MODEL.predict(X))
    found.save(tmp_path / "found")
    again = study.asked_again(load(tmp_path / "found"), MODEL)
    assert torch.equal(again.success, found.success)
    assert again.success.any()
    assert (again.cost.forward, again.cost.backward) == (60, 0)
    moved = study.asked_again(found, OTHER)
    assert torch.equal(moved.attacked.logits, OTHER.logits(found.perturbed))
    right = OTHER.predict(found.perturbed) == found.clean.labels
    assert RobustAccuracy()(OTHER, moved).value == pytest.approx(right.float().mean().item())


def test_a_stored_change_that_is_not_allowed_is_refused():
    found = PGD(eps=0.2, steps=5)(MODEL, X, MODEL.predict(X))
    with pytest.raises(ContractError, match="left its ball"):
        study.asked_again(replace(found, budget=found.budget / 2), MODEL)
    with pytest.raises(DataError, match="outputs"):
        study.asked_again(found, Model(forward=lambda x: x[:, :2], classes=("a", "b")))
