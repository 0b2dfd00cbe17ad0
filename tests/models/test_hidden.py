"""What the options of the architectures mean, by replicas that follow the definitions."""

import math

import pytest
import torch
from probe_models.networks import build, start
from probe_models.networks.dropout import Dropout
from probe_models.networks.hidden import ACTIVATIONS, MAP_NORMS, NORMS
from torch import nn

from probe.errors import DataError
from tests.models.conftest import SHAPES, SMALL

REPLICAS = {
    "relu": lambda x: max(x, 0.0),
    "leaky relu": lambda x: x if x > 0 else 0.01 * x,
    "gelu": lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
}


def started(architecture, **kwargs):
    network = build(architecture, SMALL[architecture] | kwargs)
    start(network, torch.rand(40, *SHAPES[architecture], generator=torch.Generator().manual_seed(1)), seeded())
    return network


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(architecture, count=30):
    return torch.rand(count, *SHAPES[architecture], generator=seeded(2))


def test_every_activation_has_a_replica():
    assert REPLICAS.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_what_their_definitions_say(name):
    numbers = torch.linspace(-4, 4, 33)
    expected = torch.tensor([REPLICAS[name](x) for x in numbers.tolist()])
    torch.testing.assert_close(ACTIVATIONS[name]()(numbers), expected)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_network_uses_the_activation_it_is_built_with(name):
    network = started("image-mlp", activation=name).eval()
    images = rows("image-mlp")
    first, last = network.layers[0][0], network.layers[1]
    sums = network.standardise(images).flatten(1) @ first.weight.T + first.bias
    hidden = torch.tensor([[REPLICAS[name](x) for x in row] for row in sums.tolist()])
    torch.testing.assert_close(network(images), hidden @ last.weight.T + last.bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ["mlp", "image-mlp", "lenet", "cnn", "resnet"])
def test_every_activation_makes_another_network_of_the_same_weights(architecture):
    networks = {name: started(architecture, activation=name).eval() for name in ACTIVATIONS}
    reference = networks["relu"].state_dict()
    for network in networks.values():
        assert network.state_dict().keys() == reference.keys()
        network.load_state_dict(reference)
    logits = [network(rows(architecture)) for network in networks.values()]
    assert not any(torch.allclose(a, b) for i, a in enumerate(logits) for b in logits[:i])
    assert not any(isinstance(m, nn.ReLU) for m in networks["tanh"].modules())


def normalised(network):
    """What comes out of the first norm while the network trains on 30 rows."""
    kinds = nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm
    norm = next(m for m in network.modules() if isinstance(m, kinds))
    seen = []
    norm.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs.detach()))
    return network, seen


@pytest.mark.parametrize("architecture", ["mlp", "image-mlp", "cnn", "resnet"])
@pytest.mark.parametrize(("norm", "over"), [("batch", (0, 2, 3)), ("layer", (1, 2, 3))])
def test_norms_give_mean_0_and_deviation_1_over_the_batch_or_the_row(architecture, norm, over):
    network, seen = normalised(started(architecture, norm=norm))
    # Some hundred times as large, so that the 1e-5 under the root does not show.
    nn.init.normal_(next(p for p in network.parameters() if p.ndim > 1), std=30.0, generator=seeded())
    network(rows(architecture))
    axes = [axis for axis in over if axis < seen[0].ndim]
    means, squares = seen[0].mean(axes), seen[0].pow(2).mean(axes)
    torch.testing.assert_close(means, torch.zeros_like(means), rtol=0, atol=1e-4)
    torch.testing.assert_close(squares, torch.ones_like(squares), rtol=0, atol=1e-2)


@pytest.mark.parametrize("architecture", ["mlp", "image-mlp", "cnn", "resnet"])
def test_without_normalisation_every_layer_has_a_bias(architecture):
    network = started(architecture, norm="none")
    kinds = nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm
    assert not any(isinstance(m, kinds) for m in network.modules())
    assert all(m.bias is not None for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d))


@pytest.mark.parametrize("architecture", ["mlp", "ftt", "image-mlp", "lenet", "cnn", "resnet", "vit"])
def test_dropout_follows_from_the_seed_of_the_step_and_ends_with_training(architecture):
    plain, network = started(architecture), started(architecture, dropout=0.5)
    assert network.state_dict().keys() == plain.state_dict().keys()
    inputs, drawn = rows(architecture), {}
    for seed in (1, 2, 1):
        network.load_state_dict(plain.state_dict())  # running statistics too
        network.reseed(seed)
        logits = network(inputs).detach()
        assert torch.equal(logits, drawn.setdefault(seed, logits))
    assert not torch.allclose(drawn[1], drawn[2])
    network.load_state_dict(plain.state_dict())
    torch.testing.assert_close(network.eval()(inputs), plain.eval()(inputs))


def test_the_dropouts_of_a_network_draw_apart_from_each_other():
    network = started("lenet", dropout=0.5)
    network.reseed(7)
    first, second = (m(torch.ones(200)) for m in network.modules() if isinstance(m, Dropout))
    assert not torch.equal(first, second)


def test_a_new_network_draws_its_dropout_from_the_seed_of_its_weights():
    ones = torch.ones(1, 200)
    first, again, other = (build("image-mlp", SMALL["image-mlp"] | {"dropout": 0.5}) for _ in range(3))
    for network, seed in ((first, 0), (again, 0), (other, 1)):
        start(network, rows("image-mlp"), seeded(seed))
    masks = [next(m for m in n.modules() if isinstance(m, Dropout))(ones) for n in (first, again, other)]
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_dense_and_convolutional_layers_have_the_same_norms():
    assert NORMS.keys() == MAP_NORMS.keys()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"activation": "swish"}, "expected one of relu, leaky relu"),
        ({"activation": ["relu"]}, "expected one of relu"),
        ({"norm": "group"}, "expected one of none, batch, layer"),
        ({"dropout": 1.0}, "a number from 0 to below 1"),
        ({"dropout": "half"}, "a number from 0 to below 1"),
        ({"dropout": True}, "a number from 0 to below 1"),
        ({"dropout": float("nan")}, "a number from 0 to below 1"),
        ({"side": True}, "expected whole numbers"),
        ({"gate": 2}, "has no argument .gate."),
    ],
)
def test_options_that_do_not_exist_are_refused_with_those_that_do(kwargs, message):
    with pytest.raises(DataError, match=message):
        build("image-mlp", kwargs)
