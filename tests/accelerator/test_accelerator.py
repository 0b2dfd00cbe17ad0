"""The pretend accelerator itself: what it refuses, and what it counts."""

import pytest
import torch
from torch import nn

from tests.accelerator import traffic
from tests.accelerator.conftest import available


@pytest.mark.slow
def test_the_pretend_accelerator_computes_like_the_cpu(device):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
    x = torch.rand(5, 1, 4, 4)
    expected = torch.autograd.grad(network(x).square().sum(), list(network.parameters()))
    network.to(device)
    found = torch.autograd.grad(network(x.to(device)).square().sum(), list(network.parameters()))
    assert all(each.device == device for each in found)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.cpu(), other)


def test_tensors_of_two_devices_do_not_mix(device):
    here, there = torch.rand(3, 2), torch.rand(3, 2, device=device)
    for mix in (
        lambda: here + there,
        lambda: there @ here.T,
        lambda: torch.cat([here, there]),
        lambda: torch.where(there > 0, there, here),
        lambda: there.gather(1, torch.zeros(3, 1, dtype=torch.long)),
        lambda: here[torch.tensor([0], device=device)],
    ):
        with pytest.raises(RuntimeError, match="same device"):
            mix()
    assert (there + torch.tensor(1.0)).device == device  # a single number may come from anywhere


def test_a_random_generator_belongs_to_its_device(device):
    drawn = torch.rand(4, device=device, generator=torch.Generator(device).manual_seed(3))
    assert torch.equal(drawn.cpu(), torch.rand(4, generator=torch.Generator().manual_seed(3)))
    with pytest.raises(RuntimeError, match="device type for generator"):
        torch.rand(4, device=device, generator=torch.Generator().manual_seed(3))
    with pytest.raises(RuntimeError, match="same device"):
        torch.rand(4, generator=torch.Generator(device))


@pytest.mark.parametrize(
    ("look", "count"),
    [
        (lambda x: x.sum().item(), 1),
        (lambda x: bool((x > 0).all()), 1),
        (lambda x: x.cpu(), 1),
        (lambda x: x.tolist(), 1),
        (lambda x: (x > 0).nonzero(), 1),
        (lambda x: x[x > 0.5], 1),
        (lambda x: torch.unique(x), 1),
        (lambda x: torch.equal(x, x), 1),
        (lambda x: x.clone().masked_fill_(x > 0.5, 0.0) + x.sort().values, 0),
        (lambda x: torch.where(x > 0.5, x, 0.0)[:2].repeat(2, 1), 0),
    ],
)
def test_synchronisations_are_counted(device, look, count):
    x = torch.rand(3, 2, device=device)
    with traffic() as found:
        look(x)
    assert len(found.waits) == count, found.waits


def test_copies_to_the_device_are_counted(device):
    with traffic() as found:
        x = torch.rand(3, 2).to(device)
        x[torch.tensor([0, 2])] = 1.0
        x = x + 1.0
    assert (found.arrivals, found.waits) == (2, [])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_refuse_backward_in_eval_mode_as_cudnn_does(device, kind):
    layer, x = kind(3, 4, num_layers=2, bidirectional=True, batch_first=True), torch.rand(2, 5, 3)
    expected = layer(x)[0]
    layer.to(device)
    slope = torch.autograd.grad(layer(x := x.to(device).requires_grad_())[0].sum(), x)[0]
    torch.testing.assert_close(layer(x)[0].cpu(), expected)
    with pytest.raises(RuntimeError, match="cudnn RNN backward can only be called in training mode"):
        layer.eval()(x)[0].sum().backward()
    with torch.backends.cudnn.flags(enabled=False):
        torch.testing.assert_close(torch.autograd.grad(layer(x)[0].sum(), x)[0], slope)


def test_without_a_compiler_the_tests_of_devices_are_skipped_visibly_and_never_where_ci_is_set(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"no pretend accelerator: there is no C\+\+ compiler here"):
        available(tmp_path)
    monkeypatch.setenv("CI", "1")
    left_out = r"the tests of devices would be left out: there is no C\+\+ compiler here"
    with pytest.raises(pytest.fail.Exception, match=left_out):
        available(tmp_path)
