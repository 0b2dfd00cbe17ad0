"""Recurrent layers of torch's own are explained and attacked where cuDNN refuses the way back."""

from functools import partial

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.attacks import PGD
from probe.errors import ForwardError
from probe.explainers import IntegratedGradients, Saliency
from tests.accelerator.comparing import assert_same

SPACE = Space(reference=torch.zeros(1, 5, 3))


class Reader(nn.Module):
    """Reads a series of three channels, and keeps whether cuDNN was on when it did."""

    def __init__(self, kind: type[nn.RNNBase], **settings: int) -> None:
        super().__init__()
        self.layer, self.head = kind(3, 4, batch_first=True, **settings), nn.LazyLinear(2)
        self.seen: list[bool] = []

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        self.seen.append(torch.backends.cudnn.enabled)
        return self.head(self.layer(series)[0].amax(1))


@pytest.fixture(params=[(nn.LSTM, {}), (nn.GRU, {"bidirectional": True}), (nn.RNN, {"num_layers": 2})], ids=str)
def reader(request):
    kind, settings = request.param
    network = Reader(kind, **settings).eval()
    network(torch.zeros(1, 5, 3))
    with torch.no_grad():
        network.head.weight.mul_(4)
    return network


@pytest.fixture
def series():
    return torch.rand(4, 5, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "method",
    [
        lambda model, x: Saliency()(model, x),
        lambda model, x: IntegratedGradients(steps=6, pieces=1)(model, x),
        lambda model, x: PGD(eps=0.4, steps=5)(model, x, torch.tensor([0, 1, 0, 1])),
    ],
)
def test_a_recurrent_network_is_explained_and_attacked_in_eval_mode(device, reader, series, method):
    expected = method(Model(forward=reader, space=SPACE), series)
    found = method(Model(forward=reader.to(device), space=SPACE), series)
    assert_same(found, expected, device)
    assert not any(module.training or module._forward_pre_hooks or module._forward_hooks for module in reader.modules())
    assert torch.backends.cudnn.enabled


def wrapped(network):
    return lambda x: network(x)


def handed(network, x):
    return network(x)


class Holder:
    def __init__(self, network):
        self.network = network

    def __call__(self, x):
        return self.network(x)

    def ask(self, x):
        return self.network(x)


class Hider:
    """Holds its network where nobody looks."""

    def __init__(self, network):
        self.parts = [network]

    def __call__(self, x):
        return self.parts[0](x)


FORWARDS = {
    "a module": lambda network: network,
    "modules around it": lambda network: nn.Sequential(nn.Identity(), network).eval(),
    "its method": lambda network: network.forward,
    "a function around it": wrapped,
    "a partial function": lambda network: partial(handed, network),
    "an object with it": Holder,
    "a method of such an object": lambda network: Holder(network).ask,
}


@pytest.mark.parametrize("forward", FORWARDS)
def test_the_layers_are_found_however_the_forward_holds_them(device, reader, series, forward):
    expected = Model(forward=reader, space=SPACE).gradient(series, lambda z: z[:, 0])
    model = Model(forward=FORWARDS[forward](reader.to(device)), space=SPACE)
    assert_same(model.gradient(series.to(device), lambda z: z[:, 0]), expected, device)


def test_a_forward_that_hides_them_gets_a_remedy_that_works(device, reader, series):
    hider, x = Hider(reader.to(device)), series.to(device)
    with pytest.raises(ForwardError, match=r"hides its recurrent layers.*give Model the nn.Module itself") as error:
        Model(forward=hider, space=SPACE).gradient(x, lambda z: z[:, 0])
    assert "torch.backends.cudnn.flags(enabled=False)" in str(error.value)

    def forward(rows):
        with torch.backends.cudnn.flags(enabled=False):
            return hider(rows)

    Model(forward=forward, space=SPACE).gradient(x, lambda z: z[:, 0])


def test_cudnn_is_off_only_for_gradients_of_a_recurrent_network(device, reader, series):
    plain = Reader(nn.RNN)
    plain.layer, plain.head = nn.Identity(), nn.Linear(3, 2)
    plain.layer.forward = lambda x: (x,)
    plain.eval()
    for network, expected in ((reader, [True, False]), (plain, [True, True])):
        network.to(device).seen.clear()
        model = Model(forward=network, space=SPACE)
        model.logits(series.to(device))
        model.gradient(series.to(device), lambda z: z[:, 0])
        assert network.seen == expected
    on_the_cpu = Model(forward=reader.cpu(), space=SPACE)
    reader.seen.clear()
    on_the_cpu.gradient(series, lambda z: z[:, 0])
    assert reader.seen == [True]


def test_cudnn_is_on_again_after_a_forward_that_fails(device, reader):
    model = Model(forward=reader.to(device), space=Space())
    with pytest.raises(ForwardError):
        model.gradient(torch.rand(2, 7, device=device), lambda z: z[:, 0])
    assert torch.backends.cudnn.enabled
