"""The logit lens: by hand, and what has no layers to put in place of each other."""

import pytest
import torch
from torch import nn

from probe import Dataset, Model, Space, zoo
from probe.errors import RangeError, Unsupported
from probe.surveys import LogitLens
from tests.test_internals import drawn

FREE = Space(bounds=(-99.0, 99.0))


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.start, self.blocks = nn.Linear(3, 4), nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.norm, self.head = nn.LayerNorm(4), nn.Linear(4, 3)

    def states(self, x):
        found = [self.start(x)]
        for block in self.blocks:
            found.append(found[-1] + block(found[-1]).tanh())
        return found

    def forward(self, x):
        state = self.start(x)
        for block in self.blocks:
            state = block(state)
        return self.head(self.norm(state))


@torch.no_grad()
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_what_each_layer_gives_is_read_by_the_rest_of_the_network(output):
    network = drawn(Blocks())
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    model = Model(forward=network, space=FREE, classes=("a", "b", "c"), batch_size=3)
    data = Dataset(x, torch.zeros(7, dtype=torch.long), space=FREE)
    state, expected, rows = network.start(x), [], torch.arange(7)
    targets = model.predict(x)
    for block in (nn.Identity(), *network.blocks):
        state = block(state)
        logits = network.head(network.norm(state))
        expected.append((logits if output == "logit" else logits.softmax(1))[rows, targets])
    found = LogitLens(output=output)(model, data)
    torch.testing.assert_close(found.evidence, torch.stack(expected, 1))
    assert found.items == ("before blocks.0", "blocks.0", "blocks.1", "blocks.2")
    named = LogitLens(output=output, layers=("blocks.1", "blocks.2"), answer="b")(model, data)
    assert named.items == ("before blocks.1", "blocks.1", "blocks.2")
    assert LogitLens().along() == "layer"


def test_layers_of_different_shapes_are_refused_with_what_may_be_named():
    model = Model(forward=drawn(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))), space=FREE)
    data = Dataset(torch.ones(2, 2), torch.zeros(2, dtype=torch.long), space=FREE)
    with pytest.raises(Unsupported, match=r"'0' gives \(3,\) and '1' \(2,\) for each row; set layers to some of one"):
        LogitLens()(model, data)
    assert LogitLens(layers=("1",))(model, data).items == ("1",)
    with pytest.raises(RangeError, match="has no layer 'two'"):
        LogitLens(layers=("two",))(model, data)


def test_the_blocks_of_a_network_are_found():
    model, data = zoo.load("fashion-vit"), zoo.data("fashion-mnist")[:2]
    assert LogitLens().items(model, data.inputs)[0].startswith("before ")
