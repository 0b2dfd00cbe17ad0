from contextlib import nullcontext

import captum.attr
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import RangeError, Unsupported
from probe.explainers import GradCAM, LayerCAM

FIRST = torch.tensor([0])
both = pytest.mark.parametrize("method", [GradCAM, LayerCAM])


@pytest.fixture
def one_convolution() -> Model:
    """Captum's BasicModel_ConvNet_One_Conv, whose maps are published."""
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 4), nn.ReLU())
    with torch.no_grad():
        layers[0].weight.fill_(1.0)
        layers[0].bias.copy_(torch.tensor([-50.0, -75.0]))
        layers[3].weight.copy_(torch.cat([torch.ones(4, 5), -torch.ones(4, 3)], 1))
        layers[3].bias.zero_()
    return Model(forward=layers.eval(), space=Space(bounds=(0.0, 99.0)))


@pytest.fixture
def network() -> Model:
    layers = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, padding=1), nn.Tanh(),
        nn.Flatten(), nn.Linear(60, 3),
    )  # fmt: skip
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source) * 0.4)
    return Model(forward=layers.eval())


@pytest.fixture
def images():
    return torch.rand(3, 2, 8, 6, generator=torch.Generator().manual_seed(1))


def laid(maps):
    return nn.functional.interpolate(maps, size=(8, 6), mode="bilinear", align_corners=False)


@pytest.mark.parametrize(
    ("layer", "expected"), [("0", [[11.25, 13.5], [20.25, 22.5]]), ("1", [[0.0, 4.0], [28.0, 32.5]])]
)
def test_grad_cam_has_the_published_values_of_captums_network(one_convolution, layer, expected):
    """Interpolation keeps the corners of a map of 2 by 2."""
    x = torch.arange(16.0).view(1, 1, 4, 4)
    found = GradCAM(layer=layer)(one_convolution, x, FIRST).values[0, 0]
    assert_close(found[::3, ::3], torch.tensor(expected))


@pytest.mark.parametrize(("address", "output"), [("0", "logit"), ("3", "logit"), ("3", "probability")])
def test_captum_agrees_about_grad_cam(network, images, address, output):
    targets = torch.tensor([0, 2, 1])
    forward = network.forward if output == "logit" else nn.Sequential(network.forward, nn.Softmax(-1))
    theirs = captum.attr.LayerGradCam(forward, network.forward[int(address)])
    expected = theirs.attribute(images, target=targets, relu_attributions=True).detach()
    found = GradCAM(layer=address, output=output)(network, images, targets).values
    assert found.max() > 0
    assert_close(found.sum(1, keepdim=True), laid(expected))


def test_layer_cam_weighs_each_place_by_its_own_gradient(network, images):
    targets = torch.tensor([0, 2, 1])
    maps = network.forward[:4](images).detach().requires_grad_()
    logits = network.forward[4:](maps)
    (slopes,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), maps)
    expected = (slopes.clamp(min=0) * maps).sum(1, keepdim=True).clamp(min=0).detach()
    found = LayerCAM()(network, images, targets).values
    assert_close(found[:, :1], found[:, 1:])
    assert_close(found.sum(1, keepdim=True), laid(expected))


@both
def test_the_last_convolution_is_what_is_weighed_unless_a_layer_is_named(method, network, images):
    last = method()(network, images).values
    assert torch.equal(last, method(layer="3")(network, images).values)
    assert not torch.equal(last, method(layer="0")(network, images).values)


@both
def test_a_network_over_a_series_has_maps_of_one_dimension(method):
    layers = nn.Sequential(nn.Conv1d(1, 1, 1), nn.Flatten(), nn.Linear(6, 2))
    with torch.no_grad():
        layers[0].weight.fill_(2.0)
        layers[0].bias.zero_()
        layers[2].weight.copy_(torch.tensor([[1.0] * 6, [0.0] * 6]))
    space = Space(form="series", bounds=(-9.0, 9.0))
    found = method()(Model(forward=layers.eval(), space=space), torch.arange(-2.0, 4.0).view(1, 1, 6), FIRST)
    assert found.values.tolist() == [[[0.0, 0.0, 0.0, 2.0, 4.0, 6.0]]]


@both
def test_maps_cost_one_pass_each_way(method, network, images):
    cost = method()(network, images, torch.tensor([0, 1, 2])).cost
    assert (cost.forward, cost.backward) == (3, 3)


@both
def test_what_has_no_maps_is_refused_with_what_can_be_done(method, network, images, multilayer):
    dense = Model(forward=nn.Sequential(nn.Flatten(), nn.Linear(96, 3)).eval(), name="dense")
    with pytest.raises(Unsupported, match=r"and dense has none; set layer to one that gives .*, among 0, 1"):
        method()(dense, images)
    with pytest.raises(Unsupported, match="needs images or series, and inputs of model are neither"):
        method()(multilayer, torch.ones(1, 3, dtype=torch.float64))
    words = Model(
        forward=nn.Sequential(nn.Conv1d(4, 2, 4), nn.Flatten()).eval(),
        embed=nn.Embedding(9, 4).eval(),
        space=Space(bounds=(0, 8)),
        name="words",
    )
    with pytest.raises(Unsupported, match="needs images or series, and inputs of words are neither"):
        method()(words, torch.tensor([[1, 5, 2, 3]]), FIRST)
    with pytest.raises(RangeError, match="model has no layer 'conv'; it has 0, 1, 2"):
        method(layer="conv")(network, images)
    with pytest.raises(Unsupported, match=r"layer '6' of model gives \(3, 3\) .* set layer to one .* such as '3'"):
        method(layer="6")(network, images)
    with pytest.raises(Unsupported, match="is a function to torch"):
        method()(Model(forward=lambda x: x.flatten(1)), images)


@both
def test_a_layer_that_is_called_twice_is_named_by_its_call(method, images):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            return self.conv(self.conv(x).tanh()).flatten(1)

    model = Model(forward=Twice().eval())
    with pytest.raises(Unsupported, match="several times"):
        method()(model, images)
    assert method(layer="conv#1")(model, images).values.shape == images.shape


class SetsTheMode(nn.Module):
    """A network that sets the gradient mode around its layer."""

    def __init__(self, layer, sets):
        super().__init__()
        self.first, self.layer, self.sets, self.modes = nn.Conv2d(1, 2, 3), layer, sets, []
        self.head = nn.Linear(3 * 16, 3)

    def forward(self, x):
        x = self.first(x)
        self.modes.append(torch.is_grad_enabled())
        with torch.set_grad_enabled(True) if self.sets else nullcontext():
            x = self.layer(x)
        return self.head(x.relu().flatten(1))


@pytest.mark.parametrize("method", [GradCAM(layer="layer"), LayerCAM(layer="layer")], ids=str)
def test_nothing_is_kept_below_the_layer_unless_a_network_sets_the_mode_itself(method):
    layer, x = nn.Conv2d(2, 3, 3), torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    plain, sets = SetsTheMode(layer, False), SetsTheMode(layer, True)
    sets.load_state_dict(plain.state_dict())
    targets, before = torch.tensor([0, 2]), torch.is_grad_enabled()
    found = [method(Model(forward=each.eval()), x, targets).values for each in (plain, sets)]
    assert_close(found[0], found[1])
    assert plain.modes[1:] == [False]  # the first call asks how many outputs there are
    assert sets.modes[1:] == [False, True]
    assert torch.is_grad_enabled() == before
