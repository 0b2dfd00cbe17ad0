"""Concept activation vectors: planted concepts, what a layer does not hold, and intervals over repeats."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import ttest_1samp
from torch import nn

from probe import Dataset, Model, Space
from probe.errors import RangeError, Unsupported
from probe.reductions import reduction
from probe.surveys import TCAV

SPACE = Space(
    bounds=(-9.0, 9.0), names=("age", "debt", "sex"), features=torch.tensor([0, 1, 2, 2]),
    kinds=("continuous", "continuous", "category"), levels=("", "", "f", "m"),
)  # fmt: skip
SMALL = {"layers": ("0",), "repeats": 6}


def planted(rows=300):
    """Layer 0 holds everything; the second class is 3 age - 2 debt, and sex is not looked at."""
    network = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 2, bias=False)).eval()
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(4))
        network[1].weight.copy_(torch.tensor([[0.0, 0, 0, 0], [3, -2, 0, 0]]))
    x = torch.randn(rows, 4, generator=torch.Generator().manual_seed(1))
    x[:, 2:] = torch.eye(2)[torch.randint(2, (rows,), generator=torch.Generator().manual_seed(2))]
    labels = (3 * x[:, 0] > 2 * x[:, 1]).long()
    model = Model(forward=network, space=SPACE, classes=("0", "1"), training=(x, labels))
    return model, Dataset(x[:40], labels[:40], space=SPACE)


def scores(method, model, data):
    return method(model, data).to_frame().set_index("item")


@pytest.mark.parametrize(("feature", "answer", "score"), [
    ("age", "", 1.0), ("debt", "", 0.0), ("age", "0", None), ("debt", "1", 0.0),
])  # fmt: skip
def test_a_planted_concept_raises_or_lowers_the_output_in_all_rows(feature, answer, score):
    model, data = planted()
    if score is None:  # the output of the first class is flat, and does not rise
        assert scores(TCAV(**SMALL, feature=feature, answer=answer), model, data)["value"]["0: concept"] == 0.0
        return
    found = scores(TCAV(**SMALL, feature=feature, answer=answer), model, data)
    assert found["value"]["0: concept"] == score
    difference = found.loc["0: difference"]
    assert difference["value"] == pytest.approx(score - found["value"]["0: random concepts"])
    assert found["low"]["0: concept"] == found["high"]["0: concept"] == score


def test_a_concept_that_is_not_looked_at_is_like_a_random_one():
    model, data = planted()
    found = scores(TCAV(layers=("0",), feature="sex", value="f", repeats=20), model, data).loc["0: difference"]
    assert found["low"] < 0 < found["high"]


def test_vectors_point_to_the_concept_and_are_told_by_rows_held_out():
    model, _ = planted()
    known = model.training[0]
    method = TCAV(**SMALL, feature="age", examples=80)
    found = method.vectors(model, "0", known[known[:, 0] > 0], known[known[:, 0] <= 0])
    assert found.concept.shape == found.random.shape == (6, 4)
    assert found.n == 80
    assert float(found.concept[:, 0].min()) > 0.9
    assert found.accuracy > 0.9
    torch.testing.assert_close(found.concept.norm(dim=1), torch.ones(6, dtype=torch.double))


def test_a_concept_that_a_layer_does_not_hold_is_refused():
    model, data = planted()
    with torch.no_grad():
        model.forward[0].weight[0, 0] = 0.0
    with pytest.raises(Unsupported, match=r"does not hold the concept age above its median: its vectors tell \d\d"):
        TCAV(**SMALL, feature="age")(model, data)
    assert len(scores(TCAV(**SMALL, feature="age", least=0.0), model, data)) == 3
    with pytest.raises(RangeError, match=r"TCAV\.feature = 'size', expected one of age, debt, sex"):
        TCAV(**SMALL, feature="size")(model, data)
    with pytest.raises(RangeError, match=r"TCAV\.value = 'x', expected a value of sex that training rows have, such"):
        TCAV(**SMALL, feature="sex", value="x")(model, data)
    with pytest.raises(Unsupported, match="looks for concepts among training rows, and model has none"):
        TCAV(**SMALL, feature="age")(replace(model, training=None), data)
    with pytest.raises(RangeError, match="has 1 rows of the concept age above its median and 2 others, expected"):
        TCAV(**SMALL, feature="age").towards(model, data, data.inputs[:1], data.inputs[:2])


def test_rows_of_ones_own_are_a_concept():
    model, data = planted()
    x = model.training[0]
    tall = x[:, 1] > 0.3
    own = TCAV(**SMALL, feature="debt").towards(replace(model, training=None), data, x[tall], x[~tall])
    assert own.to_frame()["value"][0] == 0.0
    assert own.cost.forward > 0


def test_intervals_are_students_over_repeats_and_wider_for_more_layers():
    evidence = np.random.default_rng(0).random((30, 8))
    found = reduction("mean over repeats", {"layers": ("0",)})
    theirs = ttest_1samp(evidence.mean(0), 0).confidence_interval(0.95)
    assert found.value(evidence) == pytest.approx(evidence.mean())
    assert found.interval(evidence) == pytest.approx((theirs.low, theirs.high))
    two = reduction("mean over repeats", {"layers": ("0", "1")}).interval(evidence)
    wider = ttest_1samp(evidence.mean(0), 0).confidence_interval(0.975)
    assert two == pytest.approx((wider.low, wider.high))
