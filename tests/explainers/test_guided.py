import captum.attr
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import Unsupported
from probe.explainers import GuidedBackprop, Saliency

FIRST = torch.tensor([0])


def test_values_have_the_published_ones_of_captums_network():
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 4), nn.ReLU())
    with torch.no_grad():
        layers[0].weight.fill_(1.0)
        layers[0].bias.copy_(torch.tensor([-50.0, -75.0]))
        layers[3].weight.copy_(torch.cat([torch.ones(4, 5), -torch.ones(4, 3)], 1))
        layers[3].bias.zero_()
    model = Model(forward=layers.eval(), space=Space(bounds=(0.0, 99.0)))
    found = GuidedBackprop()(model, torch.arange(16.0).view(1, 1, 4, 4), FIRST).values[0, 0]
    assert found.tolist() == [[0, 1, 1, 1], [1, 3, 3, 2], [1, 3, 3, 2], [1, 2, 2, 1]]


class Written(nn.Module):
    """ReLUs in each way they are written."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(5, 5) for _ in range(6))
        self.relu, self.inplace = nn.ReLU(), nn.ReLU(inplace=True)

    def forward(self, x):
        ways = (self.relu, self.inplace, F.relu, torch.relu_, lambda x: x.clamp(min=0), self.relu)
        for layer, way in zip(self.layers, ways, strict=True):
            x = way(layer(x))
        return x[:, :2]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_each_way_to_write_a_relu_has_the_rule():
    written = Written()
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in written.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.7)
    plain = nn.Sequential(*(part for layer in written.layers for part in (layer, nn.ReLU()))).eval()
    x, targets = torch.rand(6, 5, generator=source), torch.tensor([0, 1, 0, 1, 0, 1])
    expected = captum.attr.GuidedBackprop(plain).attribute(x.clone().requires_grad_(), target=targets).detach()
    assert expected.abs().max() > 0
    found = GuidedBackprop()(Model(forward=written.eval()), x, targets).values
    assert_close(found, expected)
    assert not torch.equal(found, Saliency()(Model(forward=written), x, targets).values)


def test_without_a_relu_it_is_the_gradient_and_categories_are_refused(network, rows):
    model, x = Model(forward=nn.Sequential(nn.Linear(4, 3), nn.Tanh()).eval()), torch.rand(2, 4)
    assert torch.equal(GuidedBackprop()(model, x, FIRST.repeat(2)).values, Saliency()(model, x, FIRST.repeat(2)).values)
    table = Space(features=[0, 1, 1, 1], kinds=("continuous", "category"))
    with pytest.raises(Unsupported, match=r"a category has none; use InputXGradient"):
        GuidedBackprop()(Model(forward=model.forward, space=table), torch.tensor([[0.5, 1, 0, 0]]))
