"""Attacks on models in half and double precision, and on those whose logits are of another dtype than their inputs."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.attacks import FGSM, PGD
from probe.ball import Reach, below, place
from probe.errors import ContractError
from probe.norms import NORMS

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def network(dtype, space):
    source = torch.Generator().manual_seed(0)
    layers = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 3))
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source))
    return Model(forward=layers.to(dtype).eval(), space=space, classes=("a", "b", "c"))


def moved(result, space):
    """How far each coordinate moved, exactly."""
    unit = torch.as_tensor(space.scale, dtype=torch.float64)
    return (result.perturbed.double() - result.inputs.double()) / unit


RADII = [(FGSM(), "0.1"), *((PGD(steps=3, restarts=2), eps) for eps in ("8/255", "0.1", "1/255", "1e-7", "3"))]


# Each radius in each precision, with the norms in turn: each norm in each precision, and each radius in each norm.
@pytest.mark.parametrize(
    ("attack", "eps", "dtype", "norm"),
    [
        (attack, eps, dtype, ("linf", "l2")[(one + other) % 2])
        for one, (attack, eps) in enumerate(RADII)
        for other, dtype in enumerate(DTYPES)
    ],
)
def test_an_attack_stays_in_its_ball_in_every_precision(dtype, norm, eps, attack):
    attack = replace(attack, eps=eps, norm=norm)
    for space in (Space(), Space(bounds=(-50.0, 80.0), scale=torch.linspace(0.25, 4, 12))):
        model = network(dtype, space)
        x = torch.rand(15, 12, generator=torch.Generator().manual_seed(1)).to(dtype)
        x = x * 40 - 10 if isinstance(space.scale, torch.Tensor) else x
        result = attack(model, x, model.predict(x))
        length = torch.linalg.vector_norm(moved(result, space), ord=torch.inf if norm == "linf" else 2, dim=1)
        assert length.max() <= attack.eps * (1 + 1e-6)
        assert result.distance(torch.inf if norm == "linf" else 2).max() <= attack.eps
        assert result.perturbed.dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES)
def test_attacks_use_the_whole_ball_in_every_precision(dtype):
    """By the last number of the dtype within the radius, and not by less."""
    weight = torch.tensor([1.0, -1.0, 1.0, 1.0], dtype=dtype)
    model = Model(
        forward=lambda x: torch.stack([x @ weight, -(x @ weight)], 1),
        space=Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, 4, dtype=dtype)),
    )
    x = torch.tensor([[5.0, -3.0, 0.7, 1.1]], dtype=dtype)
    for attack in (FGSM(eps=0.1), PGD(eps=0.1, steps=5)):
        change = moved(attack(model, x, torch.tensor([0])), model.space).abs()[0]
        spacing = torch.finfo(dtype).eps * x.double()[0].abs()
        assert bool((change <= 0.1).all())
        assert bool((change > 0.1 - spacing - 1e-7).all())


@pytest.mark.parametrize("logits", ["autocast", "float", "double", "half"])
def test_the_margin_falls_by_the_radius_times_the_dual_norm_for_every_dtype_of_logits(logits):
    layer = nn.Linear(3, 2).eval()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -2.0, 0.5], [-0.5, 0.25, 0.75]]))
        layer.bias.copy_(torch.tensor([8.0, 0.0]))
    layer = layer.to({"float": torch.bfloat16, "double": torch.float64}.get(logits, torch.float32))

    def forward(x):
        if logits == "autocast":
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return layer(x)
        if logits == "half":
            return layer(x).half()
        return layer(x.to(layer.weight.dtype)).float()

    model = Model(forward=forward, space=Space(bounds=(-9.0, 9.0)))
    x, y = torch.tensor([[1.0, 0.5, -0.25]]), torch.tensor([0])
    for attack in (FGSM(eps=0.5), PGD(eps=0.5), PGD(eps=0.5, restarts=2)):
        result = attack(model, x, y)
        before, after = (answers.logits.double().diff(dim=1).item() for answers in (result.clean, result.attacked))
        assert after - before == pytest.approx(0.5 * (1.5 + 2.25 + 0.25), abs=0.04)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pgd_succeeds_wherever_fgsm_does_in_every_precision(dtype):
    model = network(dtype, Space())
    x = torch.rand(200, 12, generator=torch.Generator().manual_seed(2)).to(dtype)
    y = model.predict(x)
    single, iterated = FGSM(eps=0.1)(model, x, y).success, PGD(eps=0.1, steps=10)(model, x, y).success
    assert single.sum() > 10
    assert bool((iterated | ~single).all())


def test_an_attack_that_leaves_its_ball_by_a_hundredth_is_refused():
    class Cheat(FGSM):
        def perturb(self, model, inputs, labels):
            return inputs + 1.01 * self.eps

    model = network(torch.float32, Space(bounds=(-9.0, 9.0)))
    x = torch.rand(3, 12)
    with pytest.raises(ContractError, match="left its ball"):
        Cheat()(model, x, model.predict(x))


def test_a_radius_is_rounded_down():
    for number in (0.1, 8 / 255, 1e-9, 0.5, 3.0):
        for dtype in (torch.float32, torch.float16, torch.float64):
            assert below(number, dtype) <= number
    assert below(0.5, torch.float16) == 0.5
    assert below(0.1, torch.float32) == pytest.approx(0.1, rel=1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_points_brought_within_reach_are_those_that_are_placed_in_the_ball(dtype):
    source = torch.Generator().manual_seed(3)
    free = torch.tensor([True] * 4 + [False] + [True])
    scale = torch.tensor([1.0, 3.0, 0.5, 2.0, 1.0, 1.0])
    kinds = ("continuous",) * 5 + ("integer",)
    space = Space(bounds=(-4.0, 5.0), scale=scale, mutable=free, kinds=kinds, names=tuple("abcdef"))
    origin = (8 * torch.rand(200, 6, generator=source) - 4).to(dtype)
    origin[:, 5] = origin[:, 5].round()
    radius = 2 * torch.rand(200, generator=source).double()
    point = origin.float() + 4 * torch.randn(200, 6, generator=source)
    reach = Reach.of(space, NORMS["linf"], origin, radius)
    rows = torch.arange(0, 200, 3)
    found = reach[rows].nearest(point[rows].to(origin.dtype if dtype == torch.float64 else torch.float32))
    change = (found.double() - origin[rows].double()) / scale.double()
    assert bool((change.abs().amax(1) <= radius[rows] * (1 + 1e-6)).all())
    assert torch.equal(found[:, 4], origin[rows, 4])
    assert torch.equal(found[:, 5], found[:, 5].round())
    placed = place(space, origin[rows], reach[rows].change(point[rows].to(found.dtype)), torch.inf, radius[rows])
    torch.testing.assert_close(found, placed)
    assert bool((found != origin[rows])[:, :4].any(1).all())
