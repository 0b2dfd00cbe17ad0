"""Networks whose rows have several answers: labels that can be true at once, and a class at each place."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from probe import Classification, Dataset, Model, MultiLabel, Places, Regression, Space, predict
from probe.attacks import FGSM, PGD
from probe.errors import DataError, RangeError, Unsupported
from probe.explainers import InputXGradient
from probe.goals import Flip, LeastLikely, Targeted, Untargeted
from probe.metrics import Accuracy, AreaUnderROC, ExactMatch, RobustAccuracy
from probe.task import Single, from_json

RANDOM = torch.Generator().manual_seed(0)
X = torch.rand(40, 4, generator=RANDOM)
WEIGHT = 6 * torch.randn(3, 4, generator=RANDOM)
SPACE = Space(reference=torch.full((1, 4), 0.5))
NAMES = ("old", "tall", "wood")
TASK = MultiLabel(NAMES, threshold=(0.5, 0.3, 0.6))
CUTS = torch.tensor([0.5, 0.3, 0.6])


def network():
    layer = torch.nn.Linear(4, 3).eval()
    with torch.no_grad():
        layer.weight.copy_(WEIGHT)
        layer.bias.copy_(-WEIGHT.sum(1) / 2)
    return layer


MODEL = Model(forward=network(), space=SPACE, task=TASK)
TRUTH = (MODEL.logits(X) + torch.randn(40, 3, generator=RANDOM) > 0).long()
TAGS = torch.nn.Linear(4, 6)
with torch.no_grad():
    TAGS.weight.copy_(torch.randn(6, 4, generator=RANDOM))
    TAGS.bias.copy_(-TAGS.weight.sum(1) / 2)
TAGGER = Model(
    forward=torch.nn.Sequential(TAGS, torch.nn.Unflatten(1, (3, 2))).eval(),
    space=SPACE,
    task=Places(("noun", "verb")),
)


@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
@pytest.mark.parametrize("name", NAMES)
def test_one_label_of_several_is_a_classification_with_its_own_threshold(outputs, name):
    forward = MODEL.forward if outputs == "logits" else torch.nn.Sequential(MODEL.forward, torch.nn.Sigmoid()).eval()
    model, at = replace(MODEL, forward=forward, task=replace(TASK, outputs=outputs)), NAMES.index(name)
    one = model.only(name)
    assert one.classes == (f"not {name}", name)
    torch.testing.assert_close(one.logits(X).diff()[:, 0], MODEL.logits(X)[:, at])
    assert torch.equal(one.predict(X), model.predict(X)[:, at])
    assert one.digest() == model.digest()
    assert from_json(one.task.to_json()) == one.task
    answers = predict(model, Dataset(X, TRUTH)).only(name)
    torch.testing.assert_close(answers.logits, one.logits(X))
    assert answers.is_of(one)


def test_queries_about_one_label_count_for_the_whole_model():
    model = replace(MODEL, usage=type(MODEL.usage)())
    model.only("tall").predict(X)
    assert model.usage.forward == len(X)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (
            lambda: MODEL.only("tal"),
            RangeError,
            r"'tal' is no label \(did you mean 'tall'\?\); there are old, tall, wood",
        ),
        (lambda: MODEL.only(3), RangeError, "3 is no label"),
        (lambda: TAGGER.only("noun"), RangeError, "'noun' is not a place, expected its number"),
        (lambda: TAGGER.only(7).logits(X), Exception, r"forward returned \(40, 3, 2\).*number 7 is asked for"),
        (lambda: TAGGER.task.index((0, "nuon")), RangeError, "did you mean 'noun'"),
        (lambda: TAGGER.task.index(3), RangeError, r"expected a place and a class, such as \(3, 'verb'\)"),
        (lambda: Classification(("a", "b")).only(0), Unsupported, "a row of Classification has one answer"),
        (lambda: Single(at=-1), RangeError, "expected the number of an answer"),
        (lambda: Dataset(X, TRUTH[:, 0]).only(0), RangeError, "has one label for each row"),
        (lambda: Dataset(X, TRUTH).only(3), RangeError, "3 is no label of data, which has 3 for each row"),
        (lambda: PGD(goal=Flip(of="odl"))(MODEL, X, TRUTH), RangeError, "did you mean 'old'"),
    ],
)
def test_unknown_answers_of_a_task_are_refused_with_the_known_ones(ask, error, message):
    with pytest.raises(error, match=message):
        ask()


def test_the_data_of_one_label_are_its_column():
    data = Dataset(X, TRUTH, classes=NAMES)
    assert torch.equal(data.only("wood").labels, TRUTH[:, 2])
    assert data.only("wood").classes == ("not wood", "wood")


def test_accuracy_of_several_labels_is_by_decision_and_an_exact_match_by_row():
    answers = predict(MODEL, Dataset(X, TRUTH))
    right = (MODEL.logits(X).sigmoid() >= CUTS) == TRUTH.bool()
    assert Accuracy()(MODEL, answers).value == pytest.approx(right.float().mean().item())
    assert ExactMatch()(MODEL, answers).value == pytest.approx(right.all(1).float().mean().item())
    for at, name in enumerate(NAMES):
        one = answers.only(name)
        assert Accuracy()(MODEL.only(name), one).value == pytest.approx(right[:, at].float().mean().item())
        assert 0.5 < AreaUnderROC()(MODEL.only(name), one).value <= 1
    one = Model(forward=network(), space=SPACE, task=Classification())
    with pytest.raises(Unsupported, match="an exact match needs several answers, and a row of Classification has one"):
        ExactMatch()(one, predict(one, Dataset(X, TRUTH[:, 0])))


PADDED = torch.rand(40, 3, generator=RANDOM) < 0.4
PADDED[PADDED.all(1), 0] = False
SPOKEN = (TAGGER.predict(X) + (torch.rand(40, 3, generator=RANDOM) < 0.2)) % 2
TAGGED = SPOKEN.masked_fill(PADDED, -100)


def test_places_without_a_label_have_no_target_either():
    found = FGSM(eps=0.1, goal=LeastLikely())(TAGGER, X, TAGGED)
    assert torch.equal(found.targets == -100, PADDED)
    assert torch.equal(found.targets[~PADDED], 1 - TAGGER.predict(X)[~PADDED])


def test_places_without_a_label_are_not_counted():
    answers = predict(TAGGER, Dataset(X, TAGGED))
    right = TAGGER.predict(X) == SPOKEN
    scores = Accuracy()(TAGGER, answers)
    assert scores.value == pytest.approx(right[~PADDED].double().mean().item())
    low, high = scores.interval()
    assert low < scores.value < high
    assert ExactMatch()(TAGGER, answers).value == pytest.approx((right | PADDED).all(1).double().mean().item())
    assert f"of {int((~PADDED).sum())} places right" in repr(answers)
    assert [" ".join(word.split()).count("-") for word in answers.to_frame()["label"]] == PADDED.sum(1).tolist()
    for at in range(3):
        there = ~PADDED[:, at]
        alone = answers.only(at)
        assert torch.equal(alone.labels, SPOKEN[there, at])
        assert torch.equal(Dataset(X, TAGGED).only(at).rows, there.nonzero()[:, 0])


@pytest.mark.parametrize("goal", [Untargeted(), LeastLikely(), Targeted(), Flip(of=1)])
def test_places_without_a_label_are_not_attacked(goal):
    asked = {"targets": 1 - TAGGED.clamp(min=0)} if goal.aimed else {}
    found = PGD(goal=goal, eps=0.2, steps=5)(TAGGER, X, TAGGED, **asked)
    held = PADDED[:, 1] if isinstance(goal, Flip) else torch.zeros(40, dtype=torch.bool)
    assert found.success.any()
    assert not found.success[held].any()
    assert torch.equal(found.perturbed[held], X[held])
    after = TAGGER.predict(found.perturbed)
    if isinstance(goal, Untargeted):
        assert ((after != SPOKEN) & ~PADDED).any(1)[found.success].all()
    if isinstance(goal, Targeted):
        assert ((after == asked["targets"]) | PADDED).all(1)[found.success].all()


def test_the_loss_of_places_is_the_largest_of_those_with_a_label():
    logits = TAGGER.logits(X)
    each = torch.stack([TAGGER.task.only(at).loss(logits[:, at], SPOKEN[:, at]) for at in range(3)], 1)
    expected = each.masked_fill(PADDED, -torch.inf).amax(1)
    torch.testing.assert_close(TAGGER.task.loss(logits, TAGGED), expected)
    found = TAGGER.task.loss(logits.detach().numpy(), TAGGED.numpy())
    np.testing.assert_allclose(found, expected.detach(), rtol=1e-5)


def test_labels_of_places_that_are_neither_classes_nor_left_out_are_refused():
    for odd, message in (
        (-1, r"labels span -1 to 1, expected 0 to 1 .*or -100 where there is no label"),
        (2, "span 0 to 2"),
    ):
        with pytest.raises(DataError, match=message):
            predict(TAGGER, Dataset(X, TAGGED.masked_fill(torch.arange(3) == 2, odd)))
    with pytest.raises(DataError, match="labels of row 3 are -100 at each place"):
        predict(TAGGER, Dataset(X, TAGGED.masked_fill(torch.arange(40)[:, None] == 3, -100)))


def test_an_attack_flips_any_label_or_the_one_that_is_named():
    eps = 0.1
    far = MODEL.logits(X) - CUTS.logit()
    reach = torch.stack([_reach(X, WEIGHT[at], far[:, at], eps) for at in range(3)], 1)
    right = (far >= 0) == TRUTH.bool()
    named = PGD(goal=Flip(of="tall"), eps=eps, steps=20)(MODEL, X, TRUTH)
    assert torch.equal(named.success, right[:, 1] & reach[:, 1])
    alone = PGD(eps=eps, steps=20)(MODEL.only("tall"), X, TRUTH[:, 1])
    assert torch.equal(alone.success, named.success)
    anything = PGD(eps=eps, steps=20)(MODEL, X, TRUTH)
    assert (anything.success <= right.all(1) & reach.any(1)).all()  # it goes for the label that is nearest
    assert 0 < anything.success.sum() < right.all(1).sum()
    wrong = (anything.attacked.predicted != TRUTH).any(1)
    assert torch.equal(anything.success, right.all(1) & wrong)
    assert RobustAccuracy()(MODEL, anything).value == pytest.approx((~wrong).float().mean().item())


def _reach(inputs, weight, far, eps):
    """Whether a move of each coordinate by eps, within 0 and 1, takes the score of a linear label across its cut."""
    step = eps * weight.sign() * torch.where(far >= 0, -1.0, 1.0)[:, None]
    moved = far + ((inputs + step).clamp(0, 1) - inputs) @ weight
    return (moved >= 0) != (far >= 0)


def test_a_class_at_a_place_is_explained_by_name_and_one_place_attacked_alone():
    target = torch.full((len(X),), TAGGER.task.index((2, "verb")))
    found = InputXGradient()(TAGGER, X, targets=target).values
    weight = TAGGER.forward[0].weight.detach()
    torch.testing.assert_close(found, X * weight[5])
    tags = TAGGER.predict(X)
    assert torch.equal(TAGGER.only(2).predict(X), tags[:, 2])
    attacked = FGSM(goal=Flip(of=2), eps=0.3)(TAGGER, X, tags)
    alone = FGSM(eps=0.3)(TAGGER.only(2), X, tags[:, 2])
    assert 0 < attacked.success.sum() < len(X)
    assert torch.equal(attacked.success, alone.success)
    whole = PGD(eps=0.3)(TAGGER, X, tags)
    assert torch.equal(whole.success, (whole.attacked.predicted != tags).any(1))
    assert whole.success.sum() >= attacked.success.sum()


def test_one_label_is_predicted_alike_from_numpy_and_torch():
    numbers = MODEL.logits(X)
    for at in range(3):
        one, other = TASK.alone(numbers, at), TASK.alone(numbers.numpy(), at)
        np.testing.assert_array_equal(one, other)
    assert TASK.several(numbers.numpy()) == NAMES
    assert Regression().several(numbers) == ()
    tied = TASK.tied(numbers.numpy(), TRUTH.numpy(), 0.0)
    assert tied.shape == (40,)
    assert not tied.any()
