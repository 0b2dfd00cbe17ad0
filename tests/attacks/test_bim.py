"""BIM and MIFGSM: their published steps, and the optimum of a linear model."""

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.attacks import BIM, FGSM, MIFGSM
from probe.norms import NORMS

WIDE = Space(bounds=(-100.0, 100.0))


def network() -> tuple[nn.Module, torch.Tensor]:
    source = torch.Generator().manual_seed(5)
    net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4)).double().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source))
    return net, torch.randn(20, 8, generator=source, dtype=torch.float64)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("attack", [BIM(), MIFGSM(), BIM(random_start=True, steps=20)], ids=repr)
def test_the_worst_point_of_a_linear_model_is_reached(attack, norm):
    source = torch.Generator().manual_seed(3)
    weight, x = torch.randn(20, generator=source), torch.randn(64, 20, generator=source)
    model = Model(forward=lambda x: torch.stack([-(x @ weight) / 2, (x @ weight) / 2], -1), space=WIDE)
    settings = {**attack.config(), "norm": norm, "eps": 0.05}
    found = type(attack)(**{name: settings[name] for name in settings if name not in ("method", "goal")})(
        model, x, model.predict(x)
    )
    dual = torch.linalg.vector_norm(weight, ord={"linf": 1, "l2": 2, "l1": torch.inf}[norm])
    worst = (x @ weight).abs() - 0.05 * dual
    assert torch.equal(found.success, worst < 0)
    left = (found.perturbed @ weight).abs()[~found.success]
    torch.testing.assert_close(left, worst[~found.success], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("decay", [None, 0.0, 0.9])
def test_steps_are_the_published_ones(norm, decay):
    """A plain replica, of examples that withstand; decay None is BIM."""
    net, x = network()
    model = Model(forward=net, space=WIDE)
    y, eps, steps, share, p = model.predict(x), 0.02, 4, 0.4, NORMS[norm]
    made = BIM if decay is None else MIFGSM
    found = made(eps=eps, norm=norm, steps=steps, step=share, **({} if decay is None else {"decay": decay}))(
        model, x, y
    )
    here, total, points = x, torch.zeros_like(x), []
    for _ in range(steps):
        leaf = here.clone().requires_grad_()
        (slope,) = torch.autograd.grad(nn.functional.cross_entropy(net(leaf), y, reduction="sum"), leaf)
        total = (decay or 0.0) * total + slope / slope.abs().sum(1, keepdim=True)
        here = x + p.project(here - x + share * eps * p.steepest(total), eps)
        points.append(here)
    losses = torch.stack([nn.functional.cross_entropy(net(point), y, reduction="none") for point in points])
    best = torch.stack(points)[losses.argmax(0), torch.arange(len(x))]
    withstood = ~found.success
    assert withstood.sum() >= 15
    torch.testing.assert_close(found.perturbed[withstood], best[withstood], atol=1e-9, rtol=1e-9)


def test_one_step_of_one_radius_is_fgsm():
    net, x = network()
    model = Model(forward=net, space=WIDE)
    y = model.predict(x)
    for made in (BIM(eps=0.1, steps=1, step=1.0), MIFGSM(eps=0.1, steps=1)):
        assert torch.equal(made(model, x, y).perturbed, FGSM(eps=0.1)(model, x, y).perturbed)


def test_a_random_start_sees_what_the_input_does_not():
    """At the input there is no slope."""
    model = Model(
        forward=lambda x: torch.stack([torch.full((len(x),), 0.5), 40 * torch.relu(x.sum(-1).abs() - 0.1)], -1),
        space=Space(bounds=(-1.0, 1.0)),
    )
    x, y = torch.zeros(1, 2), torch.tensor([0])
    assert not BIM(eps=0.5)(model, x, y).success
    assert BIM(eps=0.5, random_start=True)(model, x, y).success
