"""Units of layers: activation and conductance by hand and as captum has them."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Dataset, Model, Space
from probe.errors import RangeError, Unsupported
from probe.surveys import LayerActivation, LayerConductance

FIRST = torch.tensor([0])


class MultiLayer(nn.Module):
    """The network of captum's own tests, of which the conductance of (0, 100, 0) is known by hand."""

    def __init__(self):
        super().__init__()
        self.linear0, self.linear1, self.relu, self.linear2 = (
            nn.Linear(3, 3),
            nn.Linear(3, 4),
            nn.ReLU(),
            nn.Linear(4, 2),
        )
        with torch.no_grad():
            self.linear0.weight.copy_(torch.eye(3))
            self.linear0.bias.zero_()
            self.linear1.weight.fill_(1.0)
            self.linear1.bias.copy_(torch.tensor([-10.0, 1, 1, 1]))
            self.linear2.weight.fill_(1.0)
            self.linear2.bias.copy_(torch.tensor([-1.0, 1]))

    def forward(self, x):
        return self.linear2(self.relu(self.linear1(self.linear0(x))))


def small():
    space = Space(bounds=(-999.0, 999.0), reference=torch.zeros(1, 3))
    model = Model(forward=MultiLayer().eval(), space=space, classes=("a", "b"))
    return model, Dataset(torch.tensor([[0.0, 100.0, 0.0]]), FIRST, space=space, classes=("a", "b"))


@pytest.mark.parametrize(("layer", "expected"), [
    ("linear1", [90, 100, 100, 100]), ("linear0", [0, 390, 0]), ("linear2", [390, 0]),
])  # fmt: skip
def test_the_conductance_of_a_known_network_is_that_by_hand(layer, expected):
    found = LayerConductance(layer=layer, answer="a", steps=100)(*small())
    assert_close(found.evidence, torch.tensor([expected], dtype=torch.float32), atol=1.0, rtol=0)
    assert found.items[0] == f"{layer} unit 0"


def photos():
    layers = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Conv2d(3, 2, 2), nn.Flatten(), nn.Linear(2, 2)).eval()
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source))
    space = Space(reference=torch.zeros(1, 1, 4, 4))
    x = torch.rand(5, 1, 4, 4, generator=source)
    return Model(forward=layers, space=space), Dataset(x, torch.zeros(5, dtype=torch.long), space=space)


@pytest.mark.parametrize("layer", ["0", "1", "2", "4"])
def test_the_conductances_of_a_layer_add_up_to_the_change_of_the_output(layer):
    model, data = photos()
    found, targets = LayerConductance(layer=layer, steps=200)(model, data).evidence, model.targets(data.inputs)
    ends = [model.target_outputs(rows, targets, "logit") for rows in (data.inputs, torch.zeros_like(data.inputs))]
    assert_close(found.sum(1), ends[0] - ends[1], atol=1e-3, rtol=1e-3)


def test_conductance_is_that_of_captum():
    attr = pytest.importorskip("captum.attr")
    model, data = photos()
    targets = model.targets(data.inputs)
    theirs = attr.LayerConductance(model.forward, model.forward[0]).attribute(
        data.inputs, torch.zeros_like(data.inputs), target=targets, n_steps=300
    )
    ours = LayerConductance(layer="0", steps=200)(model, data).evidence
    assert_close(ours, theirs.detach().flatten(2).sum(2), atol=2e-2, rtol=2e-2)


@pytest.mark.slow
def test_activation_is_the_mean_over_places_and_the_same_in_small_passes():
    model, data = photos()
    found = LayerActivation(layer="1")(model, data)
    assert_close(found.evidence, model.forward[:2](data.inputs).mean((2, 3)).detach())
    assert found.items == ("1 unit 0", "1 unit 1", "1 unit 2")
    few = Model(forward=model.forward, space=model.space, batch_size=2)
    for kind in (LayerActivation, LayerConductance):
        assert_close(kind(layer="2")(few, data).evidence, kind(layer="2")(model, data).evidence)


def test_units_of_words_lie_along_the_last_axis():
    words = nn.Embedding(5, 3, padding_idx=0)
    space = Space(words=tuple("-?abc"), bounds=(0, 4), reference=torch.zeros(1, 6, dtype=torch.long))
    reader = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Flatten(), nn.Linear(24, 2)).eval()
    model = Model(forward=reader, embed=words, space=space)
    x = torch.tensor([[2, 3, 4, 0, 0, 0], [4, 4, 1, 2, 3, 2]])
    data = Dataset(x, FIRST.repeat(2), space=space)
    found = LayerConductance(layer="1", axis=-1, steps=200)(model, data).evidence
    assert found.shape == (2, 4)
    targets = model.targets(x)
    ends = [model.target_outputs(rows, targets, "logit") for rows in (x, torch.zeros_like(x))]
    assert_close(found.sum(1), ends[0] - ends[1], atol=1e-3, rtol=1e-3)
    assert LayerActivation(layer="1", axis=1)(model, data).evidence.shape == (2, 6)


def test_what_has_no_units_is_refused():
    model, data = small()
    with pytest.raises(RangeError, match="has no layer 'linear9'"):
        LayerActivation(layer="linear9")(model, data)
    for axis in (0, 2):
        with pytest.raises(RangeError, match=r"axis = \d, and the layer 'relu' gives \(1, 4\)"):
            LayerActivation(layer="relu", axis=axis)(model, data)
    with pytest.raises(Unsupported, match="is a function to torch"):
        LayerActivation(layer="relu")(Model(forward=lambda x: x, space=data.space), data)
    with pytest.raises(RangeError, match="'z' is no class; there are a, b"):
        LayerConductance(layer="relu", answer="z")(model, data)
