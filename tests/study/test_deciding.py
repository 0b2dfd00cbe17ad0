import numpy as np
import pytest
import torch

from probe import Dataset, Model, Regression, study
from probe.anytime import anytime
from probe.attacks import FGSM
from probe.errors import RangeError, Unsupported
from probe.goals import Shift
from probe.metrics import GoalReached, RobustAccuracy

MODEL = Model(forward=lambda x: 4 * torch.cat([x, 1 - x], 1), classes=("high", "low"))
LINE = torch.linspace(0, 1, 1000)
DATA = Dataset(LINE[:, None], (LINE <= 0.5).long())
ATTACK = FGSM(eps=0.05)  # leaves .9 of the rows right


@pytest.mark.parametrize(("threshold", "status"), [(0.7, "pass"), (0.98, "fail"), (0.9, "inconclusive")])
def test_rows_are_attacked_until_the_interval_is_on_one_side_of_the_threshold(threshold, status):
    found = study.until_decided(ATTACK, MODEL, DATA, threshold=threshold, batch=40, seed=1)
    assert found.status == status
    asked = len(found.rows)
    assert (asked == 1000) == (status == "inconclusive")
    whole = ATTACK(MODEL, DATA.inputs[found.rows], DATA.labels[found.rows])
    assert torch.equal(found.result.perturbed, whole.perturbed)
    hits = RobustAccuracy()(MODEL, whole).evidence.double().cumsum(0).numpy()[39::40]
    assert found.looks["value"].tolist() == (hits / found.looks["rows"]).tolist()
    low, high = anytime(hits, found.looks["rows"])
    decided = (low >= threshold) | (high < threshold)
    assert decided[:-1].sum() == 0
    assert decided[-1] == (status != "inconclusive")
    assert found.estimate == (found.looks["value"].iloc[-1], low[-1], high[-1], asked)


def test_a_share_that_is_better_lower_and_one_of_only_some_rows_are_decided_too():
    low = study.until_decided(ATTACK, MODEL, DATA, threshold=0.3, metric=GoalReached(), batch=20)
    assert low.status == "pass"
    assert low.estimate.value < 0.2
    prices = Model(forward=lambda x: x.sum(1), task=Regression(("price",)))
    shifted = study.until_decided(
        FGSM(eps=0.01, goal=Shift(by=0.5)), prices, Dataset(torch.rand(99, 2), torch.zeros(99))
    )
    assert (shifted.status, shifted.estimate.value) == ("pass", 1.0)


def test_what_cannot_be_decided_is_refused():
    class Depth(RobustAccuracy):
        """Another reduction."""

        reduction = "mean"

    for settings, error, words in (
        ({"threshold": 1.5}, RangeError, "between 0 and 1"),
        ({"batch": 0}, RangeError, "at least 1 row"),
        ({"metric": Depth()}, Unsupported, "no share of rows"),
    ):
        with pytest.raises(error, match=words):
            study.until_decided(**{"attack": ATTACK, "model": MODEL, "data": DATA, **settings})


def test_the_order_of_rows_follows_from_the_seed():
    one, same, other = (study.until_decided(ATTACK, MODEL, DATA, threshold=0.7, seed=seed).rows for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not np.array_equal(one[:20], other[:20])
