"""The distances that DeepFool, FMN and CarliniWagner find on linear models, in each norm, and within a box."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from probe import Model, Regression, Space
from probe.attacks import FMN, CarliniWagner, DeepFool
from probe.goals import Margin, Shift, Targeted
from probe.threats import Edits

WIDE = Space(bounds=(-9.0, 9.0))
DUAL = {"linf": 1, "l2": 2, "l1": torch.inf}
EACH = [*((DeepFool(norm=norm), norm) for norm in DUAL), *((FMN(norm=norm), norm) for norm in DUAL)]
EACH.append((CarliniWagner(rate=0.003, rounds=6), "l2"))


def problem(classes: int) -> tuple[Model, Tensor, Tensor, Tensor]:
    source = torch.Generator().manual_seed(3)
    weight = torch.randn(20, classes, generator=source)
    x = torch.randn(32, 20, generator=source) / 2
    model = Model(forward=lambda x: x @ weight, space=WIDE)
    return model, weight, x, model.predict(x)


def distances(weight: Tensor, x: Tensor, labels: Tensor, norm: str) -> Tensor:
    """From each row to where each other class has a higher logit, (rows, classes)."""
    z = x @ weight
    slope = torch.linalg.vector_norm(weight[:, labels].T[:, :, None] - weight, ord=DUAL[norm], dim=1)
    return torch.where(slope > 0, (z.gather(1, labels[:, None]) - z) / slope, torch.inf)


@pytest.mark.parametrize(("attack", "norm"), EACH, ids=lambda each: getattr(each, "name", lambda: each)())
def test_the_nearest_boundary_of_several_is_found(attack, norm):
    model, weight, x, labels = problem(5)
    found = attack(model, x, labels)
    nearest = distances(weight, x, labels, norm).amin(1)
    assert bool(found.success.all())
    assert (found.length >= nearest * (1 - 1e-5)).all()
    assert float((found.length / nearest).quantile(0.75)) <= (1.03 if isinstance(attack, DeepFool) else 1.12)


def test_later_rounds_of_carlini_wagner_go_on_where_the_last_one_was():
    model, start = Model(forward=lambda x: torch.cat([1 - x, x - 1], 1), space=WIDE), torch.zeros(1, 1)
    attack = CarliniWagner(steps=10, rate=0.003, c=100.0)  # a round goes about .27 far, a third of the way
    found = [replace(attack, rounds=rounds)(model, start, torch.tensor([0])) for rounds in (2, 6, 12)]
    assert [bool(each.success) for each in found] == [False, True, True]
    assert 1 <= float(found[2].length) <= 1.02


@pytest.mark.parametrize("norm", DUAL)
def test_deepfool_goes_to_the_nearest_boundary_and_beyond_by_the_overshoot(norm):
    model, weight, x, labels = problem(5)
    found = DeepFool(norm=norm, overshoot=0.1, returns=0, halvings=0)(model, x, labels)
    torch.testing.assert_close(found.length, distances(weight, x, labels, norm).amin(1) * 1.1, rtol=1e-3, atol=1e-5)
    assert (found.backwards == 4).all(), "one step, with a gradient for each other class"


def test_deepfool_returns_along_a_curved_boundary_to_its_nearest_point():
    def forward(x: Tensor) -> Tensor:  # inside an ellipse with half axes 1 and 2
        inside = 1 - x[:, 0] ** 2 - (x[:, 1] / 2) ** 2
        return torch.stack([inside, -inside], 1)

    model, x = Model(forward=forward, space=WIDE), torch.tensor([[0.3, 1.2]])
    angle = torch.linspace(0, 2 * torch.pi, 10001, dtype=torch.float64)
    nearest = float((torch.stack([angle.cos(), 2 * angle.sin()], 1) - x).norm(dim=1).min())
    short, first = (DeepFool(returns=returns, halvings=12)(model, x, torch.tensor([0])) for returns in (20, 0))
    assert float(first.length) > 1.02 * nearest, "its own path is longer"
    assert nearest * (1 - 1e-5) <= float(short.length) <= 1.005 * nearest


@pytest.mark.slow
@pytest.mark.parametrize("attack", [DeepFool(), FMN(), CarliniWagner(rate=0.003)], ids=repr)
def test_a_target_and_the_shift_of_a_number_are_reached_where_they_begin(attack):
    model, weight, x, labels = problem(3)
    targets = (labels + 1) % 3
    found = replace(attack, goal=Targeted())(model, x, labels, targets=targets)
    assert torch.equal(model.predict(found.perturbed), targets)
    assert (found.length >= distances(weight, x, labels, "l2").gather(1, targets[:, None])[:, 0] * (1 - 1e-5)).all()
    number = Model(forward=lambda x: x @ weight[:, :1], space=WIDE, task=Regression(("price",), tolerance=0.1))
    found = replace(attack, goal=Shift(by=2.0))(number, x, number(x)[:, 0])
    torch.testing.assert_close(found.length, torch.full((32,), 2 / float(weight[:, 0].norm())), rtol=0.06, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("attack", [DeepFool(), FMN(), CarliniWagner(rate=0.003)], ids=repr)
def test_a_margin_beyond_the_boundary_is_reached(attack):
    model, weight, x, _ = problem(2)
    steep, z = weight[:, 0] - weight[:, 1], x @ weight
    found = replace(attack, goal=Margin(kappa=2.0))(model, x, model.predict(x))
    nearest = ((z[:, 0] - z[:, 1]).abs() + 2) / steep.norm()
    assert bool(found.success.all())
    assert (found.length >= nearest * (1 - 1e-5)).all()
    assert (found.length <= nearest * 1.1).all()


@pytest.mark.slow
@pytest.mark.parametrize("attack", [DeepFool(), FMN(), FMN(norm="l0"), CarliniWagner()], ids=repr)
def test_whole_numbers_go_one_beyond_a_boundary_on_which_they_lie(attack):
    space = Space(names=("age",), kinds=("integer",), bounds=(0.0, 99.0), scale=10.0)
    model = Model(forward=lambda x: torch.cat([5 - x / 10, x / 10 - 5], 1), space=space)
    found = attack(model, torch.tensor([[20.0], [30.0], [37.0]]), torch.tensor([0, 0, 0]))
    assert bool(found.success.all())
    if not isinstance(attack.threat, Edits):
        assert found.perturbed[:, 0].tolist() == [51.0, 51.0, 51.0]


@pytest.mark.slow
@pytest.mark.parametrize("attack", [DeepFool(), FMN(), CarliniWagner(steps=40, rounds=4)], ids=repr)
def test_the_unit_of_inputs_without_bounds_does_not_matter(attack):
    _, weight, x, labels = problem(2)
    found = [
        attack(Model(forward=lambda x: x / scale @ weight, space=space), scale * x, labels)  # noqa: B023
        for scale, space in ((s, Space(bounds=(-torch.inf, torch.inf), scale=s)) for s in (1.0, 2.0**14))
    ]
    assert bool(found[1].success.all())
    torch.testing.assert_close(found[1].length, found[0].length, rtol=1e-3, atol=1e-5)


def test_fmn_in_l0_needs_about_as_many_coordinates_as_the_best_of_a_box():
    source = torch.Generator().manual_seed(4)
    weight, x = torch.randn(20, generator=source), torch.rand(40, 20, generator=source)
    bias = -(x @ weight).median() - 1.5
    model = Model(forward=lambda x: torch.stack([x @ weight + bias, 0 * x[:, 0]], -1))
    labels = model.predict(x)
    found = FMN(norm="l0", steps=150)(model, x, labels)
    down = (labels == 0)[:, None]
    gains = torch.where((weight > 0) != down, (1 - x) * weight.abs(), x * weight.abs())
    rise = gains.sort(dim=1, descending=True).values.cumsum(1)
    least = (rise <= (x @ weight + bias).abs()[:, None]).sum(1) + 1
    could = least <= 20
    assert torch.equal(found.success, could)
    assert (found.length >= least)[could].all()
    assert (found.length - least)[could].float().mean() <= 0.75


@pytest.mark.slow
def test_minimal_attacks_stay_within_a_box_that_binds():
    source = torch.Generator().manual_seed(4)
    weight, x = torch.randn(20, generator=source), torch.rand(30, 20, generator=source).round(decimals=1).clamp(0, 1)
    model = Model(forward=lambda x: torch.stack([0 * x[:, 0] + float(weight.clamp(min=0).sum()) - 1.0, x @ weight], -1))
    y = torch.zeros(30, dtype=torch.int64)
    room = torch.where(weight > 0, 1 - x, x)
    need = (float(weight.clamp(min=0).sum()) - 1.0) - x @ weight
    low, high = torch.zeros(30, 1), torch.full((30, 1), 1e3)
    for _ in range(60):  # the t at which t |w|, cut to the room, gains what is needed
        t = (low + high) / 2
        short = (torch.minimum(t * weight.abs(), room) * weight.abs()).sum(1, keepdim=True) < need[:, None]
        low, high = torch.where(short, t, low), torch.where(short, high, t)
    nearest = torch.minimum(high * weight.abs(), room).norm(dim=1)
    for attack in (DeepFool(), FMN()):
        found = attack(model, x, y)
        assert bool(found.success.all())
        assert (found.length >= nearest * (1 - 1e-4)).all()
        assert (found.length <= nearest * 1.15).float().mean() >= 0.9
