"""What every attack is held to by its contract: budgets as people write them, and what is counted for whom."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from probe import Model, Space
from probe.attacks import FGSM, PGD
from probe.contracts import Aim, Attack
from probe.errors import ContractError, RangeError, ShapeError
from probe.goals import Targeted
from probe.method import param
from probe.threats import Ball

# The last example is wrong before the attack.
INPUTS, LABELS = torch.tensor([[0.6], [0.9], [0.3]]), torch.tensor([0, 0, 0])
MODEL = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), space=Space(bounds=(0.0, 1.0)), classes=("high", "low"))


@dataclass(frozen=True, kw_only=True)
class Darken(Attack):
    """All coordinates smaller by eps, after as many questions as are asked for."""

    eps: float = param(0.1, "by how much", low=0.0)
    asked: int = param(0, "questions of each example", low=0)
    threat = Ball(torch.inf)

    def perturb(self, model, inputs, aim: Aim):
        for _ in range(self.asked):
            aim.ask(inputs)
        return model.space.project(inputs - aim.budget[:, None].to(inputs), inputs)


@dataclass(frozen=True, kw_only=True)
class Least(Attack):
    """The least step across the middle."""

    threat = Ball(torch.inf)
    budget = ""

    def perturb(self, model, inputs, aim: Aim):
        return inputs.clamp(max=0.4375)


@pytest.mark.parametrize("eps", [0.25, "1/4", torch.tensor(0.25), np.float64(0.25), np.array(0.25)], ids=repr)
def test_one_budget_however_it_is_written_is_the_setting(eps):
    found = Darken()(MODEL, INPUTS, LABELS, eps=eps)
    assert found.method == Darken(eps=0.25)
    assert found.budget.tolist() == [0.25, 0.25, 0.25]
    assert found.perturbed[:, 0].tolist() == pytest.approx([0.35, 0.65, 0.3])
    assert found.success.tolist() == [True, False, False]


@pytest.mark.parametrize("eps", [[0.2, "1/2", 0.0], np.array([0.2, 0.5, 0.0]), torch.tensor([0.2, 0.5, 0.0])], ids=repr)
def test_a_budget_for_each_example_is_its_own(eps):
    found = Darken()(MODEL, INPUTS, LABELS, eps=eps)
    assert found.method == Darken()
    assert found.budget.tolist() == pytest.approx([0.2, 0.5, 0.0])
    assert found.perturbed[:, 0].tolist() == pytest.approx([0.4, 0.4, 0.3])
    assert found.success.tolist() == [True, True, False]


@pytest.mark.parametrize(("eps", "error", "said"), [
    (torch.tensor([0.1, -0.1, 0.1]), RangeError, "eps = -0.1"),
    ([0.1, -0.1, 0.1], RangeError, "eps = -0.1"),
    (-0.1, RangeError, "eps = -0.1"),
    (torch.tensor(-0.5), RangeError, "eps = -0.5"),
    ([0.1, 0.1], ShapeError, "one budget for each of 3 inputs"),
    (torch.full((3, 1), 0.1), ShapeError, "one budget for each of 3 inputs"),
])  # fmt: skip
def test_a_budget_below_zero_or_of_other_examples_is_refused(eps, error, said):
    with pytest.raises(error, match=said):
        Darken()(MODEL, INPUTS, LABELS, eps=eps)


@pytest.mark.parametrize(("eps", "moved"), [
    (None, [0.4375, 0.4375, 0.3]),
    (float("inf"), [0.4375, 0.4375, 0.3]),
    (0.25, [0.4375, 0.9, 0.3]),
    ([0.1, "1/2", 0.0], [0.6, 0.4375, 0.3]),
    (torch.tensor(0.25), [0.4375, 0.9, 0.3]),
])  # fmt: skip
def test_an_attack_that_minimises_leaves_those_unchanged_that_need_more_than_their_budget(eps, moved):
    found = Least()(MODEL, INPUTS, LABELS, eps=eps)
    assert found.perturbed[:, 0].tolist() == pytest.approx(moved)
    assert found.success.tolist() == [now != then for now, then in zip(moved, (0.6, 0.9, 0.3), strict=True)]
    assert Least().amount() == float("inf")
    assert Least().at(0.3) == Least()
    for wrong in (-0.1, "x"):
        with pytest.raises(RangeError, match="expected a number of at least 0"):
            Least()(MODEL, INPUTS, LABELS, eps=wrong)


def test_questions_are_counted_for_the_example_that_they_are_about():
    found = Darken(asked=3)(MODEL, INPUTS, LABELS)
    assert found.queries.tolist() == [3, 3, 0]
    assert found.forwards.tolist() == [5, 5, 2]  # with the answers before and after
    assert found.backwards.tolist() == [0, 0, 0]
    assert (found.cost.forward, found.cost.backward) == (12, 0)
    slope = FGSM(eps=0.25)(MODEL, INPUTS, LABELS)
    assert (slope.forwards.tolist(), slope.backwards.tolist()) == ([3, 3, 2], [1, 1, 0])
    again = FGSM(eps=0.25)(MODEL, INPUTS, LABELS)
    assert again.cost == slope.cost


def test_the_goal_is_shown_only_where_it_is_another_than_usual():
    assert repr(Darken()) == "Darken(eps=0.1, asked=0)"
    assert repr(Darken(goal=Targeted(target=1))) == "Darken(goal=Targeted(target=1), eps=0.1, asked=0)"


def test_an_aim_is_selected_and_repeated_with_its_rows():
    seen = []

    @dataclass(frozen=True, kw_only=True)
    class Looks(Darken):
        def perturb(self, model, inputs, aim):
            twice = aim.repeated(2)
            loss, reached = twice.ask(inputs.repeat_interleave(2, 0))
            seen.append(
                (len(aim), len(twice), twice.rows.tolist(), twice.budget.tolist(), loss.dtype, reached.tolist())
            )
            return inputs

    found = Looks()(MODEL, INPUTS, LABELS, eps=[0.5, 0.25, 0.125])
    assert seen == [(2, 4, [0, 0, 1, 1], [0.5, 0.5, 0.25, 0.25], torch.float64, [False] * 4)]
    assert found.queries.tolist() == [2, 2, 0]


@pytest.mark.parametrize(("steps", "moved"), [(1, 0.2), (2, 0.15), (3, 0.14)])
def test_pgd_takes_one_radius_and_then_at_most_three_tenths_of_it_from_the_input_itself(steps, moved):
    """The loss is highest at 0.14 above the input, seven tenths of the radius: 0.1, where the scale is 2.

    The last of two steps is a quarter of the radius, as steps become shorter at the end.
    """
    space = Space(bounds=(0.0, 4.0), scale=torch.tensor([2.0]))
    model = Model(forward=lambda x: torch.cat([1 + 4 * (x - 0.64) ** 2, 0 * x], 1), space=space)
    found = PGD(eps=0.1, steps=steps)(model, torch.tensor([[0.5]]), torch.tensor([0]))
    assert float(found.perturbed) == pytest.approx(0.5 + moved, abs=1e-6)
    assert found.success.tolist() == [False]
    assert FGSM(eps=0.1)(model, torch.tensor([[0.5]]), torch.tensor([0])).perturbed.item() == pytest.approx(0.7)


@dataclass(frozen=True, kw_only=True)
class Counted(Darken):
    """The same, with a limit of the questions."""

    queries: ClassVar[str] = "most"

    most: int = param(3, "queries of each example", low=1)


def test_an_attack_that_asks_more_than_its_limit_is_refused():
    assert Counted(asked=3)(MODEL, INPUTS, LABELS).queries.tolist() == [3, 3, 0]
    with pytest.raises(ContractError, match="queried more than 3 times"):
        Counted(asked=4)(MODEL, INPUTS, LABELS)
