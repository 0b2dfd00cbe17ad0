"""Metrics that know the truth or another method: planted masks, features that change nothing, agreement."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from probe import Attribution, Explainer, Model, Space, load
from probe.errors import DataError, ShapeError, Unsupported
from probe.explainers import InputXGradient, IntegratedGradients, Saliency
from probe.metrics import Agreement, NullPlayer, PointingGame, RelevanceMass
from probe.metrics.masked import Memory

SOURCE = torch.Generator().manual_seed(0)
INPUTS = torch.randn(200, 8, generator=SOURCE)
WEIGHT = torch.tensor([3.0, -2.0, 1.5, 0.0, 0.0, 0.0, 0.0, 0.0])
TRUTH = WEIGHT != 0
SPACE = Space(bounds=(-9, 9), reference=torch.zeros(1, 8))


def product(x):
    """The first two features act together only, and the last five not at all."""
    score = x[:, 0] * x[:, 1] + x[:, 2]
    return torch.stack([score, -score], 1)


LINEAR = Model(forward=lambda x: torch.stack([x @ WEIGHT, -x @ WEIGHT], 1), space=SPACE)
JOINT = Model(forward=product, space=SPACE)


def of(values, model=LINEAR, inputs=INPUTS):
    return Attribution(values, inputs, torch.zeros(len(inputs), dtype=torch.long), Saliency(), model.space)


def noise(seed):
    return torch.randn(INPUTS.shape, generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True, kw_only=True)
class Reversed(Explainer):
    """The gradient with the other sign."""

    def attribute(self, model, inputs, targets):
        return -Saliency().attribute(model, inputs, targets)


@pytest.mark.parametrize("metric", [PointingGame(), RelevanceMass(), NullPlayer()], ids=str)
def test_truth_gets_1_noise_0_and_its_opposite_less(metric):
    best = InputXGradient()(LINEAR, INPUTS, 0 * LINEAR.predict(INPUTS)).planted(TRUTH)
    assert metric(LINEAR, of(best.values.abs()).planted(TRUTH)).value == pytest.approx(1)
    low, high = metric(LINEAR, of(noise(1)).planted(TRUTH)).interval(level=0.999)
    assert low < 0 < high
    assert metric(LINEAR, of((~TRUTH).float().expand(200, -1)).planted(TRUTH)).value < -0.3
    assert metric(LINEAR, of(noise(1) * 0).planted(TRUTH)).value == pytest.approx(0)
    few = of(noise(1)).planted(TRUTH)
    assert torch.equal(metric(LINEAR, few[3:5]).evidence, metric(LINEAR, few).evidence[3:5])


def test_features_that_are_absent_are_neither_random_nor_named():
    inputs = INPUTS[:1].clone()
    inputs[0, 4:] = 0
    values = torch.tensor([[4.0, 1.0, 1.0, 2.0, 9.0, 9.0, 9.0, 9.0]])
    found = of(values, inputs=inputs).planted(torch.arange(8) == 0)
    assert PointingGame()(LINEAR, found).evidence.tolist() == [[1, 0.25, 1]]
    assert RelevanceMass()(LINEAR, found).evidence.tolist() == [[0.5, 0.25, 1]]
    assert NullPlayer()(LINEAR, found).evidence.tolist() == [[0.25, 0.25, 0]]


def test_a_feature_holds_the_truth_that_one_of_its_coordinates_holds_and_ties_share_the_point():
    space = Space(bounds=(-9, 9), features=torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))
    model = Model(forward=LINEAR.forward, space=space)
    mask = torch.tensor([True, False, False, True, False, False, False, False])
    values = torch.tensor([[1.0, 1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0]])
    found = of(values, model, INPUTS[:1]).planted(mask)
    assert PointingGame()(model, found).evidence.tolist() == [[0.5, 0.5, 1]]
    assert RelevanceMass()(model, found).evidence.tolist() == [[0.5, 0.5, 1]]


def test_a_feature_that_acts_only_with_another_is_no_null_player():
    evidence = NullPlayer()(JOINT, of(torch.ones(200, 8), JOINT)).evidence
    assert torch.equal(evidence[:, 1], torch.full((200,), 5 / 8))
    used = Model(forward=lambda x: torch.stack([x.sum(1), -x.sum(1)], 1), space=SPACE)
    assert np.isnan(NullPlayer()(used, of(noise(1), used)).value)  # there is none
    memory = Memory()
    NullPlayer().measure(JOINT, of(noise(1), JOINT), memory)
    asked = JOINT.usage.forward
    NullPlayer().measure(JOINT, of(noise(2), JOINT), memory)
    assert JOINT.usage.forward <= asked + 1


def test_a_feature_that_another_stands_in_for_is_no_null_player():
    """Of two equal features neither is missed beside the other; each alone is."""
    either = Model(forward=lambda x: 3 * x[:, :2].amax(1, keepdim=True) * torch.tensor([1.0, -1.0]), space=SPACE)
    found = of(torch.ones(1, 8), either, torch.ones(1, 8))
    assert NullPlayer(draws=0)(either, found).evidence.tolist() == [[6 / 8, 6 / 8, 0]]


@pytest.mark.parametrize("by", ["rank", "top", "sign"])
def test_agreement_is_1_with_itself_0_by_chance_and_less_with_the_reverse(by):
    metric = Agreement(other=InputXGradient(), by=by, top=3)
    whole = Model(forward=lambda x: torch.stack([(x + x**2).sum(1), -x.sum(1)], 1), space=SPACE)
    own = InputXGradient()(whole, INPUTS, 0 * LINEAR.predict(INPUTS))
    assert metric(whole, own).value == pytest.approx(1)
    low, high = metric(whole, of(noise(5), whole)).interval(level=0.999)
    assert low < 0 < high
    assert metric(whole, of(-own.values, whole)).value < (0 if by != "top" else 1.01)


def test_agreement_equals_that_by_hand():
    one = torch.tensor([[5.0, -4.0, 3.0, 0.0, 1.0, 0.0, 0.0, 0.0]])
    weight = torch.tensor([1.0, -9.0, -3.0, 2.0, 0.0, 0.0, 0.0, 0.0])
    model = Model(forward=lambda x: torch.stack([x @ weight, -x @ weight], 1), space=SPACE)

    def evidence(by, top=5):
        found = Agreement(other=Saliency(), by=by, top=top)(model, of(one, model, INPUTS[:1]))
        return found.evidence[0].tolist()

    # Five features have a value. Signs + - + 0 + and + - - + 0: two agree; by chance 3/5 2/5 + 1/5 2/5 + 1/5 1/5.
    assert evidence("sign") == pytest.approx([2 / 5, 9 / 25, 1])
    assert evidence("top", 2) == pytest.approx([1 / 2, 2 / 5, 1])  # {0, 1} and {1, 2}
    # Ranks 5 1 4 2 3 and 4 1 2 5 3.
    assert evidence("rank") == pytest.approx([1 - 6 * (1 + 0 + 4 + 9 + 0) / 120, 0, 1])
    assert evidence("top", 9)[:2] == [1, 1]
    assert Agreement(other=Reversed(), by="rank")(model, Saliency()(model, INPUTS)).value == pytest.approx(-1)


def test_a_truth_is_kept_and_a_mask_that_fits_no_input_is_refused(tmp_path):
    found = IntegratedGradients()(LINEAR, INPUTS[:3]).planted(TRUTH)
    found.save(tmp_path / "it")
    assert torch.equal(load(tmp_path / "it").truth, TRUTH.expand(3, -1))
    assert torch.equal(found[1:].truth, TRUTH.expand(2, -1))
    with pytest.raises(
        ShapeError, match=r"mask of the truth has the shape \(5,\), expected that of the inputs, \(3, 8\)"
    ):
        found.planted(torch.ones(5))
    with pytest.raises(DataError, match="is empty for 1 of 3 examples"):
        found.planted(torch.arange(3)[:, None].expand(3, 8))
    bare = IntegratedGradients()(LINEAR, INPUTS[:3])
    for metric in (PointingGame(), RelevanceMass()):
        assert not metric.suits(bare)
        with pytest.raises(Unsupported, match=r"this explanation has none; write found.planted\(mask\)"):
            metric(LINEAR, bare)
