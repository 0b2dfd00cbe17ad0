"""Explanations that no metric can measure: one sentence that says what was expected."""

from dataclasses import replace

import pytest
import torch

from probe import Model, Space
from probe.errors import DataError, Unsupported
from probe.explainers import Saliency
from probe.metrics import MPRT, Agreement, EfficientMPRT, MaxSensitivity, RandomLogit, Sparseness

LAYER = torch.nn.Linear(4, 3).eval()
MODEL = Model(forward=LAYER, space=Space(bounds=(0.0, 1.0)))
FOUND = Saliency()(MODEL, torch.rand(3, 4, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("metric", [MPRT(), EfficientMPRT(), RandomLogit(), MaxSensitivity()])
def test_values_that_no_explainer_made_cannot_be_asked_again(metric):
    with pytest.raises(Unsupported, match=rf"{metric.name()} asks the explainer again, and .* made by sparseness"):
        metric(MODEL, replace(FOUND, method=Sparseness()))


@pytest.mark.parametrize("metric", [MPRT(), EfficientMPRT(), Sparseness(), Agreement(other=Saliency())])
@pytest.mark.parametrize("number", [torch.nan, torch.inf])
def test_values_that_are_no_numbers_are_refused_and_the_remedy_works(metric, number):
    values = FOUND.values.clone()
    values[0, 2] = number
    spoiled = replace(FOUND, values=values)
    with pytest.raises(DataError, match=r"NaN or infinity, first in row 0, .* found\[rows\]"):
        metric(MODEL, spoiled)
    assert len(metric(MODEL, spoiled[1:]).evidence) == 2


@pytest.mark.parametrize("mask", [None, "patch"])
def test_a_mask_that_is_none_is_refused(mask):
    with pytest.raises(DataError, match="expected True or False for each coordinate"):
        FOUND.planted(mask)
