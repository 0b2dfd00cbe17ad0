"""Attacks by queries only: distances and optima of linear models that only answer, and what they may ask."""

import numpy as np
import pytest
import torch

from probe import Model, Space, from_predict_proba
from probe.attacks import PGD, SPSA, Boundary, HopSkipJump
from probe.errors import Unsupported

SOURCE = torch.Generator().manual_seed(3)
WEIGHT = torch.randn(8, generator=SOURCE)
X = torch.rand(12, 8, generator=SOURCE)
SPACE = Space(bounds=(-2.0, 3.0))


def decide(rows: np.ndarray) -> np.ndarray:
    """Decisions only: it says 0 or 1."""
    high = (rows - 0.5) @ WEIGHT.numpy()[:, None] > 0
    return np.hstack([1.0 - high, high])


@pytest.mark.parametrize(("norm", "dual", "near"), [("l2", 2, 1.1), ("linf", 1, 1.35)])
def test_hopskipjump_finds_the_boundary_of_a_model_that_only_decides(norm, dual, near):
    box = from_predict_proba(decide, SPACE, classes=("low", "high"))
    found = HopSkipJump(norm=norm, max_queries=1000)(box, X, box.predict(X))
    nearest = ((X - 0.5) @ WEIGHT).abs() / torch.linalg.vector_norm(WEIGHT, ord=dual)
    assert bool(found.success.all())
    assert (found.length >= nearest * (1 - 1e-4)).all()
    assert float((found.length / nearest).median()) <= near
    assert found.queries.max() <= 1000
    few = HopSkipJump(norm=norm, max_queries=60)(box, X, box.predict(X))
    assert few.queries.max() <= 60
    assert few.length.mean() > found.length.mean()


def test_a_boundary_walk_comes_near_the_boundary_of_a_model_that_only_decides_and_nearer_with_more_queries():
    box = from_predict_proba(decide, SPACE, classes=("low", "high"))
    nearest = ((X - 0.5) @ WEIGHT).abs() / torch.linalg.vector_norm(WEIGHT)
    few, many = (Boundary(max_queries=count)(box, X, box.predict(X)) for count in (100, 1000))
    for found, most in ((few, 100), (many, 1000)):
        assert bool(found.success.all())
        assert bool((found.length >= nearest * (1 - 1e-4)).all())
        assert int(found.queries.max()) <= most
    assert float((many.length / nearest).median()) <= 1.1
    assert many.length.mean() < 0.9 * few.length.mean()
    alone = Boundary(max_queries=100)(box, X[3:4], box.predict(X[3:4]))
    torch.testing.assert_close(alone.perturbed, few.perturbed[3:4])


def test_hopskipjump_leaves_what_no_start_reaches_unchanged():
    box = from_predict_proba(lambda rows: np.tile([1.0, 0.0], (len(rows), 1)), SPACE, classes=("a", "b"))
    found = HopSkipJump(starts=7)(box, X, torch.zeros(12, dtype=torch.int64))
    assert not found.success.any()
    assert torch.equal(found.perturbed, X)
    assert found.queries.tolist() == [7] * 12


def test_hopskipjump_gives_an_example_the_same_result_beside_one_whose_start_is_hard_to_find():
    def corner(rows):
        high = (rows[:, :2].sum(1, keepdims=True) > np.where(rows[:, 2:] > 0.5, 1.8, 1.0)) * 1.0
        return np.hstack([1.0 - high, high])

    space = Space(mutable=torch.tensor([True, True, False]))
    box, labels = from_predict_proba(corner, space, classes=("low", "high")), torch.zeros(2, dtype=torch.int64)
    rows = torch.tensor([[0.3, 0.4, 0.0], [0.3, 0.4, 1.0]])
    attack = HopSkipJump(max_queries=200)
    together, alone = attack(box, rows, labels), attack(box, rows[:1], labels[:1])
    assert bool(together.success.all())
    assert torch.equal(together.perturbed[:1], alone.perturbed)


def test_hopskipjump_refuses_a_space_without_bounds():
    open_ended = Space(bounds=(torch.zeros(8), torch.tensor([torch.inf] + [1.0] * 7)))
    box = from_predict_proba(decide, open_ended, classes=("low", "high"))
    with pytest.raises(Unsupported, match="bounds must be finite"):
        HopSkipJump()(box, X, box.predict(X))


def test_spsa_breaks_what_the_bound_of_a_linear_model_lets_it_break():
    model = Model(forward=lambda x: torch.stack([-((x - 0.5) @ WEIGHT), (x - 0.5) @ WEIGHT], -1), space=SPACE)
    labels, reach = model.predict(X), ((X - 0.5) @ WEIGHT).abs() / WEIGHT.abs().sum()
    eps = float(reach.sort().values[5:7].mean())
    could = reach < eps
    found = SPSA(eps=eps)(model, X, labels)
    assert could.sum() == 6
    assert torch.equal(found.success, could)
    assert found.backwards.max() == 0
    assert found.queries.max() <= 500
    # Of those that withstand, the worst point is a corner.
    worst = PGD(eps=eps, steps=5)(model, X, labels)
    torch.testing.assert_close(found.attacked.logits[~could], worst.attacked.logits[~could], atol=0.02, rtol=0.05)
    assert SPSA(eps=eps, max_queries=10)(model, X, labels).queries.max() <= 10
