"""One perturbation for all inputs: the optimum of a linear model, and what holds for any."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.attacks import PGD, UniversalPerturbation
from probe.errors import Unsupported
from probe.goals import Targeted

WIDE = Space(bounds=(-99.0, 99.0))
WEIGHT = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
ROWS = torch.randn(40, 5, generator=torch.Generator().manual_seed(1))


def linear(rows=ROWS, weight=WEIGHT):
    model = Model(forward=lambda x: x @ weight, space=WIDE)
    return replace(model, training=(rows, model.predict(rows)))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_of_two_classes_one_of_which_is_attacked_it_is_the_steepest_step(norm):
    weight = WEIGHT[:, :2]
    slope = weight[:, 1] - weight[:, 0]
    known = ROWS[(ROWS @ slope) < 0]
    model = linear(known, weight)
    found = UniversalPerturbation(norm=norm, eps=0.3)(model, known[:9], model.predict(known[:9]))
    optimum = 0.3 * (slope.sign() if norm == "linf" else slope / slope.norm())
    torch.testing.assert_close(found.perturbed - found.inputs, optimum.expand(9, 5), atol=1e-5, rtol=1e-4)
    single = PGD(norm=norm, eps=0.3)(model, known[:9], model.predict(known[:9]))
    assert torch.equal(found.success, single.success)


def test_it_is_the_same_for_all_inputs_of_a_budget_and_needs_no_query_of_them():
    model = linear()
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(2))
    found = UniversalPerturbation()(model, x, model.predict(x), eps=[0.1, 0.5, 0.1, 0.5, 0.0, 0.5])
    change = found.perturbed - x
    torch.testing.assert_close(change[[0, 1]], change[[2, 3]], atol=1e-6, rtol=0)
    torch.testing.assert_close(change[1], change[5], atol=1e-6, rtol=0)
    assert not change[4].any()
    assert not torch.allclose(change[0], change[1])
    assert not found.queries.any()
    assert found.cost.backward > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_a_linear_model_it_moves_as_many_rows_as_the_best_corner_of_the_ball(seed):
    weight = torch.randn(5, 3, generator=torch.Generator().manual_seed(seed))
    rows = torch.randn(60, 5, generator=torch.Generator().manual_seed(seed + 9))
    model = linear(rows, weight)
    labels = model.predict(rows)
    corners = torch.cartesian_prod(*[torch.tensor([-0.5, 0.5])] * 5)
    most = max(float((model.predict(rows + corner) != labels).float().mean()) for corner in corners)
    found = UniversalPerturbation(eps=0.5)(model, rows, labels)
    assert float(found.success.float().mean()) >= most - 1 / 60
    single = PGD(eps=0.5)(model, rows, labels)
    assert bool((single.success | ~found.success).all())


def test_a_targeted_one_is_fitted_to_each_target():
    model = linear()
    x = ROWS[:12]
    targets = (model.predict(x) + 1) % 3
    found = UniversalPerturbation(eps=2.0, goal=Targeted())(model, x, model.predict(x), targets=targets)
    change = found.perturbed - x
    for target in range(3):
        own = change[targets == target]
        torch.testing.assert_close(own, own[:1].expand_as(own), atol=1e-5, rtol=0)
    assert found.success.float().mean() > 0.9


def test_training_rows_of_another_shape_or_none_are_refused():
    free = nn.AdaptiveAvgPool2d(1)
    model = Model(forward=lambda x: free(x).flatten(1) * torch.tensor([1.0, -1.0]), space=Space(bounds=(0.0, 1.0)))
    model = replace(model, training=(torch.rand(4, 1, 6, 6), torch.zeros(4).long()))
    x = torch.rand(2, 1, 4, 4)
    with pytest.raises(Unsupported, match=r"training rows, which are \(1, 6, 6\) and the inputs \(1, 4, 4\)"):
        UniversalPerturbation()(model, x, model.predict(x))
    with pytest.raises(Unsupported, match="universal_perturbation needs training rows"):
        UniversalPerturbation()(replace(model, training=None), x, model.predict(x))
