from dataclasses import replace

import pytest
import torch
from probe_models.zoo.measures import measure

from probe import Model, zoo


@pytest.fixture(scope="module")
def test():
    return zoo.data("reviews")


@pytest.fixture(scope="module")
def optimist(test):
    """A model that likes every film."""
    logits = torch.tensor([0.0, 2.0])
    return Model(forward=lambda ids: logits.expand(len(ids), 2), embed=lambda ids: ids, space=test.space)


@pytest.mark.slow
def test_the_baseline_is_as_good_as_is_known_of_words_and_pairs_of_them(optimist, test):
    found = measure("linear baseline")(optimist, test)
    assert 0.77 < found["linear_baseline"] < 0.80
    assert found["linear_baseline_high"] - found["linear_baseline_low"] == pytest.approx(0.035, abs=0.001)
    positive = test.labels.double().mean().item()
    assert found["ahead_of_linear_baseline"] == pytest.approx(positive - found["linear_baseline"])
    assert found["ahead_of_linear_baseline_low"] < found["ahead_of_linear_baseline"]
    assert found["ahead_of_linear_baseline_high"] < 0


@pytest.mark.slow
def test_the_baseline_learns_nothing_from_what_it_is_tested_on(optimist, test):
    wrong = measure("linear baseline")(optimist, replace(test, labels=1 - test.labels))
    assert wrong["linear_baseline"] < 0.25
