"""FAB and the shortest step to a boundary, against closed forms of linear models and a solver."""

import pytest
import torch
from scipy.optimize import linprog

from probe import Model, Space
from probe.attacks import FAB
from probe.attacks.shortest import shortest_step

SLOPES = torch.tensor([[3.0, -1.0, 0.0, 0.5]], dtype=torch.float64)


@pytest.mark.parametrize(("p", "dual"), [(torch.inf, 1.0), (2.0, 2.0), (1.0, torch.inf)])
def test_with_room_the_step_is_as_long_as_the_gain_over_the_dual_norm(p, dual):
    step = shortest_step(p, SLOPES, torch.tensor([1.5]), torch.full_like(SLOPES, torch.inf))
    assert float((step * SLOPES).sum()) == pytest.approx(1.5)
    expected = 1.5 / float(torch.linalg.vector_norm(SLOPES, ord=dual))
    assert float(torch.linalg.vector_norm(step, ord=p)) == pytest.approx(expected)


@pytest.mark.parametrize("p", [torch.inf, 2.0, 1.0])
def test_within_the_room_no_step_is_shorter(p):
    """Among random points of the boundary within the room; in Linf and L1 against a linear program too."""
    source = torch.Generator().manual_seed(0)
    slope = torch.randn(1, 4, generator=source, dtype=torch.float64)
    room = torch.rand(1, 4, generator=source, dtype=torch.float64)
    gain = 0.7 * float((slope.abs() * room).sum())
    step = shortest_step(p, slope, torch.tensor([gain]), room)
    assert float((step * slope).sum()) == pytest.approx(gain)
    assert bool((step.abs() <= room + 1e-12).all())
    length = float(torch.linalg.vector_norm(step, ord=p))
    size, pull, most = 4, slope.abs()[0].tolist(), room[0].tolist()
    if p == 1:
        best = linprog([1.0] * size, A_ub=[[-a for a in pull]], b_ub=[-gain], bounds=[(0, m) for m in most]).fun
    elif p == torch.inf:
        rows = [[float(i == j) for j in range(size)] + [-1.0] for i in range(size)]
        best = linprog(
            [0.0] * size + [1.0], A_ub=[[-a for a in pull] + [0.0], *rows], b_ub=[-gain] + [0.0] * size,
            bounds=[(0, m) for m in most] + [(0, None)],
        ).fun  # fmt: skip
    else:
        tried = torch.rand(200_000, size, generator=source, dtype=torch.float64) * room
        best = float(tried[(tried @ slope.abs()[0]) >= gain].norm(dim=1).min())
        assert length <= best
        return
    assert length == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("p", [torch.inf, 2.0, 1.0])
def test_where_the_boundary_is_out_of_reach_the_step_takes_all_of_the_room(p):
    room = torch.tensor([[0.1, 0.2, 0.3, torch.inf]], dtype=torch.float64)
    slope = SLOPES * torch.tensor([1.0, 1.0, 1.0, 0.0])
    step = shortest_step(p, slope, torch.tensor([9.0]), room)
    assert step.tolist() == [[0.1, -0.2, 0.0, 0.0]]
    assert not shortest_step(p, slope, torch.tensor([-1.0]), room).any()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_of_a_linear_model_fab_finds_the_nearest_of_several_boundaries_in_its_box(norm):
    """The likeliest rival is not the nearest one."""
    weight = torch.tensor([[0.0, 0.2, 3.0], [0.0, 0.1, -3.0]])
    model = Model(forward=lambda x: x @ weight + torch.tensor([0.6, 0.4, 0.0]), space=Space(bounds=(-1.0, 1.0)))
    x, y = torch.tensor([[0.1, 0.1]]), torch.tensor([0])
    attack = FAB(norm=norm, steps=20)
    found, p = attack(model, x, y), attack.threat.p
    slope, missing = weight[:, 2] - weight[:, 0], torch.tensor([0.6])
    best = shortest_step(p, slope[None], missing, torch.full((1, 2), 0.9))
    nearest = float(torch.linalg.vector_norm(best, ord=p))
    assert found.attacked.predicted.tolist() == [2]
    assert nearest <= float(found.length) <= 1.01 * nearest
    assert not FAB(norm=norm, steps=20, candidates=1)(model, x, y).within(1.05 * nearest).success.any()
