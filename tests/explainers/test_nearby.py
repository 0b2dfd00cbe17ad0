import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.testing import assert_close

from probe import Model, Space
from probe.explainers import Occlusion, nearby

SIDE = 17


class Written(nn.Module):
    """A convolution, and a function of its maps that is written out."""

    def __init__(self, then):
        super().__init__()
        self.conv, self.then = nn.Conv2d(2, 4, 3, padding=1), then

    def forward(self, x):
        return self.then(self.conv(x)).flatten(1)[:, ::50]


def hidden(x):
    with torch._C.DisableTorchFunction():  # as an operation of which function modes are not told
        return x.clone()


def written_into(x):
    y = torch.relu(x)
    view = y[:, :, 0]
    y.mul_(2.0)
    return y + view[:, :, None]


def left_as_it_was(x):
    y = F.dropout(x, training=False)
    return torch.relu_(y) + x


def cut_and_set(x):
    x = x * 2
    x[:, :, 3] = 1.0
    return torch.relu(x)


def layers(*those):
    return nn.Sequential(*those, nn.Flatten(), nn.LazyLinear(3))


class Multiplied(TorchFunctionMode):
    """Counts multiplications of convolutions."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        found, weight = func(*args, **(kwargs or {})), (kwargs or {}).get("weight", args[1] if args[1:] else None)
        if func in (torch.conv2d, torch.conv_transpose2d):
            self.numbers += (found if func is torch.conv2d else args[0]).numel() * weight[0].numel()
        return found


NETWORKS = {
    "padded": lambda: layers(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3)),
    "strided": lambda: layers(nn.Conv2d(2, 4, 5, stride=2, padding=2), nn.SiLU(), nn.MaxPool2d(3, 1, 1)),
    "uneven": lambda: layers(nn.Conv2d(2, 4, (1, 4), stride=(1, 2), padding=(0, 3)), nn.AvgPool2d((2, 1), padding=0)),
    "with gaps": lambda: layers(nn.Conv2d(2, 4, 2, dilation=3, groups=2, padding=1), nn.AvgPool2d(2, padding=1)),
    "same": lambda: layers(nn.Conv2d(2, 4, 3, dilation=2, padding="same"), nn.LeakyReLU(), nn.AvgPool2d(2)),
    "skipping": lambda: layers(nn.Conv2d(2, 4, 2, stride=4), nn.Tanh()),
    "rounded up": lambda: layers(nn.Conv2d(2, 4, 3), nn.MaxPool2d(4, ceil_mode=True), nn.ReLU()),
    "edges left out": lambda: layers(nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.Conv2d(2, 2, 1)),
    "normalised": lambda: layers(nn.BatchNorm2d(2), nn.Conv2d(2, 4, 3), nn.PReLU(4), nn.GroupNorm(2, 4)),
    "reflected": lambda: layers(nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU()),
    "added": lambda: Written(lambda x: torch.relu(x) + x),
    "scaled": lambda: Written(lambda x: (1 - x / torch.tensor([1.0, 2.0, 3.0, 4.0]).double()[:, None, None]) * 2),
    "scaled by place": lambda: Written(lambda x: x * torch.linspace(0, 1, SIDE).double()),
    "attended": lambda: Written(lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True))),
    "viewed": lambda: Written(lambda x: F.max_pool2d(x, 2).view(len(x), -1)[:, :, None]),
    "in place of a view": lambda: Written(written_into),
    "set": lambda: Written(cut_and_set),
    "left as it was": lambda: Written(left_as_it_was),
    "hidden": lambda: Written(lambda x: torch.relu(hidden(torch.relu(x)))),
    "converted": lambda: Written(lambda x: torch.relu_(x.to(torch.float64)) + x),
    "reached as a whole": lambda: layers(nn.Conv2d(2, 4, 5, padding=3), nn.Conv2d(4, 6, (8, 7), padding=1, groups=2)),
    "no layers that are local": lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(3)),
}


def model_of(network, references=1):
    source = torch.Generator().manual_seed(0)
    network = network().double()
    network(torch.zeros(1, 2, SIDE, SIDE, dtype=torch.float64))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=source, dtype=torch.float64))
    reference = torch.rand(references, 2, SIDE, SIDE, generator=source, dtype=torch.float64)
    return Model(forward=network.eval(), space=Space(reference=reference))


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_those_of_whole_rows_whatever_the_network_does(name, monkeypatch):
    model = model_of(NETWORKS[name], references=2)
    x = torch.rand(2, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    method = Occlusion(window=3, stride=2)
    found = method(model, x).values
    monkeypatch.setattr(nearby, "_followed", lambda *_: None)
    assert_close(found, method(model, x).values, rtol=0, atol=1e-12)


def test_only_what_a_window_reaches_is_computed(monkeypatch):
    model = model_of(lambda: layers(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1)))
    sizes, near = [], nearby._Local._near

    def told(*args):
        found = near(*args)
        sizes.append(found and tuple(found.patch.shape[2:]))
        return found

    monkeypatch.setattr(nearby._Local, "_near", told)
    Occlusion(window=3)(model, torch.rand(1, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).double())
    assert sizes == [(5, 5), (5, 5), (7, 7), None]  # of 17 x 17; then maps are flattened


def test_a_convolution_computes_only_what_changes_add():
    model = model_of(lambda: layers(nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 7, padding=3)))
    x = torch.rand(1, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).double()
    with Multiplied() as asked:
        Occlusion(window=2)(model, x)
    first, second = 2 * 8 * 3**2, 8 * 8 * 7**2  # multiplications of a place
    rows, passes = 82, 3  # with the image itself; in each pass it is asked as a whole too
    assert asked.numbers <= rows * (2 * 2 * first + 4 * 4 * second) + passes * SIDE**2 * (first + second)


def test_a_layer_that_is_watched_sees_whole_maps():
    model, seen = model_of(NETWORKS["padded"]), []
    x = torch.rand(1, 2, SIDE, SIDE).double()
    handle = model.forward[0].register_forward_hook(lambda *of: seen.append(of[2].clone()))
    Occlusion(window=3)(model, x)
    handle.remove()
    assert all(bool(maps.isfinite().all()) for maps in seen)
    with model.edited({"0": lambda maps: maps * maps.mean((2, 3), keepdim=True)}) as other:
        assert bool(Occlusion(window=3)(other, x).values.isfinite().all())
