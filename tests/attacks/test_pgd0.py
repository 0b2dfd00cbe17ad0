"""On a linear model the best sparse change moves the pixels of largest gain to their bounds."""

import pytest
import torch

from probe import Model, Space
from probe.attacks import PGD0
from probe.things import THINGS

SOURCE = torch.Generator().manual_seed(0)


def linear(*shape):
    """A model with one weight for each coordinate, and 40 inputs of which two pixels mislead some."""
    weight, x = torch.randn(*shape, generator=SOURCE), torch.rand(40, *shape, generator=SOURCE)
    offset = float((x * weight).flatten(1).sum(1).mean())

    def forward(x):
        score = (x * weight).flatten(1).sum(1) - offset
        return torch.stack([score, -score], 1)

    return Model(forward=forward, space=Space(bounds=(0.0, 1.0))), weight, x


@pytest.mark.parametrize("shape", [(30,), (3, 6, 5)])
@pytest.mark.parametrize("steps", [1, 10])
def test_the_pixels_of_largest_gain_of_a_linear_model_move_to_their_bounds(shape, steps):
    model, weight, x = linear(*shape)
    y = model.predict(x)
    found = PGD0(eps=2, steps=steps, step=1e4)(model, x, y)
    pull = weight * (2 * y - 1).view(-1, *[1] * len(shape))  # what raises the loss: of class 0 a lower score
    gain = THINGS["pixel"].sizes(pull * torch.where(pull > 0, 1 - x, -x))
    best = gain.sort(dim=1, descending=True).values[:, :2].sum(1)
    lead = (model.logits(x)[:, 0] - model.logits(x)[:, 1]).abs() / 2
    assert torch.equal(found.success, best > lead)
    assert found.success.any()
    assert bool((THINGS["pixel"].sizes(found.perturbed - x) != 0).sum(1).le(2).all())
    torch.testing.assert_close(((found.perturbed - x) * pull).flatten(1).sum(1), best, rtol=1e-3, atol=1e-3)


def test_steps_are_the_published_ones_on_a_network():
    """A plain replica with a loop over examples, of one that withstands."""
    net = torch.nn.Sequential(torch.nn.Linear(12, 20), torch.nn.Tanh(), torch.nn.Linear(20, 3)).double().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=SOURCE) / 3)
    x = torch.rand(30, 12, generator=SOURCE, dtype=torch.float64)
    model = Model(forward=net, space=Space(bounds=(0.0, 1.0)))
    y = model.predict(x)
    found = PGD0(eps=2, steps=4, step=0.3)(model, x, y)
    seen = 0
    for row in range(len(x)):
        here, best = x[row], (-torch.inf, None)
        for _ in range(5):
            leaf = here.clone().requires_grad_()
            loss = torch.nn.functional.cross_entropy(net(leaf)[None], y[row : row + 1])
            (slope,) = torch.autograd.grad(loss, leaf)
            best = max(best, (loss.item(), here), key=lambda each: each[0])
            moved = here + 0.3 * slope / slope.abs().mean()
            inside = moved.clamp(0, 1)
            spared = (moved - x[row]) ** 2 - (moved - inside) ** 2
            here = x[row].clone()
            for place in sorted(range(12), key=lambda i: -spared[i])[:2]:
                here[place] = inside[place]
        if not found.success[row]:
            torch.testing.assert_close(found.perturbed[row], best[1], atol=1e-9, rtol=1e-9)
            seen += 1
    assert 5 <= seen < 30


def test_a_random_start_sees_what_the_input_does_not_and_is_the_same_in_any_batch():
    model = Model(
        forward=lambda x: torch.stack([torch.full((len(x),), 0.5), 40 * torch.relu((x - 0.5).abs().sum(1) - 0.1)], 1),
        space=Space(bounds=(0.0, 1.0)),
    )
    x, y = torch.full((3, 4), 0.5) + torch.arange(3)[:, None] * 1e-3, torch.zeros(3, dtype=torch.long)
    assert not PGD0(eps=2)(model, x, y).success.any()
    found = PGD0(eps=2, restarts=2)(model, x, y)
    assert found.success.all()
    assert torch.equal(PGD0(eps=2, restarts=2)(model, x.flip(0)[:2], y[:2]).perturbed, found.perturbed.flip(0)[:2])
