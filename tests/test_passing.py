"""Steps that gradients pass by (BPDA): the step forward to the bit, another function backward."""

import pytest
import torch
from torch import nn

import probe
from probe import Model, Space, passing
from probe.attacks import PGD
from probe.errors import DataError, ForwardError, ShapeError

SOURCE = torch.Generator().manual_seed(0)
WEIGHT, X = torch.randn(12, generator=SOURCE), torch.rand(60, 12, generator=SOURCE)


def rounded(x):
    return (8 * x).round() / 8


def linear(x):
    score = (x - 0.5) @ WEIGHT
    return torch.stack([score, -score], 1)


def test_a_rounded_linear_model_is_attacked_to_its_optimum():
    """Its gradient is 0; the least score within the radius is that of the corner that the weights point away from."""
    step, attack = passing(rounded), PGD(eps=0.08, steps=10)
    shattered, bypassed = Model(forward=lambda x: linear(rounded(x))), Model(forward=lambda x: linear(step(x)))
    labels = shattered.predict(X)
    assert torch.equal(bypassed.logits(X), shattered.logits(X))
    way = torch.where((labels == 0)[:, None], -1, 1) * WEIGHT.sign()
    corner = (X + 0.08 * way).clamp(0, 1)
    reached = shattered.predict(corner) != labels
    assert 10 < reached.sum() < 50
    found = attack(bypassed, X, labels)
    assert torch.equal(found.success, reached)
    assert torch.equal(shattered.predict(found.perturbed) != labels, reached), "the defence itself falls"
    assert attack(shattered, X, labels).success.sum() < reached.sum() / 2
    _, gradient = bypassed.gradient(X, lambda logits: logits[:, 0])
    torch.testing.assert_close(gradient, WEIGHT.expand_as(X))


def test_the_gradient_is_that_of_a_smooth_function_at_the_same_inputs():
    step = passing(lambda x: (x > 0).float(), backward=lambda x: (10 * x).sigmoid())
    x = torch.tensor([[-0.1, 0.0, 0.3]], requires_grad=True)
    answer = step(x)
    assert answer.tolist() == [[0.0, 0.0, 1.0]]
    (gradient,) = torch.autograd.grad((answer * torch.tensor([1.0, 2.0, 3.0])).sum(), x)
    likely = (10 * x.detach()).sigmoid()
    torch.testing.assert_close(gradient, 10 * likely * (1 - likely) * torch.tensor([1.0, 2.0, 3.0]))
    narrow = passing(lambda x: x.sum(1, keepdim=True).round(), backward=lambda x: x.sum(1, keepdim=True))
    assert torch.autograd.grad(narrow(x).sum(), x)[0].tolist() == [[1.0, 1.0, 1.0]]


def test_a_step_in_place_and_one_in_a_network_leave_inputs_modes_and_weights_alone():
    inner = nn.Sequential(nn.Linear(12, 12), nn.Dropout()).eval()
    step = passing(lambda x: x.mul_(8).round_().div_(8), backward=inner)
    network = nn.Sequential(step, nn.Linear(12, 3)).eval()
    model = Model(forward=network, space=Space(bounds=(0.0, 1.0)))
    before, given = {name: weight.clone() for name, weight in network.state_dict().items()}, X.clone()
    model.gradient(X, lambda logits: logits[:, 0])
    assert not torch.equal(step(X), X)
    assert torch.equal(X, given)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    assert {"0.smooth.0.weight", "1.weight"} <= set(before)
    assert all(weight.grad is None for weight in network.parameters())
    training = nn.Dropout()
    passing(training)
    assert training.training, "a mode is its module's own"


def test_what_is_no_step_is_refused():
    with pytest.raises(DataError, match="step is a float, expected a function of inputs"):
        passing(0.5)
    with pytest.raises(DataError, match="backward is a str"):
        passing(rounded, backward="identity")
    with pytest.raises(ShapeError, match=r"returned \(60, 6\) for inputs \(60, 12\).*backward=a smooth function"):
        passing(lambda x: x[:, :6])(X)
    with pytest.raises(DataError, match="the step returned None, expected a tensor"):
        passing(lambda x: None)(X)
    step = passing(rounded, backward=lambda x: x[:, :6])
    with pytest.raises((ShapeError, ForwardError), match=r"backward returned \(60, 6\) where the step returned"):
        Model(forward=lambda x: linear(step(x))).gradient(X, lambda logits: logits[:, 0])
    assert probe.passing is passing
