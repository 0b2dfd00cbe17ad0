import math

import pytest
import torch
from probe_models.networks import build, start
from probe_models.networks.initialisers import INITIALISERS

SHAPES = [(200, 100), (64, 16, 3, 3)]
LAYOUTS = {2: torch.contiguous_format, 4: torch.channels_last}
VARIANCES = {
    "uniform": lambda ins, outs: 1 / (3 * ins),
    "he": lambda ins, outs: 2 / ins,
    "xavier": lambda ins, outs: 2 / (ins + outs),
    "truncated normal": lambda ins, outs: 1 / ins,
}


def drawn(name, shape, seed=0):
    weight = torch.empty(shape).contiguous(memory_format=LAYOUTS[len(shape)])
    INITIALISERS[name](weight, torch.Generator().manual_seed(seed))
    return weight


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", VARIANCES)
def test_initial_weights_have_mean_0_and_the_documented_variance(name, shape):
    weight = drawn(name, shape)
    ins, outs = weight[0].numel(), weight[:, 0].numel()
    assert weight.var().item() == pytest.approx(VARIANCES[name](ins, outs), rel=0.06)
    assert abs(weight.mean().item()) < 4 * math.sqrt(VARIANCES[name](ins, outs) / weight.numel())


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_orthogonal_weights_are_orthonormal_along_the_shorter_side(shape):
    matrix = drawn("orthogonal", shape).flatten(1)
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    torch.testing.assert_close(short @ short.T, torch.eye(len(short)), atol=1e-5, rtol=0)


def test_a_truncated_normal_ends_at_two_deviations_of_the_uncut_one():
    weight = drawn("truncated normal", (400, 100))
    cut = 2 * 0.1 / 0.8796256610342398
    assert 0.98 * cut < weight.abs().max().item() <= cut


@pytest.mark.parametrize("name", INITIALISERS)
def test_draws_are_private_and_follow_the_seed(name):
    before = torch.get_rng_state()
    assert torch.equal(drawn(name, (4, 3)), drawn(name, (4, 3)))
    assert not torch.equal(drawn(name, (4, 3)), drawn(name, (4, 3), seed=1))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", INITIALISERS)
def test_a_network_starts_with_the_initialiser_that_was_asked_for(name):
    network = build("cnn", {"widths": [4, 8], "side": 8, "classes": 2})
    random, same = (torch.Generator().manual_seed(0) for _ in range(2))
    start(network, torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(1)), random, name)
    first = torch.empty_like(network.blocks[0][0].weight)
    INITIALISERS[name](first, same)
    assert torch.equal(network.blocks[0][0].weight, first)
    assert torch.equal(network.head.bias, torch.zeros(2))
