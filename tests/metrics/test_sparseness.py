import numpy as np
import pytest
import torch

from probe import Attribution, Model, Space
from probe.explainers import Saliency
from probe.metrics import Sparseness


def gini(values):
    """The mean difference between two values drawn at random, as a share of twice their mean."""
    sizes = np.abs(values)
    return np.abs(sizes[:, None] - sizes).mean() / (2 * sizes.mean())


def scores(values, **space):
    values = torch.tensor(values)
    model = Model(forward=lambda x: torch.stack([x.sum(1), -x.sum(1)], 1), space=Space(**space))
    return Sparseness()(
        model, Attribution(values, torch.ones_like(values), torch.zeros(len(values)).long(), Saliency(), model.space)
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 1.0, 1.0, 1.0], 0.0),
        ([0.0, 0.0, -3.0, 0.0], 0.75),
        ([0.0, 0.0, 0.0, 0.0], 0.0),
        ([1.0, -1.0, 0.0, 0.0], 0.5),
        ([1.0, 2.0, 3.0, 4.0], 0.25),
    ],
)
def test_sparseness_equals_the_gini_index_by_hand(values, expected):
    assert scores([values]).value == pytest.approx(expected)


def test_sparseness_is_half_the_relative_mean_difference():
    values = np.random.default_rng(0).normal(size=(20, 9)).astype(np.float32)
    assert scores(values.tolist()).evidence.numpy() == pytest.approx([gini(row) for row in values], rel=1e-5)


def test_sparseness_counts_columns_of_one_feature_once():
    assert scores([[1.0, 2.0, 3.0, 0.0]], features=torch.tensor([0, 0, 1, 1])).value == pytest.approx(0.0)
