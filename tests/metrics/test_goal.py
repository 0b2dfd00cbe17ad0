"""How often an attack reaches its goal, on the attacked model and on others."""

import pytest
import torch

from probe import Model, Regression
from probe.attacks import PGD
from probe.goals import Shift
from probe.metrics import GoalReached, Withstood


def priced(forward):
    return Model(forward=forward, task=Regression(("price",)))


@pytest.mark.parametrize(
    ("forward", "rows", "withstood", "reached"),
    [
        (lambda x: x.sum(1), [[0, 1], [0, 1]], 0.0, 1.0),
        (
            lambda x: x.sum(1) + (x[:, 0] > 0.45),
            [[0, 0], [0, 1]],
            0.0,
            0.5,
        ),  # the first price is beyond its target before the attack
        (lambda x: 0 * x.sum(1), [[1, 1], [1, 1]], 1.0, 0.0),
    ],
    ids=["attacked", "one there before", "none moved"],
)
def test_a_row_at_its_goal_before_the_attack_neither_withstood_nor_was_moved(forward, rows, withstood, reached):
    inputs = torch.tensor([[0.5, 0.5], [0.2, 0.1]])
    attack = PGD(goal=Shift(by=0.3), eps=0.2)
    attacked = attack(priced(lambda x: x.sum(1)), inputs, torch.zeros(2))
    model = priced(forward)
    found = Withstood()(model, attacked)
    assert found.evidence.tolist() == rows  # whether it withstood, and whether it counts
    assert (found.value, GoalReached()(model, attacked).value) == (withstood, reached)
