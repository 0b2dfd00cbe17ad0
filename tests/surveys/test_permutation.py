"""Permutation importance, where the fall of accuracy is known in closed form."""

import numpy as np
import torch
from sklearn.inspection import permutation_importance

from probe import Dataset, Model, Space
from probe.surveys import PermutationImportance


def model(**space):
    return Model(
        forward=lambda x: torch.stack([-x[:, 0], x[:, 0]], 1),
        space=Space(bounds=(-9.0, 9.0), **space),
        classes=("a", "b"),
    )


def coins(count, columns=3):
    return torch.randint(2, (count, columns), generator=torch.Generator().manual_seed(0)) * 2.0 - 1


def test_permutation_importance_of_a_decisive_feature_is_the_share_of_other_values():
    x = coins(400)
    found = PermutationImportance(repeats=50)(model(), Dataset(x, (x[:, 0] > 0).long(), space=model().space)).to_frame()
    share = float((x[:, 0] > 0).float().mean())
    # A shuffled coin shows the other side with a probability of 2 p (1 - p).
    assert abs(found["value"][0] - 2 * share * (1 - share)) < 0.01
    assert found["value"][1:].tolist() == [0, 0]
    assert found["low"][0] < found["value"][0] < found["high"][0]
    assert found["n"].tolist() == [400] * 3
    assert found["low"][0] > 0.4


def test_permutation_importance_equals_that_of_scikit_learn():
    source = np.random.default_rng(0)
    x = source.normal(size=(300, 4)).astype(np.float32)
    weight = np.array([2.0, -1.0, 0.5, 0.0], np.float32)
    y = (x @ weight + source.normal(size=300) > 0).astype(int)

    class Estimator:
        classes_ = np.array([0, 1])

        def fit(self, x, y): ...

        def predict(self, rows):
            return (rows @ weight > 0).astype(int)

        def score(self, rows, labels):
            return float((self.predict(rows) == labels).mean())

    theirs = permutation_importance(Estimator(), x, y, n_repeats=100, random_state=0).importances_mean
    torched = torch.tensor(weight)
    ours = Model(forward=lambda x: torch.stack([-(x @ torched), x @ torched], 1), space=Space(bounds=(-9.0, 9.0)))
    data = Dataset(torch.tensor(x), torch.tensor(y), space=ours.space)
    found = PermutationImportance(repeats=100)(ours, data).to_frame()
    np.testing.assert_allclose(found["value"], theirs, atol=0.01)


def test_coordinates_of_one_feature_are_shuffled_together_and_named():
    space = Space(bounds=(-9.0, 9.0), features=torch.tensor([0, 1, 1]), names=("pay", "age"))
    x = coins(200)
    data = Dataset(x, (x[:, 0] > 0).long(), space=space)
    found = PermutationImportance()(Model(forward=model().forward, space=space), data)
    assert found.items == ("pay", "age")
    assert found.evidence.shape == (200, 2)
    assert found.to_frame()["item"].tolist() == ["pay", "age"]


def test_examples_that_keep_their_value_are_not_evaluated():
    x = torch.ones(50, 2)
    asked = model()
    PermutationImportance()(asked, Dataset(x, torch.ones(50, dtype=torch.long), space=asked.space))
    assert asked.usage.forward == 50
