"""What attacks want: each goal's loss and when it is reached, by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from probe import Dataset, Model, Regression, Space, study
from probe.attacks import PGD
from probe.errors import DataError, RangeError, Unsupported
from probe.explainers import InputXGradient
from probe.goals import Both, Custom, Flip, LeastLikely, Margin, Targeted, Untargeted
from probe.task import Classification, MultiLabel, Places

TASK = Classification(classes=("a", "b", "c"))
LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
LABELS = torch.tensor([0, 0])


def plane() -> tuple[Model, torch.Tensor, torch.Tensor]:
    """Logits are the inputs: one axis for each class."""
    model = Model(forward=lambda x: x.clone(), space=Space(bounds=(-4.0, 4.0)), classes=TASK.classes)
    return model, torch.tensor([[2.0, 1.0, 0.0], [3.0, 0.5, 1.0]]), torch.tensor([0, 0])


def test_untargeted_is_reached_by_any_wrong_answer():
    assert Untargeted().reached(TASK, LOGITS, LABELS, None).tolist() == [False, True]
    closer = Untargeted().loss(TASK, LOGITS + torch.tensor([0.0, 0.5, 0.0]), LABELS, None)
    assert (closer > Untargeted().loss(TASK, LOGITS, LABELS, None)).all()


def test_targeted_is_reached_by_its_own_answer_only():
    targets = torch.tensor([1, 2])
    assert Targeted().reached(TASK, LOGITS, LABELS, targets).tolist() == [False, False]
    assert Targeted().reached(TASK, LOGITS, LABELS, torch.tensor([0, 1])).tolist() == [True, True]
    assert Targeted(target=2).aims(TASK, LOGITS, None).tolist() == [2, 2]
    assert Targeted().aims(TASK, LOGITS, targets) is targets
    with pytest.raises(DataError, match=r"write Targeted\(target=3\), or give targets="):
        Targeted().aims(TASK, LOGITS, None)
    raised = LOGITS + torch.tensor([0.0, 0.0, 1.0])
    goal = Targeted(target=2)
    assert (
        goal.loss(TASK, raised, LABELS, goal.aims(TASK, LOGITS, None))
        > goal.loss(TASK, LOGITS, LABELS, torch.tensor([2, 2]))
    ).all()


def test_the_least_likely_class_is_that_before_the_attack():
    aims = LeastLikely().aims(TASK, LOGITS, None)
    assert aims.tolist() == [2, 0]
    assert LeastLikely().reached(TASK, LOGITS, LABELS, aims).tolist() == [False, False]
    assert LeastLikely().reached(TASK, -LOGITS, LABELS, aims).tolist() == [True, True]


@pytest.mark.parametrize(("kappa", "reached"), [(0.0, [False, True]), (3.0, [False, True]), (3.1, [False, False])])
def test_a_margin_is_by_how_much_the_best_wrong_logit_leads(kappa, reached):
    goal = Margin(kappa=kappa)
    assert goal.loss(TASK, LOGITS, LABELS, None).tolist() == [-1.0, 3.0]
    assert goal.reached(TASK, LOGITS, LABELS, None).tolist() == reached
    # With targets: by how much the target leads the next.
    targets = torch.tensor([1, 1])
    assert goal.loss(TASK, LOGITS, LABELS, targets).tolist() == [-1.0, 2.0]
    assert goal.reached(TASK, LOGITS, LABELS, targets).tolist() == [False, kappa <= 2]


def test_both_goals_are_reached_together_and_their_losses_are_summed():
    goal = Untargeted() & Margin(kappa=2.5)
    assert isinstance(goal, Both)
    assert goal.reached(TASK, LOGITS, LABELS, None).tolist() == [False, True]
    assert (Untargeted() & Margin(kappa=3.5)).reached(TASK, LOGITS, LABELS, None).tolist() == [False, False]
    assert (Targeted(target=1) & Untargeted()).reached(
        TASK, LOGITS, torch.tensor([0, 1]), torch.tensor([1, 1])
    ).tolist() == [False, False]
    expected = Untargeted().loss(TASK, LOGITS, LABELS, None) + Margin().loss(TASK, LOGITS, LABELS, None)
    torch.testing.assert_close(goal.loss(TASK, LOGITS, LABELS, None), expected)
    assert goal.aimed
    assert not (Untargeted() & LeastLikely()).aimed
    assert (Untargeted() & Targeted(target=2)).aims(TASK, LOGITS, None).tolist() == [2, 2]
    assert (LeastLikely() & Untargeted()).aims(TASK, LOGITS, None).tolist() == [2, 0]


def test_an_attack_with_both_goals_reaches_the_margin_where_it_succeeds():
    model, inputs, labels = plane()
    result = PGD(eps=2.0, steps=10, goal=Targeted(target=1) & Margin(kappa=1.0))(model, inputs, labels)
    points = result.perturbed[result.success]
    assert result.success.any()
    assert (points[:, 1] - points[:, [0, 2]].amax(1) >= 1.0).all()


def test_a_custom_goal_is_maximised_until_it_is_above_zero():
    model, inputs, labels = plane()
    goal = Custom(score=lambda logits, labels, targets: logits[:, 2] - logits[:, 1] - 0.5)
    result = PGD(eps=0.5, steps=5, goal=goal)(model, inputs, labels)
    # Third minus second: -1 and .5 at first, and 1 more within the ball; above .5 is wanted.
    assert result.success.tolist() == [False, True]
    assert result.perturbed[1, 2] - result.perturbed[1, 1] > 0.5
    named = replace(goal, score="lead of the third")
    with pytest.raises(Unsupported, match="keeps the name lead of the third"):
        named.loss(TASK, LOGITS, LABELS, None)


@pytest.mark.parametrize("targets", ["bird", ["bird", "dog"], np.array(["bird", "dog"]), ["bird", 1]])
def test_targets_are_named_wherever_an_index_is_taken(targets):
    model = Model(forward=lambda x: x, classes=("cat", "dog", "bird"), space=Space(reference=torch.zeros(1, 3)))
    inputs, labels = torch.tensor([[0.6, 0.5, 0.4], [0.6, 0.5, 0.4]]), torch.tensor([0, 0])
    expected = [2, 2] if isinstance(targets, str) else [2, 1]
    attack = PGD(goal=Targeted(), eps=0.3)
    assert attack(model, inputs, labels, targets=targets).attacked.predicted.tolist() == expected
    assert InputXGradient()(model, inputs, targets).targets.tolist() == expected
    found = study.run([attack], model, Dataset(inputs, labels), targets=targets, progress=None)
    assert found["value"].tolist() == [0.0]
    assert PGD(goal=Targeted(target="bird"), eps=0.3)(model, inputs, labels).targets.tolist() == [2, 2]


def test_a_target_that_is_no_class_is_refused_with_the_nearest():
    model, inputs, labels = Model(forward=lambda x: x, classes=("cat", "dog")), torch.rand(2, 2), torch.zeros(2).long()
    for ask in (
        lambda: PGD(goal=Targeted(target="dgo"))(model, inputs, labels),
        lambda: PGD(goal=Targeted())(model, inputs, labels, targets=["cat", "dgo"]),
        lambda: InputXGradient()(model, inputs, "dgo"),
    ):
        with pytest.raises(RangeError, match=r"'dgo' is no class \(did you mean 'dog'\?\); there are cat, dog"):
            ask()
    number = Model(forward=lambda x: x[:, 0], task=Regression(("dog",), tolerance=1.0))
    with pytest.raises(Unsupported, match="'dog' names a class, and the task is Regression"):
        PGD(goal=Targeted(target="dog"))(number, inputs, torch.zeros(2))


def test_a_class_whose_name_is_a_number_is_named_by_text_and_counted_by_a_number():
    task = Classification(classes=("2", "10", "0"))
    for target, index in (("2", 0), ("10", 1), ("0", 2), (2, 2), (0, 0)):
        assert Targeted(target=target).aims(task, LOGITS, None).tolist() == [index, index]
    with pytest.raises(RangeError, match="'1' is no class"):
        Targeted(target="1").aims(task, LOGITS, None)
    assert Targeted(target="2").aims(TASK, LOGITS, None).tolist() == [2, 2]  # as on the command line
    several = MultiLabel(("2", "10", "0"))
    labels = torch.tensor([[1, 1, 0], [1, 1, 0]])
    assert Flip(of="10").reached(several, LOGITS - 1.5, labels, None).tolist() == [True, False]
    assert Flip(of="1").reached(Places(("x", "y")), torch.eye(2)[None], torch.zeros(1, 2).long(), None).item()


def test_a_place_beyond_the_last_is_named():
    with pytest.raises(RangeError, match=r"Flip\.of = 7, expected a place from 0 to 1"):
        Flip(of=7).reached(Places(("x", "y")), torch.zeros(1, 2, 2), torch.zeros(1, 2).long(), None)
