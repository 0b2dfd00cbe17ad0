"""Training on the worst case that interval bounds allow."""

import pytest
import torch
from probe_models.training.loop import fit
from probe_models.training.objectives.certified import worst_logits
from probe_models.training.settings import Adversary, Certify, Settings
from torch import nn

from probe import Dataset, Space, from_module, zoo
from probe.certificates import Crown, IntervalBounds
from probe.errors import PlanError

SPACE = Space(bounds=(-9.0, 9.0))


def network(*middle):
    torch_seed = torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), *middle, nn.ReLU(), nn.Linear(6, 3))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch_seed))
    return net


def test_the_worst_logits_and_their_gradients_are_those_of_explicit_intervals():
    net, x, labels, eps = network(), torch.rand(5, 4), torch.tensor([0, 1, 2, 1, 0]), 0.1
    (first, last), one = (net[0], net[2]), torch.eye(3)
    middle, half = first(x), eps * first.weight.abs().sum(1)
    low, high = (middle - half).relu(), (middle + half).relu()
    slopes = (one[labels][:, None] - one) @ last.weight
    explicit = -(slopes.clamp(min=0) * low[:, None] + slopes.clamp(max=0) * high[:, None]).sum(2)
    explicit = explicit - (one[labels][:, None] - one) @ last.bias
    found = worst_logits(net, x, labels, eps, SPACE)
    torch.testing.assert_close(found, explicit)
    weights = list(net.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(found.square().sum(), weights),
        torch.autograd.grad(explicit.square().sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_certified_training_certifies_more_than_plain_training():
    source = torch.Generator().manual_seed(1)
    x = torch.rand(300, 4, generator=source)
    data = Dataset(x, (x[:, 0] > 0.5).long(), space=Space(bounds=(0.0, 1.0)), classes=("low", "high"))
    shares = []
    for certified in (None, Certify(eps=0.1)):
        settings = Settings(epochs=12, batch_size=50, learning_rate=0.02, certified=certified)
        net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))
        fit(net, data, settings, device=torch.device("cpu"), initialise=True)
        model = from_module(net.eval(), data.space, data.classes)
        leads = IntervalBounds().margins(model, data.inputs, data.labels, torch.full((300,), 0.1))
        shares.append(float((leads > 0).all(1).float().mean()))
    assert shares[1] > shares[0] + 0.1


def test_a_network_with_batch_normalisation_is_refused_with_the_remedy():
    data = Dataset(torch.rand(20, 4), torch.arange(20) % 3, space=SPACE, classes=("a", "b", "c"))
    settings = Settings(epochs=1, batch_size=10, certified=Certify(eps=0.1))
    with pytest.raises(PlanError, match=r'needs bounds of every step, .*batch_norm.*norm = "none"'):
        fit(network(nn.BatchNorm1d(6)), data, settings, device=torch.device("cpu"), initialise=True)


def test_certified_training_with_an_adversary_is_refused():
    with pytest.raises(PlanError, match=r"Settings.certified trains on the worst case .* leave adversary, mixup"):
        Settings(epochs=1, certified=Certify(eps=0.1), adversary=Adversary(method="fgsm", eps=0.1))


def test_of_the_certified_network_the_bracket_nearly_closes():
    model, data = zoo.load("fashion-certified"), zoo.data("fashion-mnist")[:100]
    labels = model.check_labels(data.labels, data.inputs)
    leads = Crown(inner="intervals").margins(model, data.inputs, labels, torch.full((100,), 0.1))
    assert float((leads > 0).all(1).float().mean()) > 0.5
