"""Linear probes: what a layer was made to hold or to forget, what is only learned by heart, and scikit-learn's fits."""

import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
from torch import nn

from probe import Dataset, Model, MultiLabel, Regression, Space
from probe.errors import RangeError, Unsupported
from probe.surveys import LinearProbe
from tests.test_internals import drawn

NAMES = ("age", "debt", "pay")
SPACE = Space(bounds=(-99.0, 99.0), names=NAMES)


def made(rows=150, **given):
    """Layer 0 holds everything, layer 1 the first number alone."""
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2))
    model = Model(forward=drawn(network), space=SPACE, **given)
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(3))
        network[1].weight.copy_(torch.tensor([[2.0, 0, 0], [1, 0, 0], [-1, 0, 0]]))
    x = torch.randn(rows, 3, generator=torch.Generator().manual_seed(3))
    return model, Dataset(x, (x[:, 1] > 0).long(), space=SPACE)


def values(method, model, data):
    return method(model, data).to_frame().set_index("item")["value"]


def test_a_property_is_read_where_the_layer_holds_it_and_nowhere_else():
    model, data = made()
    found = values(LinearProbe(), model, data)
    assert found["0: accuracy"] > 0.9
    assert found["0: selectivity"] > 0.35
    assert abs(found["1: selectivity"]) < 0.2
    first = values(LinearProbe(feature="age"), model, data)
    assert first["0: accuracy"] > 0.9
    assert first["1: accuracy"] > 0.9
    for name in ("0", "1", "2"):
        assert found[f"{name}: selectivity"] == pytest.approx(
            found[f"{name}: accuracy"] - found[f"{name}: control task"]
        )


def test_what_can_be_learned_by_heart_is_not_selective():
    """Each of 12 words has a direction of its own: labels drawn for words are told as well as true ones."""
    words = torch.arange(240) % 12
    x = torch.eye(12)[words]
    space = Space(bounds=(0.0, 1.0), names=("word",), kinds=("category",), features=torch.zeros(12, dtype=torch.long))
    model = Model(forward=drawn(nn.Sequential(nn.Identity(), nn.Linear(12, 2))), space=space)
    data = Dataset(x, words % 2, space=space)
    method = LinearProbe(layers=("0",), control="word")
    found = values(method, model, data)
    assert found["0: accuracy"] == 1.0
    assert found["0: control task"] == 1.0
    assert values(LinearProbe(layers=("0",)), model, data)["0: control task"] < 0.7
    drawn_labels = method.drawn(model, x, words % 2)
    assert all(len(drawn_labels[words == word].unique()) == 1 for word in range(12))


@torch.no_grad()
def test_each_fold_is_told_by_the_ridge_of_scikit_learn():
    model, data = made(60)
    method = LinearProbe(layers=("0",), folds=3)
    right = method(model, data).evidence[:, 0]
    numbers = model.forward[0](data.inputs).double().numpy()
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    folds = (torch.arange(60) % 3)[order].numpy()
    for fold in range(3):
        there = folds != fold
        scaler = StandardScaler().fit(numbers[there])
        own = scaler.transform(numbers[there]) * (39 / 40) ** 0.5  # torch divides by one less
        penalty = 0.1 * (own**2).sum(1).mean()
        labels = data.labels.numpy()
        fitted = Ridge(alpha=penalty).fit(own, labels[there])
        told = fitted.predict(scaler.transform(numbers[~there]) * (39 / 40) ** 0.5) > 0.5
        assert (told == labels[~there]).tolist() == right[torch.tensor(~there)].bool().tolist()


def test_one_place_of_a_text_is_read_and_numbers_by_their_median():
    network = drawn(nn.Sequential(nn.Tanh(), nn.Flatten(), nn.Linear(12, 2)))
    x = torch.randn(80, 4, 3, generator=torch.Generator().manual_seed(1))
    space = Space(bounds=(-99.0, 99.0))
    model = Model(forward=network, space=space)
    data = Dataset(x, (x[:, -1, 0] > 0).long(), space=space)
    assert values(LinearProbe(layers=("0",), place=-1), model, data)["0: accuracy"] > 0.9
    assert abs(values(LinearProbe(layers=("0",), place=0), model, data)["0: selectivity"]) < 0.3
    with pytest.raises(RangeError, match=r"place = 4, and the layer '0' gives \(4, 3\)"):
        LinearProbe(layers=("0",), place=4)(model, data)
    number = Model(forward=drawn(nn.Sequential(nn.Identity(), nn.Linear(3, 1))), space=SPACE, task=Regression(("y",)))
    rows = torch.randn(80, 3, generator=torch.Generator().manual_seed(1))
    assert values(LinearProbe(layers=("0",)), number, Dataset(rows, rows[:, 0], space=SPACE))["0: accuracy"] > 0.9


def test_what_cannot_be_read_is_refused():
    model, data = made()
    with pytest.raises(RangeError, match=r"LinearProbe\.feature = 'size', expected one of age, debt, pay"):
        LinearProbe(feature="size")(model, data)
    with pytest.raises(Unsupported, match="found rows: 150, kinds: 1; give at least 5 rows of two kinds"):
        LinearProbe()(model, Dataset(data.inputs, torch.zeros(150, dtype=torch.long), space=SPACE))
    with pytest.raises(Unsupported, match="found rows: 4, kinds: 2; give at least 5 rows of two kinds"):
        LinearProbe()(model, data[:4])
    several, labels = made(task=MultiLabel(("a", "b")))[0], torch.zeros(150, 2, dtype=torch.long)
    with pytest.raises(Unsupported, match=r"reads one label of each row"):
        LinearProbe()(several, Dataset(data.inputs, labels, space=SPACE))
