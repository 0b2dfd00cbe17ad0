"""The nearest rows that an audit keeps, against all distances, and what is read of them."""

import numpy as np
import pytest
import torch

from probe import Dataset, Space
from probe.audit.consistency import explanations
from probe.audit.neighbours import FEW, neighbours
from probe.errors import IntegrityError
from probe.forms import Tokens


def data_of(inputs, labels, space):
    names = tuple("abc"[: int(labels.max()) + 1]) if not labels.is_floating_point() else ()
    return Dataset(inputs, labels, space=space, classes=names)


def all_distances(inputs, rows, scale):
    return np.abs((inputs[rows][:, None] - inputs[None]) / scale).reshape(len(rows), len(inputs), -1).sum(2)


@pytest.mark.parametrize("shape", [(3,), (1, 4, 4)])
def test_the_nearest_rows_of_each_label_are_those_of_all_distances(shape):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(90, *shape, generator=generator)
    inputs[7] = inputs[3]  # twins are equally far from every row
    labels = torch.randint(3, (90,), generator=generator)
    scale = torch.rand(shape, generator=generator) + 0.1
    rows = torch.tensor([3, 20, 89])
    data = data_of(inputs, labels, Space(bounds=(0.0, 1.0), scale=scale))
    found = neighbours(data.space, data, rows, 3, 0)
    far = all_distances(inputs.double().numpy(), rows.numpy(), scale.numpy())
    for at, row in enumerate(rows.tolist()):
        away = far[at].copy()
        away[row] = np.inf
        wanted = set()
        for side in (labels == labels[row], labels != labels[row]):
            there = np.flatnonzero(side.numpy() & (np.arange(90) != row))
            wanted |= set(there[np.argsort(away[there], kind="stable")][:FEW].tolist())
        kept = found["near"][at][found["near"][at] >= 0]
        assert set(kept.tolist()) == wanted
        assert found["near_far"][at][: len(kept)] == pytest.approx(away[kept], rel=1e-6)
        within = found["near_within"][at]
        assert set(np.flatnonzero(away < within * (1 - 1e-6)).tolist()) <= set(kept.tolist())
    assert found["near"][0, 0] == 7
    assert found["near_far"][0, 0] == 0
    assert found["near_among"].tolist() == [89] * 3


def test_words_are_as_far_apart_as_there_are_others_and_few_rows_leave_room():
    words = torch.tensor([[1, 2, 3], [1, 2, 4], [4, 4, 4], [1, 5, 4]])
    space = Space(bounds=(0, 5), form=Tokens())
    found = neighbours(space, data_of(words, torch.tensor([0, 1, 0, 1]), space), torch.tensor([0]), 1, 0)
    assert found["near"][0, :4].tolist() == [1, 3, 2, -1]
    assert found["near_far"][0, :4].tolist() == [1, 2, 3, np.inf]
    assert found["near_within"].tolist() == [np.inf]


def test_of_numbers_the_nearest_are_kept_whatever_their_labels():
    inputs = torch.arange(50.0)[:, None]
    space = Space(bounds=(0.0, 50.0))
    data = Dataset(inputs, torch.linspace(0, 1, 50), space=space)
    found = neighbours(space, data, torch.tensor([0]), 1, 0)
    assert found["near"][0, :FEW].tolist() == list(range(1, FEW + 1))
    assert (found["near"][0, FEW:] == -1).all()
    assert found["near_within"].tolist() == found["near_far"][0, FEW - 1 : FEW].tolist()


def test_where_all_rows_are_too_many_some_are_drawn_and_it_is_said_among_how_many(monkeypatch):
    monkeypatch.setattr("probe.audit.neighbours.MOST", 60)
    inputs = torch.rand(30, 2, generator=torch.Generator().manual_seed(1))
    space = Space(bounds=(0.0, 1.0))
    data = data_of(inputs, torch.arange(30) % 2, space)
    found = neighbours(space, data, torch.tensor([4]), 3, 0)
    drawn = set(data.draw(10, 0).tolist())
    assert set(found["near"][0][found["near"][0] >= 0].tolist()) <= drawn
    assert found["near_among"].tolist() == [10 - (4 in drawn)]


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("near", lambda near: near.__setitem__((0, 0), 5)),
        ("near", lambda near: near.__setitem__((0, 1), near[0, 0])),
        ("near_far", lambda far: far.__setitem__((0, 0), 1e9)),
        ("near_within", lambda within: within.__setitem__(0, -1)),
    ],
    ids=["itself", "twice", "out of order", "below 0"],
)
def test_neighbours_that_cannot_be_are_refused(part, change):
    space, rows = Space(bounds=(0.0, 1.0)), torch.tensor([5])
    inputs = torch.rand(60, 2, generator=torch.Generator().manual_seed(2))
    arrays = {"rows": rows.numpy()} | neighbours(space, data_of(inputs, torch.arange(60) % 2, space), rows, 1, 0)
    explanations.check_near("instances", arrays, 60)
    arrays[part] = arrays[part].copy()
    change(arrays[part])
    with pytest.raises(IntegrityError, match=r"neighbour|below 0"):
        explanations.check_near("instances", arrays, 60)


def test_a_missing_value_is_one_unit_from_any_other_and_none_from_a_missing_one():
    inputs = torch.tensor([[torch.nan, 1.0], [5.0, 1.0], [torch.nan, 3.0], [torch.nan, 1.5]])
    space = Space(names=("age", "debt"), missing=(True, False), bounds=(0.0, 9.0), scale=torch.tensor([10.0, 2.0]))
    found = neighbours(space, data_of(inputs, torch.tensor([0, 1, 0, 1]), space), torch.tensor([0, 1]), 2, 0)
    assert found["near"][:, :3].tolist() == [[3, 1, 2], [0, 3, 2]]
    assert found["near_far"][:, :3] == pytest.approx(np.array([[0.25, 1, 1], [1, 1.25, 2]]))
