"""What attacks want: each goal's loss and when it is reached, by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from probe import Dataset, Model, Regression, Space, study
from probe.attacks import APGD, DDN, FMN, PGD, Cascade, Square
from probe.errors import DataError, RangeError, Unsupported
from probe.explainers import InputXGradient
from probe.goals import Both, Custom, Flip, LeastLikely, Margin, Targeted, TopK, Untargeted
from probe.metrics import Withstood
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


def test_a_label_leaves_the_k_most_likely_where_k_others_are_before_it():
    logits = torch.tensor([[2.0, 1.0, 0.0, -3.0], [0.0, 3.0, 1.0, -1.0], [1.0, 1.0, 1.0, 0.0]])
    for each in (logits, logits.numpy()):
        labels = torch.tensor([0, 0, 2]) if isinstance(each, torch.Tensor) else np.array([0, 0, 2])
        for k, lead, left in ((1, [-1, 3, 0], [0, 1, 1]), (2, [-2, 1, 0], [0, 1, 1]), (3, [-5, -1, -1], [0, 0, 0])):
            goal = TopK(k=k)
            assert goal.loss(Classification(), each, labels, None).tolist() == lead
            # Of the equal logits of the last row the first come first, as in a prediction.
            assert goal.reached(Classification(), each, labels, None).tolist() == [bool(one) for one in left]


@pytest.mark.parametrize("threshold", [None, 0.3])
def test_the_first_of_the_most_likely_is_the_prediction(threshold):
    source = torch.Generator().manual_seed(0)
    task = Classification(threshold=threshold)
    logits = torch.randint(-2, 3, (200, 2 if threshold else 4), generator=source) / 2  # with many ties
    labels = torch.randint(0, 2, (200,), generator=source)
    expected = Untargeted().reached(task, logits, labels, None)
    assert 0 < expected.sum() < 200
    assert torch.equal(TopK(k=1).reached(task, logits, labels, None), expected)
    assert torch.equal(TopK(k=1).loss(task, logits, labels, None), Margin().loss(task, logits, labels, None))


def turned(seed=0):
    """Logits are the inputs, turned; and the labels' distances from leaving the two most likely, L2 and L-infinity."""
    source = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(5, 5, generator=source)).Q
    x = torch.randn(24, 5, generator=source)
    return turn, x


def l2_to_leave(logits, labels, k):
    """The label comes down and the lowest of the k best others go up to one level: the best of those levels."""
    own, best = logits.gather(1, labels[:, None]), logits.scatter(1, labels[:, None], -torch.inf).topk(k).values
    level = (own + best.flip(1).cumsum(1)) / torch.arange(2, k + 2)
    up = (level[:, None] - best[..., None]).clamp(min=0)
    return ((own - level) ** 2 + (up**2).sum(1)).amin(1).sqrt()


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(
    "attack", [DDN(steps=300, gamma=0.03), FMN(norm="l2", steps=300)], ids=lambda each: each.name()
)
def test_the_way_out_of_the_most_likely_classes_is_the_shortest(attack, k):
    turn, x = turned()
    model = Model(forward=lambda x: x @ turn, space=Space(bounds=(-9.0, 9.0)))
    labels = model.predict(x)
    found = replace(attack, goal=TopK(k=k))(model, x, labels)
    nearest = l2_to_leave(x @ turn, labels, k)
    assert bool(found.success.all())
    assert (found.length >= nearest * (1 - 1e-3)).all()
    assert (found.length <= nearest * 1.05 + 1e-3).all(), found.length / nearest


@pytest.mark.parametrize(
    "attack", [PGD(steps=20), APGD(), Square(max_queries=300), Cascade()], ids=lambda each: each.name()
)
def test_labels_leave_the_most_likely_classes_where_the_radius_suffices(attack):
    _, x = turned(seed=1)
    model = Model(forward=lambda x: x.clone(), space=Space(bounds=(-9.0, 9.0)))
    labels = model.predict(x)
    distance = -TopK(k=2).loss(Classification(), x, labels, None) / 2  # the label down, others up
    eps = float(distance.median()) + 0.01
    found = replace(attack, eps=eps, goal=TopK(k=2))(model, x, labels)
    assert torch.equal(found.success, distance < eps)
    assert Withstood()(model, found).value == pytest.approx(float((distance >= eps).float().mean()))


def test_a_top_of_all_classes_and_of_no_classes_is_refused():
    model, inputs, labels = plane()
    with pytest.raises(
        RangeError, match="k = 3, and each of the 3 classes is among the 3 most likely; give k from 1 to 2"
    ):
        PGD(goal=TopK(k=3))(model, inputs, labels)
    number = Model(forward=lambda x: x[:, 0], task=Regression(("dog",), tolerance=1.0), space=model.space)
    with pytest.raises(Unsupported, match="only a class can be among the 2 most likely, and the task is Regression"):
        PGD(goal=TopK(k=2))(number, inputs, torch.zeros(2))
    several = Model(forward=lambda x: x, task=MultiLabel(("a", "b", "c")), space=model.space)
    with pytest.raises(Unsupported, match="the task is MultiLabel"):
        PGD(goal=TopK(k=2))(several, inputs, torch.zeros(2, 3).long())
    places = Model(forward=lambda x: torch.stack([x, x], 1), task=Places(("a", "b", "c")), space=model.space)
    with pytest.raises(Unsupported, match=r"as in model\.only\(0\)"):
        PGD(goal=TopK(k=2))(places, inputs, torch.zeros(2, 2).long())
    assert PGD(goal=TopK(k=2))(places.only(0), inputs, labels).goal == TopK(k=2)


def test_a_top_and_another_goal_are_reached_together():
    model, inputs, labels = plane()
    goal = TopK(k=2) & Margin(kappa=1.0)
    found = PGD(eps=2.0, steps=20, goal=goal)(model, inputs, labels)
    assert bool(found.success.all())
    logits = found.attacked.logits
    assert (logits[:, 0] < logits[:, 1:].amin(1)).all()
    assert (logits[:, 1:].amax(1) - logits[:, 0] >= 1).all()


def test_a_study_counts_how_often_labels_leave_the_most_likely():
    model, inputs, labels = plane()
    found = study.run(
        [PGD(goal=TopK(k=2), steps=5)], model, Dataset(inputs, labels, space=model.space), eps=[0.6, 1.6], progress=None
    )
    assert found["metric"].tolist() == ["goal_reached", "goal_reached"]
    assert found["value"].tolist() == [0.0, 1.0]  # 1.0 and 1.25 is where they leave
