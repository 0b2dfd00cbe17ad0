"""Nearest training rows in a layer: by hand, and against scikit-learn."""

from dataclasses import replace

import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import nn

from probe import Dataset, Model, Space
from probe.errors import RangeError, Unsupported
from probe.surveys import NearestCases


def learned(count=50):
    source = torch.Generator().manual_seed(0)
    layers = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).eval()
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source))
    known = torch.randn(count, 4, generator=source)
    model = Model(forward=layers, space=Space(bounds=(-99.0, 99.0)), classes=("a", "b"))
    labels = model.predict(known)
    labels[::3] = 1 - labels[::3]
    return replace(model, training=(known, labels)), torch.randn(7, 4, generator=source)


def test_the_nearest_are_those_of_scikit_learn_in_the_output_of_the_layer():
    model, x = learned()
    known, labels = model.training
    tree = NearestNeighbors(n_neighbors=4).fit(model.forward[:2](known).detach().numpy())
    distances, rows = tree.kneighbors(model.forward[:2](x).detach().numpy())
    method = NearestCases(layer="1", count=4)
    found = method.cases(model, x)
    assert found.rows.tolist() == rows.tolist()
    torch.testing.assert_close(found.distances, torch.tensor(distances), check_dtype=False)
    seen = method(model, Dataset(x, torch.zeros(7, dtype=torch.long), space=model.space, classes=model.classes))
    assert torch.equal(seen.evidence, (labels[found.rows] == model.predict(x)[:, None]).float())
    assert seen.items == ("nearest 1", "nearest 2", "nearest 3", "nearest 4")


def test_a_training_row_is_its_own_nearest_and_equal_ones_keep_their_order(monkeypatch):
    model, _ = learned()
    known, labels = model.training
    doubled = replace(model, training=(known.repeat(2, 1), labels.repeat(2)))
    found = NearestCases(layer="0", count=2).cases(doubled, known)
    assert found.rows.tolist() == [[at, at + 50] for at in range(50)]
    monkeypatch.setattr("probe.surveys.nearest._ENTRIES", 300)
    few = replace(doubled, batch_size=9)
    assert NearestCases(layer="0", count=2).cases(few, known).rows.tolist() == found.rows.tolist()


def test_models_without_training_rows_or_with_too_few_are_refused():
    model, x = learned(3)
    data = Dataset(x, torch.zeros(7, dtype=torch.long), space=model.space, classes=model.classes)
    with pytest.raises(RangeError, match="count = 5, and model has 3 training rows"):
        NearestCases(layer="1")(model, data)
    with pytest.raises(Unsupported, match=r"needs training rows, and model has none; write replace\(model, training="):
        NearestCases(layer="1")(replace(model, training=None), data)
