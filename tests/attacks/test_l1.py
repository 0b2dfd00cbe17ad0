"""L1 balls within a box: projections and steps against a solver, closed-form optima of linear models."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from probe import Model, Space
from probe.attacks import APGD, BIM, FGSM, PGD
from probe.ball import place
from probe.draws import keys
from probe.norms import NORMS

SOURCE = torch.Generator().manual_seed(0)
CHANGES = torch.randn(12, 5, generator=SOURCE, dtype=torch.float64) * 2
ROOMS = torch.rand(12, 5, generator=SOURCE, dtype=torch.float64) * 1.5
RADII = torch.rand(12, 1, generator=SOURCE, dtype=torch.float64) * 3


def solved(cost, slope, room: Tensor, radius: Tensor, p: int) -> Tensor:
    """The sizes (coordinates,) of lowest cost within room and ball, by a general solver."""
    left = {1: lambda s: float(radius) - s.sum(), 2: lambda s: float(radius) ** 2 - (s**2).sum()}[p]
    found = minimize(
        cost,
        np.full(len(room), 1e-2),
        jac=slope,
        bounds=[(0, float(most)) for most in room],
        constraints=[{"type": "ineq", "fun": left}],
        method="SLSQP",
        options={"ftol": 1e-13, "maxiter": 500},
    )
    return torch.as_tensor(found.x)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_projections_onto_ball_and_box_are_those_of_a_convex_solver(norm):
    found = NORMS[norm].project(CHANGES, RADII, ROOMS)
    for change, room, radius, mine in zip(CHANGES, ROOMS, RADII, found, strict=True):
        size = change.abs().numpy()
        best = solved(lambda s: ((s - size) ** 2).sum(), lambda s: 2 * (s - size), room, radius, int(NORMS[norm].p))  # noqa: B023
        torch.testing.assert_close(mine.abs(), best, atol=1e-4, rtol=1e-4)
        assert torch.equal(mine.sign() * change.sign() >= 0, torch.ones(5, dtype=torch.bool))


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_steepest_step_within_the_box_gains_as_much_as_a_solvers(norm):
    found = NORMS[norm].fill(CHANGES, RADII, ROOMS)
    for slope, room, radius, mine in zip(CHANGES, ROOMS, RADII, found, strict=True):
        size = slope.abs().numpy()
        best = solved(lambda s: -(s * size).sum(), lambda s: -size, room, radius, int(NORMS[norm].p))  # noqa: B023
        assert float(mine @ slope) == pytest.approx(float(best @ slope.abs()), abs=1e-4)
        assert (mine.abs() <= room).all()
        assert torch.linalg.vector_norm(mine, ord=NORMS[norm].p) <= radius + 1e-9


def test_a_step_in_l2_has_its_whole_length_however_many_coordinates_run_out_of_room_in_turn():
    at = torch.arange(30, dtype=torch.float64)
    pull, room = 2**-at, 0.5 * 1.02**-at
    room[-1] = 5.0
    for times in (1.0, 1e-25):  # the square of the second is 0 in float32
        lengths = torch.tensor([[1.0], [2.0], [2.5]], dtype=torch.float64) * times
        step = NORMS["l2"].fill(pull.expand(3, 30), lengths, times * room.expand(3, 30))
        torch.testing.assert_close(step.norm(dim=1) / times, lengths[:, 0] / times)
        assert bool((step <= times * room).all())


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_nearest_point_of_ball_and_box_is_idempotent_and_keeps_points_inside(norm):
    space, origin = Space(), torch.rand(40, 3, 4, generator=torch.Generator().manual_seed(1))
    change = torch.randn(40, 3, 4, generator=torch.Generator().manual_seed(2))
    p = NORMS[norm].p
    once = place(space, origin, change, p, 0.8)
    torch.testing.assert_close(place(space, origin, once - origin, p, 0.8), once)
    inside = (0.5 - origin) * 1e-3
    torch.testing.assert_close(place(space, origin, inside, p, 0.8), origin + inside)
    assert torch.linalg.vector_norm((once - origin).flatten(1), ord=p, dim=1).max() <= 0.8
    # A clipped projection is another point of both, so it is no nearer.
    clipped = (origin + NORMS[norm].project(change, 0.8)).clamp(0, 1)
    goal = origin + change
    near, far = (torch.linalg.vector_norm((each - goal).flatten(1), dim=1) for each in (once, clipped))
    assert (near <= far + 1e-6).all()
    assert (near < far - 1e-3).any()


def test_a_projection_in_l1_is_right_where_sizes_are_equal_or_have_no_room_in_any_order():
    sizes = torch.tensor([[0.1] * 10, [3.0, 3.0] + [0.1] * 8, [2.0, 3.0] * 5])
    room = torch.tensor([[1.0] * 10, [0.0, 0.0] + [1.0] * 8, [0.0, 0.3] * 5])
    for order in (torch.arange(10), torch.arange(9, -1, -1)):
        for radius, lengths in ((0.0, [0.0] * 3), (0.5, [0.5] * 3), (2.0, [1.0, 0.8, 1.5])):
            near = NORMS["l1"].project(sizes[:, order], torch.full((3, 1), radius), room[:, order])
            torch.testing.assert_close(near.sum(1), torch.tensor(lengths))
            assert bool((near <= room[:, order]).all())
            assert radius > 0 or not bool(near.any())


def test_l1_starts_are_uniform_in_the_ball():
    rows = torch.arange(3000.0)[:, None].expand(-1, 4)
    points = NORMS["l1"].uniform(rows, keys(rows, 0))
    lengths = points.abs().sum(1)
    assert lengths.max() <= 1
    assert lengths.mean() == pytest.approx(4 / 5, abs=0.015)
    assert (lengths <= 0.8).float().mean() == pytest.approx(0.8**4, abs=0.03)
    assert points.mean(0).abs().max() < 0.02


def optimum(weight: Tensor, room: Tensor, eps: float) -> Tensor:
    """How far a linear logit can rise: the steepest coordinates first, each as far as it can, (rows,)."""
    order = weight.abs().argsort(descending=True)
    left, gain = torch.full((len(room),), eps), torch.zeros(len(room))
    for at in order:
        step = torch.minimum(left, room[:, at])
        left, gain = left - step, gain + step * weight[at].abs()
    return gain


@pytest.mark.parametrize("eps", [0.3, 1.7])
@pytest.mark.parametrize(
    "attack", [FGSM(norm="l1"), PGD(norm="l1", steps=8), APGD(norm="l1", steps=60), BIM(norm="l1", step=1.0)], ids=repr
)
def test_attacks_in_l1_find_the_optimum_of_a_linear_model_within_the_box(attack, eps):
    source = torch.Generator().manual_seed(4)
    weight, x = torch.randn(20, generator=source), torch.rand(30, 20, generator=source)
    model = Model(forward=lambda x: torch.stack([x @ weight * 0 + 50, x @ weight], -1))
    found = attack.at(eps)(model, x, torch.zeros(30, dtype=torch.int64))
    assert found.length.max() <= eps
    best = optimum(weight, torch.where(weight > 0, 1 - x, x), eps)
    near = 0.03 if isinstance(attack, APGD) else 1e-4  # its momentum turns back and forth around a corner
    torch.testing.assert_close((found.perturbed - x) @ weight, best, atol=1e-4, rtol=near)


def test_the_attack_in_l1_breaks_what_a_bound_of_three_classes_lets_it_break():
    source = torch.Generator().manual_seed(3)
    weight, x = torch.randn(20, 3, generator=source), torch.randn(64, 20, generator=source) / 4
    model = Model(forward=lambda x: x @ weight, space=Space(bounds=(-100.0, 100.0)))
    labels, eps = model.predict(x), 0.4
    z = x @ weight
    slope = (weight[:, labels].T[:, :, None] - weight).abs().amax(1)
    could = ((z.gather(1, labels[:, None]) - z) < eps * slope).logical_and(slope > 0).any(1)
    broken = APGD(norm="l1", eps=eps, steps=40)(model, x, labels).success
    assert not (broken & ~could).any()
    assert broken.sum() >= 0.8 * could.sum() > 10
