import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import Unsupported
from probe.explainers import ScoreCAM


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
    return Model(forward=layers.eval(), space=Space(reference=torch.full((1, 2, 8, 6), 0.2)))


@pytest.fixture
def images():
    return torch.rand(3, 2, 8, 6, generator=torch.Generator().manual_seed(1))


def laid(maps):
    return nn.functional.interpolate(maps, size=(8, 6), mode="bilinear", align_corners=False)


@pytest.mark.parametrize("output", ["logit", "probability"])
def test_a_slow_replica_of_the_papers_algorithm_agrees(network, images, output):
    targets = torch.tensor([0, 2, 1])
    found = ScoreCAM(output=output)(network, images, targets).values

    def answer(x, target):
        logits = network.logits(x)[0]
        return (logits if output == "logit" else logits.softmax(0))[target]

    behind = network.space.reference
    for row in range(3):
        maps, scores = network.forward[:4](images[row : row + 1].clone()).detach(), []
        for channel in range(5):
            mask = laid(maps[:, channel : channel + 1])
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            scores.append(answer(mask * images[row : row + 1] + (1 - mask) * behind, targets[row]))
        weights = (torch.stack(scores) - answer(behind, targets[row])).softmax(0)
        expected = laid((weights[:, None, None] * maps[0]).sum(0).relu()[None, None])
        assert_close(found[row].sum(0, keepdim=True)[None], expected)
    assert found.max() > 0


def test_a_map_that_is_the_same_everywhere_shows_nothing(images):
    layers = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Flatten(), nn.Linear(96, 2))
    with torch.no_grad():
        layers[0].weight.zero_()
        layers[0].bias.copy_(torch.tensor([1.0, 3.0]))
    model = Model(forward=layers.eval(), space=Space(reference=torch.zeros(1, 2, 8, 6)))
    assert_close(ScoreCAM()(model, images).values, torch.ones(3, 2, 8, 6))  # (1 + 3) / 2 over two channels


def test_it_costs_a_pass_for_each_map_and_follows_no_gradient(network, images):
    cost = ScoreCAM()(network, images, torch.tensor([0, 1, 2])).cost
    assert (cost.forward, cost.backward) == (3 * (1 + 5 + 1), 0)


def test_what_has_no_maps_or_no_reference_is_refused(network, images):
    with pytest.raises(Unsupported, match=r"layer '6' of model gives \(3, 3\) .* set layer to one .* such as '3'"):
        ScoreCAM(layer="6")(network, images)
    with pytest.raises(Unsupported, match="replaces absent features by a reference, and model has none"):
        ScoreCAM()(Model(forward=network.forward), images)
