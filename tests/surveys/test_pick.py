"""Submodular pick: greedy coverage of what explanations show."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from probe import Dataset, Model, Space
from probe.errors import Unsupported
from probe.explainers import InputXGradient, Lime, Occlusion
from probe.surveys import SubmodularPick

BOUND = 1 - 1 / np.e


def model_of(count, **said):
    """Its explanation by input times gradient is the input itself."""
    space = Space(bounds=(-9.0, 9.0), **said)
    return Model(forward=lambda x: torch.stack([90 + x.sum(1), x[:, 0] * 0], 1), space=space)


def drawn(seed, rows=8, features=6):
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, features, generator=source, dtype=torch.float64)
    return torch.where(torch.rand(x.shape, generator=source) < 0.35, x, 0.0)


def coverage(shown, rows):
    """The importance of all features that some rows show, by hand."""
    return sum(np.sqrt(column.sum()) for column in shown.T if column[list(rows)].any())


def kept(x, features):
    """The largest values of each row, by hand."""
    shown = np.zeros(x.shape)
    for at, row in enumerate(x.abs().numpy()):
        for best in sorted(range(len(row)), key=lambda each, row=row: -row[each])[:features]:
            shown[at, best] = row[best]
    return shown


@pytest.mark.parametrize("features", [2, 6])
@pytest.mark.parametrize("seed", range(12))
def test_each_pick_adds_most_and_all_cover_at_least_63_percent_of_the_best(seed, features):
    x = drawn(seed)
    shown = kept(x, features)
    found = SubmodularPick(explainer=InputXGradient(), count=3, features=features).picked(model_of(6), x)
    rows, every = [], range(len(x))
    for at, row in enumerate(found.rows.tolist()):
        gains = {other: coverage(shown, [*rows, other]) for other in every if other not in rows}
        assert gains[row] == pytest.approx(max(gains.values()))
        rows.append(row)
        assert float(found.coverage[at]) == pytest.approx(coverage(shown, rows) / coverage(shown, every))
        best = max(coverage(shown, some) for some in combinations(every, at + 1))
        assert coverage(shown, rows) >= BOUND * best


def test_evidence_is_what_each_explanation_shares_with_the_rows_picked_so_far():
    x = torch.tensor([[4.0, 0.0, 0.0], [3.0, 2.0, 0.0], [0.0, 1.0, 3.0], [0.0, 0.0, 0.0]])
    data = Dataset(x, torch.zeros(4, dtype=torch.long), rows=torch.tensor([40, 30, 20, 10]), space=model_of(3).space)
    found = SubmodularPick(explainer=InputXGradient(), count=2)(model_of(3), data)
    assert found.items == ("row 30", "row 20")
    assert found.evidence[..., 0].tolist() == [[1, 1], [1, 1], [0.25, 1], [1, 1]]
    assert found.evidence[..., 1].tolist() == [[0, 0], [1, 0], [0, 1], [0, 0]]
    assert found.to_frame()["value"].tolist() == pytest.approx([3.25 / 4, 1])


def test_rows_that_add_nothing_follow_in_their_order_and_no_more_are_picked_than_there_are():
    x = torch.tensor([[1.0, 0.0], [2.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    method = SubmodularPick(explainer=InputXGradient(), count=9)
    assert method.picked(model_of(2), x).rows.tolist() == [2, 0, 1, 3]
    assert method.picked(model_of(2), x).coverage.tolist() == [1, 1, 1, 1]
    nothing = method.picked(model_of(2), x[3:].expand(2, -1))
    assert nothing.rows.tolist() == [0, 1]
    assert nothing.coverage.tolist() == [1, 1]


def test_a_word_is_one_feature_wherever_it_stands():
    table = torch.tensor([[0.0], [5.0], [3.0], [2.0]])
    embed = nn.Embedding.from_pretrained(table).eval()
    space = Space(words=("-", "good", "fine", "new"), bounds=(0, 3), reference=torch.zeros(1, 3, dtype=torch.long))
    model = Model(forward=lambda e: torch.stack([9 + e.sum((1, 2)), 0 * e.sum((1, 2))], 1), embed=embed, space=space)
    # Good and fine are in the first two texts, in another order each; by places they would be other features.
    texts = torch.tensor([[1, 2, 0], [0, 1, 2], [3, 0, 0]])
    found = SubmodularPick(explainer=Occlusion(), count=2).picked(model, texts)
    assert found.rows.tolist() == [0, 2]
    assert float(found.coverage[0]) == pytest.approx((10**0.5 + 6**0.5) / (10**0.5 + 6**0.5 + 2**0.5))
    assert float(found.coverage[1]) == pytest.approx(1)


def test_unless_given_lime_explains():
    x = drawn(3).float()
    model = model_of(6, reference=torch.zeros(1, 6))
    data = Dataset(x, torch.zeros(8, dtype=torch.long), space=model.space)
    found, of_lime = (SubmodularPick(explainer=each, features=2)(model, data) for each in (None, Lime()))
    assert found.items == of_lime.items
    assert found.cost == of_lime.cost
    assert found.cost.backward == 0  # unlike that of a gradient


def test_examples_with_features_of_their_own_are_refused():
    model = model_of(4, features=torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1]]))
    with pytest.raises(Unsupported, match="features of its own; give one grouping"):
        SubmodularPick(explainer=InputXGradient()).picked(model, torch.ones(2, 4))
